"""Labels that arrive some records after the prediction they judge."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """A prediction whose label has arrived. version: the model's, as its response named it."""

    record: int
    version: str
    correct: bool


class DelayedLabels:
    """Holds each prediction's outcome back until `delay` further records have been sent."""

    def __init__(self, first: int, delay: int) -> None:
        self._delay = delay
        self._labelled = first
        self._waiting: deque[Outcome] = deque()

    @property
    def labelled(self) -> int:
        """Records whose labels are known, counted from the stream's beginning."""
        return self._labelled

    def predicted(self, outcome: Outcome) -> None:
        self._waiting.append(outcome)

    def arrived(self, sent: int) -> Iterator[Outcome]:
        """Outcomes whose labels are known once record number `sent` - 1 has been sent."""
        self._labelled = max(self._labelled, sent - self._delay)
        # Answers may come back out of order, so the whole queue is looked through.
        for _ in range(len(self._waiting)):
            outcome = self._waiting.popleft()
            if outcome.record < self._labelled:
                yield outcome
            else:
                self._waiting.append(outcome)
