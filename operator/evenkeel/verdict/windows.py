"""When a block of events closes: equal windows of both sides, whatever the scrapes' phases.

Canary and stable are scraped at different moments, late, or not at all for a while. A block ends
on the canary at one sample of each of its processes. Stable's earlier window ends at samples
before the first of these, its later window at samples after the last. See Evidence for what is
made of both, docs/verdict.md for why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil, inf
from typing import NamedTuple

from evenkeel.verdict.block import Block
from evenkeel.verdict.process import Point, Process

Processes = Mapping[str, Process]


class Closed(NamedTuple):
    """A block, the processes with their new cuts, and the time at which the block ended; begin and
    until: of all windows that it is made of.

    Those that have been silent for too long are not among them: they begin anew when they are
    back. met: the time up to which stable's later windows go. overdue: whether there are such.
    """

    block: Block
    canary: dict[str, Process]
    stable: dict[str, Process]
    end: float
    met: float
    overdue: bool
    begin: float
    until: float


class Usual(NamedTuple):
    """Stable's events in the samples before the first block."""

    bad: int = 0
    total: int = 0


NOTHING = Usual()


def usual_before(stable: Processes, time: float) -> Usual:
    """Stable's events in the samples that are kept from before `time`; if it was not looked at for
    so long, those of its processes' whole lives."""
    found = _events((p.cut, p.at(time)) for p in stable.values())
    if found.total:
        return found
    lives = [p.offset for p in stable.values()]
    bad, total = sum(-life.bad for life in lives), sum(-life.total for life in lives)
    return Usual(max(0, bad), max(0, total))


class Before(NamedTuple):
    """What came before a block.

    end: when the last one ended, met: up to when stable's later windows go; None if there was none.
    ahead: stable's events between its cuts and `met`, where only their sum is known. usual: of
    stable, None where the block before was compared with it. awake: until when there were no
    samples at all, so that nothing was awaited.
    """

    end: float | None
    met: float | None
    ahead: Usual | None
    usual: Usual | None
    awake: float


def ahead_of(stable: Processes, met: float) -> Usual:
    """Stable's events between its cuts and `met`: later windows have had them already."""
    return _events((p.cut, p.after(met)) for p in stable.values())


def closed(
    canary: Processes, stable: Processes, now: float, patience: float, before: Before
) -> Closed | None:
    """The next block, if its windows are complete; None while samples are awaited.

    now: the time of the newest sample. patience: seconds after which a process without a sample is
    left out. The block is as long as stable's samples allow.
    """
    fresh = {k: p for k, p in canary.items() if p.later}
    if not fresh:
        return None

    def expected(process: Process) -> bool:
        # One that is missing may only have failed a scrape.
        return process.silent(now, before.awake) < patience

    present = {k: p for k, p in stable.items() if expected(p)}
    known_until = min((p.last.time for p in present.values()), default=inf)
    awaited = any(not p.later and expected(p) for p in canary.values())
    overdue = not all(map(expected, (*canary.values(), *stable.values())))
    # What those that are left out have shown is met first by the canary's of the same time.
    shown = sorted(p.last.time for k, p in stable.items() if k not in present)
    for until in (*(time for time in shown if time < known_until), known_until):
        ends = {k: p.at(until) for k, p in fresh.items()}
        if all(point != fresh[k].cut for k, point in ends.items()):
            break
    # A window of stable that spans an outage needs one of the canary's that does.
    awaited |= not overdue and any(p.time < before.awake for p in ends.values())
    if awaited or any(point == fresh[k].cut for k, point in ends.items()):
        return None
    found = _block(canary, stable, ends, before, overdue)
    left = {k: p for k, p in found.canary.items() if k in ends or expected(p)}
    if until == known_until and present:
        # What they count until they are back would be met by the canary's of another time.
        return found._replace(canary=left, stable={k: found.stable[k] for k in present})
    return found._replace(canary=left)


def closed_pairs(
    canary: Processes, stable: Processes, now: float, patience: float, awake: float
) -> Closed | None:
    """The next block of pairs, up to the newest sample of each process: it counts both sides at
    once, so nothing is awaited and no window is another than the other side's."""
    both = {k: (p, stable[k]) for k, p in canary.items() if p.later and k in stable}
    windows = {
        k: (max(c.cut.time, s.cut.time), min(c.last.time, s.last.time))
        for k, (c, s) in both.items()
    }
    windows = {k: window for k, window in windows.items() if window[0] < window[1]}
    if not windows:
        return None

    def events(side: Processes) -> Usual:
        return _events((side[k].at(begin), side[k].at(end)) for k, (begin, end) in windows.items())

    def cut(side: Processes) -> dict[str, Process]:
        ends = {k: side[k].at(end) for k, (_, end) in windows.items()}
        return {k: p.cut_at(ends[k]) if k in ends else p for k, p in side.items()}

    against, beside = events(canary), events(stable)
    end = max(end for _, end in windows.values())
    return Closed(
        Block(against.bad, against.total, beside.bad, beside.total, first=True),
        cut(canary),
        cut(stable),
        end,
        end,
        overdue=any(p.silent(now, awake) >= patience for p in canary.values()),
        begin=min(begin for begin, _ in windows.values()),
        until=end,
    )


def _block(
    canary: Processes,
    stable: Processes,
    ends: Mapping[str, Point],
    before: Before,
    overdue: bool,
) -> Closed:
    begun = before.end
    if begun is None:
        begun = max(p.cut.time for p in canary.values())
    first = min(p.time for p in ends.values())
    # A process may have been left out of the last block and be late with this one.
    last = max(begun, *(p.time for p in ends.values()))
    cut = {k: p.cut_at(ends[k]) if k in ends else p for k, p in canary.items()}
    on_canary = _events((canary[k].cut, point) for k, point in ends.items())
    earlier = _events((p.cut, p.at(first)) for p in stable.values())
    met = begun if before.met is None else before.met
    gap = before.ahead or ahead_of(stable, met)
    counted = ahead_of(stable, last)
    later = Usual(max(0, counted.bad - gap.bad), max(0, counted.total - gap.total))
    unmatched, excess = 0, 0
    if before.usual is not None:
        unmatched = _beyond(gap, before.usual, later)
        excess = _beyond(Usual(gap.bad + later.bad, gap.total + later.total), before.usual)
    block = Block(
        canary_bad=on_canary[0],
        canary_total=on_canary[1],
        stable_bad=earlier[0],
        stable_total=earlier[1],
        later_bad=later[0],
        later_total=later[1],
        first=before.usual is not None,
        unmatched_bad=unmatched,
        excess_bad=excess,
        alone=not stable,
    )
    begin = min(p.cut.time for p in (*(canary[k] for k in ends), *stable.values()))
    until = max([last, *(p.after(last).time for p in stable.values())])
    # Where no process of stable has a sample yet, its next one makes up for all of the time.
    met = last if any(p.last.time >= last for p in stable.values()) else met
    return Closed(
        block,
        cut,
        {k: p.cut_at(p.at(first)) for k, p in stable.items()},
        last,
        met,
        overdue,
        begin,
        until,
    )


def _beyond(found: Usual, *usual: Usual) -> int:
    """Bad events beyond what is usual, such as before and after the gap between stable's two first
    samples: an incident that began or ended there, of which the canary may have seen more."""
    ratios = [bad / total if total else 0.0 for bad, total in usual]
    return max(0, ceil(found.bad - found.total * min(ratios)))


def _events(windows: Iterable[tuple[Point, Point]]) -> Usual:
    """Bad and all events in the windows, each from one sample to another."""
    bad, total = 0, 0
    for begin, end in windows:
        bad += end.bad - begin.bad
        total += end.total - begin.total
    return Usual(bad, total)
