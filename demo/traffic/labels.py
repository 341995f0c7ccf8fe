"""Labels that arrive some records after the answer that they judge."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """An answer to a question about a record. token: what its label is posted with."""

    record: int
    token: str


class DelayedLabels:
    """Holds each answer back until `delay` further records have been sent."""

    def __init__(self, first: int, delay: int) -> None:
        self._delay = delay
        self._labelled = first
        self._waiting: deque[Answer] = deque()

    @property
    def labelled(self) -> int:
        """Records whose labels are known, counted from the stream's beginning."""
        return self._labelled

    def answered(self, answer: Answer) -> None:
        self._waiting.append(answer)

    def arrived(self, sent: int) -> Iterator[Answer]:
        """Answers whose labels are known once record number `sent` - 1 has been sent."""
        self._labelled = max(self._labelled, sent - self._delay)
        # Answers may come back out of order, so the whole queue is looked through.
        for _ in range(len(self._waiting)):
            answer = self._waiting.popleft()
            if answer.record < self._labelled:
                yield answer
            else:
                self._waiting.append(answer)
