"""What is observed of a revision."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pods:
    """The pods of one revision's Deployment. `wanted` is its spec.replicas.

    `trouble` is why they are not ready, where that is known.
    """

    wanted: int = 0
    ready: int = 0
    unready_since: str | None = None
    trouble: str = ""

    def told(self, text: str) -> str:
        """The text about them, with their trouble."""
        return f"{text.rstrip('.')}: {self.trouble}" if self.trouble else text
