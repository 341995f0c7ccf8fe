"""Requests that are no evidence, and why."""

from __future__ import annotations

from typing import NamedTuple


class Uncounted(NamedTuple):
    """Requests that are no evidence. first: the first ones of new pods. unseen: those of pods that
    were silent for too long, until they were back."""

    first: int = 0
    unseen: int = 0

    def told(self) -> str:
        """In words; empty if there are none."""
        parts = [
            f"{number} {what}"
            for number, what in (
                (self.first, "first requests of new pods (burnInRequests)"),
                (self.unseen, "requests of pods that Prometheus did not scrape for long"),
            )
            if number
        ]
        return f"not counted: {', '.join(parts)}" if parts else ""


ALL_COUNTED = Uncounted()
