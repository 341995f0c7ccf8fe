"""A circuit breaker: what has failed several times in a row is left alone for a while."""

from __future__ import annotations

from collections.abc import Callable

FAILURES = 3
"""Successive failures that open it."""
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 30.0
"""Seconds. Each failed attempt after a pause doubles it."""


class Breaker:
    """Closed: all may try. Open: nobody. After the pause one may try, and decides for all.

    clock: seconds that only grow. failures: those in a row. pause: seconds of the present or the
    next pause.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.failures = 0
        self._until = 0.0
        self._probing = False
        self.pause = FIRST_PAUSE

    def admits(self) -> bool:
        """Whether to try now; who may has to call `succeeded`, `failed` or `gave_up` after it."""
        if self.failures < FAILURES:
            return True
        if self._probing or self._clock() < self._until:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """Closes it."""
        self.failures, self._probing, self.pause = 0, False, FIRST_PAUSE

    def failed(self) -> None:
        """Opens it, if that was the last failure it takes."""
        self.failures += 1
        if self._probing:
            self.pause = min(2 * self.pause, LONGEST_PAUSE)
        if self._probing or self.failures == FAILURES:
            self._until = self._clock() + self.pause
        self._probing = False

    def gave_up(self) -> None:
        """The attempt ended without telling anything, as when the operator stops."""
        self._probing = False
