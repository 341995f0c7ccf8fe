"""How far the demonstration has come: one record that the runner writes and the views read."""

from __future__ import annotations

from dataclasses import dataclass, field

from demo.stages import Stage
from demo.world import Snapshot


@dataclass
class Done:
    """A stage under way or over. Times in seconds since the epoch."""

    stage: Stage
    began: float
    ended: float | None = None
    observed: bool = False
    evidence: str = ""


@dataclass
class Progress:
    """started: seconds since the epoch. log: when the set-up said what. history: newest last."""

    stages: tuple[Stage, ...]
    started: float
    done: list[Done] = field(default_factory=list)
    log: list[tuple[float, str]] = field(default_factory=list)
    history: list[Snapshot] = field(default_factory=list)

    @property
    def current(self) -> Done | None:
        """The stage under way; None before the first and after the last."""
        return self.done[-1] if self.done and self.done[-1].ended is None else None

    @property
    def complete(self) -> bool:
        """Whether every stage was observed."""
        return len(self.done) == len(self.stages) and all(d.observed for d in self.done)
