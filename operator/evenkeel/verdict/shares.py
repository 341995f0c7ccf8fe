"""The canary's share of the requests through time, as the operator divides them.

Neither requests nor an incident are spread evenly over a block. Where the share changes in it, an
incident that meets the greater share alone looks like the canary's own fault, and one that meets
the lesser alone hides one. See docs/verdict.md.
"""

from __future__ import annotations

from typing import NamedTuple

EFFECT = 5.0
"""Seconds until a new division has reached all that send requests."""
STEADY = 1.1
"""A share that grows or falls by a smaller factor is the same: tolerances are wider."""
KEPT = 32
"""Changes that are remembered; older ones become one."""
IN_A_ROW = 3
"""Blocks that are set aside until the next one is compared, though the share changed in it, too."""

_UNKNOWN = 0.5
_EACH = 2.0**-20
_STEPS = 64
"""More than a rollout may have."""


def unknown(step: int) -> float:
    """Stands for a share that follows from who matches, or comes to a preview, at a step.

    While it is in force no block is held to have another share than its requests tell; where it
    begins or ends one changes, also from one such step to the next.
    """
    return _UNKNOWN + (step + 1) * _EACH


def is_unknown(share: float) -> bool:
    """Whether it is such a stand-in; no weight is between these."""
    return _UNKNOWN < share <= _UNKNOWN + _STEPS * _EACH


class Change(NamedTuple):
    """The share went from one value to the other at some time in between, Unix seconds."""

    begin: float
    end: float
    before: float
    after: float


class Between(NamedTuple):
    """The canary's least and greatest share at any time of a stretch."""

    least: float
    most: float

    @property
    def steady(self) -> bool:
        """Whether both sides' shares stayed about the same."""
        if not self.least:
            return not self.most
        if is_unknown(self.least) or is_unknown(self.most):
            return False
        beside = (1 - self.least) <= STEADY * (1 - self.most)
        return self.most <= STEADY * self.least and beside


class Shares(NamedTuple):
    """now: the canary's share since the last change, from 0 to 1. seen: when it was last known."""

    now: float = 0.0
    seen: float | None = None
    changes: tuple[Change, ...] = ()

    def divided(self, share: float, at: float, since: float) -> Shares:
        """With the share that is known at a time; since: when it can have changed at the earliest,
        if nothing was known before."""
        if share == self.now:
            return self._replace(seen=at)
        begin = since if self.seen is None else self.seen
        changes = (*self.changes, Change(min(begin, at), at + EFFECT, self.now, share))
        if len(changes) > KEPT:
            first, second, *rest = changes
            either = (first.before, first.after, second.before, second.after)
            changes = (Change(first.begin, second.end, min(either), max(either)), *rest)
        return Shares(share, at, changes)

    def between(self, begin: float, end: float) -> Between | None:
        """Of a stretch of time; None if the share did not change in it."""
        met = [c for c in self.changes if c.begin < end and c.end > begin]
        shares = [share for change in met for share in (change.before, change.after)]
        return Between(min(shares), max(shares)) if shares else None


UNDIVIDED = Shares()
