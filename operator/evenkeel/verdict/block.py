"""A block: what both sides counted between two scrapes, as evidence takes it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Block:
    """Bad and total events on canary and on stable since the last block.

    The windows of both sides begin and end at scrapes, never at the same moment. stable's
    begins and ends a little before the canary's, the later one a little after; without a later
    one they are taken to be equal. first: whether what was before is not compared, as before
    the very first block; unmatched_bad: bad events of stable that the later window may have
    missed then, beyond the usual, and excess_bad: all of them since stable's last sample
    before. canary_share: the canary's share of the requests was so great at times. alone:
    whether there was no stable process to compare with. aside: whether it is not to be
    compared. A bad event may be counted before its total, so bad may exceed total here;
    Evidence holds the excess back until the total arrives. Raises ValueError on a negative
    count.
    """

    canary_bad: int
    canary_total: int
    stable_bad: int
    stable_total: int
    later_bad: int | None = None
    later_total: int | None = None
    unmatched_bad: int = 0
    excess_bad: int = 0
    canary_apart: int = 0
    stable_apart: int = 0
    canary_share: float = field(default=0.0, kw_only=True)
    first: bool = field(default=False, kw_only=True)
    alone: bool = field(default=False, kw_only=True)
    aside: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        for count in (
            self.canary_bad,
            self.canary_total,
            self.stable_bad,
            self.stable_total,
            *self.later,
            self.unmatched_bad,
            self.excess_bad,
            self.canary_apart,
            self.stable_apart,
        ):
            if type(count) is not int:
                raise TypeError(f"counts must be integers, not {count!r}: use raw counter deltas")
            if count < 0:
                raise ValueError(f"a count of {count} is negative: counters only grow")

    @property
    def later(self) -> tuple[int, int]:
        """Bad and total events of stable in the later window."""
        if self.later_bad is None or self.later_total is None:
            return self.stable_bad, self.stable_total
        return self.later_bad, self.later_total
