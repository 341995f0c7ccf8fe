"""The counters of one process through time: late answers, restarts and burn-in.

A process is what counts: a pod, by its name. Whatever Prometheus answers, each of its events is
counted once.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from evenkeel.verdict.samples import Reading

CONFIRMED_BY = 3
"""Samples that stay low and grow until a fall is taken for a restart, where the cluster does not
tell when the process started: one of two replicas of Prometheus may lag."""
TRUNCATED = 1.0
"""Seconds by which a start that the cluster tells, in whole seconds, may be too early."""
KEPT = 32
"""Samples kept of a process until a block closes."""


class Point(NamedTuple):
    """Events since the evidence began, as of a sample; time in Unix seconds."""

    time: float
    total: int
    bad: int


class Offset(NamedTuple):
    """What is added to a process's own counters to get a Point: earlier processes of the same pod
    have counted, or the evidence began after this one did."""

    total: int = 0
    bad: int = 0


UNMOVED = Offset()


class Process(NamedTuple):
    """One pod's counters, as far as they are evidence.

    cut: the sample at which the last block ended. later: samples since then, oldest first.
    counted: whether good or bad events have been seen. low: totals of samples below the last one,
    not yet explained. fell: whether total less good events ever fell, so that they are not counted
    together; led: whether they were ever below zero. short: by how many below the usual at most.
    absent_since: the newest sample of all when a look first missed it, if it is missing; minus
    infinity if its pod is known to be gone.
    """

    cut: Point
    later: tuple[Point, ...] = ()
    offset: Offset = UNMOVED
    started: float | None = None
    counted: bool = False
    low: tuple[int, ...] = ()
    fell: bool = False
    led: bool = False
    short: int = 0
    absent_since: float | None = None

    @property
    def last(self) -> Point:
        """The newest sample."""
        return self.later[-1] if self.later else self.cut

    def missing_since(self, now: float) -> float:
        """Since when it is missing; now if it is not."""
        return now if self.absent_since is None else self.absent_since

    def silent(self, now: float, awake: float) -> float:
        """Seconds without a sample, or for which it is missing; an outage does not count."""
        since = self.last.time if self.absent_since is None else self.absent_since
        return now - (since if since == -inf else max(since, awake))

    def at(self, time: float) -> Point:
        """The last sample taken at `time` or before; the cut if none was."""
        return next((p for p in reversed(self.later) if p.time <= time), self.cut)

    def after(self, time: float) -> Point:
        """The first sample taken at `time` or later; the newest if there is none yet."""
        return next((p for p in (self.cut, *self.later) if p.time >= time), self.last)

    def lost(self, reading: Reading) -> bool:
        """Whether the same process no longer has the good or bad events that it had."""
        if reading.counted is not None or not self.counted:
            return False
        newer = reading.started is not None and reading.started != self.started
        return not newer and reading.total + self.offset.total >= self.last.total

    def cut_at(self, point: Point) -> Process:
        """The process with a block ended at one of its samples."""
        return self._replace(cut=point, later=tuple(p for p in self.later if p.time > point.time))

    def take(self, reading: Reading, time: float) -> Process:
        """The process with one more reading, scraped at `time`.

        A sample that is no newer changes nothing; where its time is not known, neither does one
        that shows what is known: each scrape would look like many, most of them without events. A
        total that fell is a restart if the cluster says so, or, where it cannot tell, once some
        samples have confirmed it; otherwise it is a late answer or a series gone missing, and the
        next good sample makes up for it.
        """
        here = self if self.absent_since is None else self._replace(absent_since=None)
        if time <= self.last.time or (reading.time is None and self._shows(reading)):
            return here
        restarted, timed = self._restarted(reading, time), reading.time is not None
        if reading.total + self.offset.total >= self.last.total:
            if restarted and timed:
                return here.followed(time, reading)
            # Without its time the sample may be the former process's last one.
            return here._add(time, reading, self.counted or reading.counted is not None)
        deep = 2 * reading.total < self.last.total - self.offset.total
        if reading.started is not None:
            return here._anew(time, reading) if restarted and (timed or deep) else here
        low = (*self.low, reading.total) if reading.total > max(self.low, default=-1) else self.low
        if deep and len(low) >= CONFIRMED_BY:
            return here._anew(time, reading)
        return here._replace(low=low)

    def _shows(self, reading: Reading) -> bool:
        """Whether the reading says just what the last sample did."""
        bad = max(self.last.bad, self.offset.bad + reading.level)
        return (reading.total + self.offset.total, bad) == (self.last.total, self.last.bad)

    def _restarted(self, reading: Reading, time: float) -> bool:
        """Whether the cluster says that a newer process than the known one was scraped."""
        if reading.started is None or time < reading.started + TRUNCATED:
            return False
        if self.started is None:
            return reading.started + TRUNCATED >= self.last.time
        return reading.started > self.started

    def _anew(self, time: float, reading: Reading) -> Process:
        """With the first sample of a new process of the same pod, which counts from zero."""
        offset = Offset(self.last.total, self.last.bad)
        started = self.started if reading.started is None else reading.started
        fresh = self._replace(offset=offset, started=started)
        return fresh._add(time, reading, reading.counted is not None)

    def followed(self, time: float, reading: Reading) -> Process:
        """With a new process of the same pod, whose events count from this sample on. Where it has
        counted more than the former had, its bad events would be anything as the former's growth.
        """
        last, fresh = self.last, begun(reading, time)
        offset = Offset(last.total + fresh.offset.total, last.bad + fresh.offset.bad)
        later = (*self.later, Point(time, last.total, last.bad))
        return fresh._replace(
            cut=self.cut,
            later=later,
            offset=offset,
            fell=self.fell,
            led=fresh.led or self.led,
            short=self.short,
        )

    def _add(self, time: float, reading: Reading, counted: bool) -> Process:
        # Good events may be counted ahead of total or after it, true bad ones never become fewer:
        # they are the highest level ever shown, so that its ups and downs do not add up.
        level, total = self.offset.bad + reading.level, self.offset.total + reading.total
        bad, short = max(self.last.bad, level), max(self.short, self._short(level, total))
        fell = self.fell or (reading.good and level < self.last.bad)
        led = self.led or reading.level < 0
        later = (*self.later, Point(time, total, bad))
        if len(later) > KEPT:
            later = (*later[1:-1:2], later[-1])
        return self._replace(later=later, counted=counted, low=(), fell=fell, led=led, short=short)

    def _short(self, level: int, total: int) -> int:
        """By how many the level is below where the usual bad events would have brought it."""
        last = self.last
        usual = last.bad / last.total if last.total else 0.0
        return last.bad - level + round(usual * (total - last.total))


def begun(reading: Reading, time: float) -> Process:
    """A process whose events count from this sample on."""
    return Process(
        cut=Point(time, 0, 0),
        offset=Offset(-reading.total, -reading.level),
        started=reading.started,
        counted=reading.counted is not None,
        led=reading.level < 0,
    )


def begun_on_trial(reading: Reading, time: float) -> Process:
    """The same of the canary's. A level below zero is a lead of good events over total: that it
    shrinks later shows no bad ones. On stable, bad events too many never speak against the canary.
    """
    process = begun(reading, time)
    return process._replace(offset=process.offset._replace(bad=-max(0, reading.level)))


def newborn(reading: Reading, time: float) -> Process:
    """A process that was not there before, all of whose events count."""
    start = reading.started if reading.started is not None else time
    empty = Process(cut=Point(min(start, time), 0, 0), started=reading.started)
    found = empty._add(time, reading, reading.counted is not None)
    # A sample that is the cut itself would never end a block.
    return found._replace(later=()) if found.last == empty.cut else found
