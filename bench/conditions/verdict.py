"""Whether a condition held: its rollouts, counted against bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.conditions.chance import Interval, interval

End = Literal["Promoted", "RolledBack", "Held"]
GOOD_ROLLED_BACK = 0.01
"""Share of good versions that may be rolled back, or be unfinished when their time is over."""


@dataclass(frozen=True)
class Bound:
    """What must not happen more often than in this share of the rollouts.

    It is kept unless the interval's lower end exceeds it, which says with 97.5 % confidence that
    the true share does. A share of 0 therefore allows not one, and 0.01 allows 2 of 50.
    """

    what: str
    share: float
    ends: frozenset[End] = frozenset()
    fault: str = ""


@dataclass(frozen=True)
class Ended:
    """How one rollout ended. message: the status' words; faults: what else went wrong;
    unestablished: why the rollout says nothing at all."""

    end: End
    reason: str
    message: str = ""
    faults: frozenset[str] = frozenset()
    unestablished: str = ""


ROLLED_BACK = Bound("rolled back", GOOD_ROLLED_BACK, frozenset({"RolledBack"}))
UNFINISHED = Bound("unfinished", GOOD_ROLLED_BACK, frozenset({"Held"}))
PROMOTING = "Promoting"
"""The stage of a canary that will be promoted once its pods are ready."""
PROMOTED = Bound("promoted", 0.0, frozenset({"Promoted"}), PROMOTING)

GOOD = (ROLLED_BACK, UNFINISHED)
"""A good version is promoted within its time."""
BAD = (PROMOTED, UNFINISHED)
"""A bad version is rolled back within its time."""
NEVER = (PROMOTED,)
"""It must not be promoted; it may wait, since nothing is known of it."""
WAITS = (PROMOTED, ROLLED_BACK)
"""It must not be promoted, and is not rolled back either before its deadline."""


@dataclass(frozen=True)
class Rate:
    """How often something happened that has a bound."""

    bound: Bound
    hits: int
    trials: int

    @property
    def interval(self) -> Interval:
        return interval(self.hits, self.trials)

    @property
    def kept(self) -> bool:
        return self.interval.low <= self.bound.share


@dataclass(frozen=True)
class Finding:
    """One condition with all its rollouts.

    broken: why it could not be tried at all. figures: what was measured besides, for people.
    """

    name: str
    ended: tuple[Ended, ...]
    rates: tuple[Rate, ...]
    broken: str = ""
    seconds: float = 0.0
    figures: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        return not self.broken and all(rate.kept for rate in self.rates)


def find(
    name: str,
    bounds: Sequence[Bound],
    ended: Sequence[Ended],
    *,
    planned: int,
    broken: str = "",
    seconds: float = 0.0,
    figures: Sequence[str] = (),
) -> Finding:
    """Counts the rollouts. A condition that was not established in each of them is broken."""
    silent = Counter(e.unestablished for e in ended if e.unestablished)
    if not broken and silent:
        broken = "; ".join(f"{number} x {why}" for why, number in silent.most_common())
    if not broken and (len(ended) < planned or not ended):
        broken = f"{len(ended)} of {planned} rollouts took place"
    rates = tuple(
        Rate(b, sum(e.end in b.ends or b.fault in e.faults for e in ended), len(ended))
        for b in bounds
    )
    return Finding(name, tuple(ended), rates, broken, seconds, tuple(figures))


def rows(finding: Finding) -> list[str]:
    """Lines of the table: one for each bound, then the reasons that were seen."""
    ends = Counter(e.end for e in finding.ended)
    counts = f"{ends['Promoted']:>4}{ends['RolledBack']:>5}{ends['Held']:>5}"
    lines = []
    for index, rate in enumerate(finding.rates):
        low, high = rate.interval
        limit = f"{rate.bound.share:.0%}" if rate.bound.share else "none"
        mark = "held" if rate.kept else "MISSED"
        head = f"{finding.name:<26}{counts}" if index == 0 else " " * 40
        lines.append(
            f"{head}  {rate.bound.what:<17}{rate.hits:>4} of {rate.trials:<4}"
            f"{_percent(low)} to {_percent(high)}  {limit:>5}  {mark}"
        )
    reasons = Counter(f"{e.end} {e.reason}" for e in finding.ended)
    seen = ", ".join(f"{number} {what}" for what, number in reasons.most_common(5))
    lines.append(f"    {finding.seconds:.0f} s; {seen or 'nothing seen'}")
    lines += [f"    {figure}" for figure in finding.figures]
    lines += [f"    wrong: {end.message[:300]}" for end in _wrong(finding)[:SHOWN]]
    if finding.broken:
        lines.append(f"    NOT ESTABLISHED: {finding.broken}")
    return lines


SHOWN = 3
"""Wrong ends whose words are printed."""

HEADING = (
    f"{'condition':<26}{'prom':>4}{'back':>5}{'held':>5}  {'wrong':<17}{'rate':>7}     "
    f"{'95 % interval':<19}{'bound':>5}"
)


def summary(findings: Sequence[Finding]) -> str:
    """The last line."""
    return f"conditions held: {sum(f.held for f in findings)} of {len(findings)} tried"


def _wrong(finding: Finding) -> list[Ended]:
    """The rollouts that went wrong, whether the bound allows for them or not."""
    bounds = [r.bound for r in finding.rates]
    return [e for e in finding.ended if any(e.end in b.ends or b.fault in e.faults for b in bounds)]


def _percent(share: float) -> str:
    return f"{100 * share:5.1f} %"
