"""What the rules of admission are asked, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from evenkeel.api.retrainschedule import RetrainSchedule, RetrainScheduleSpec


class Failures(NamedTuple):
    """The failed runs since the last that succeeded."""

    number: int
    last: datetime | None


@dataclass(frozen=True, slots=True)
class Request:
    """May the next run of the schedule start now?

    starts: when the known runs were created, by name. active: names of the unfinished runs.
    unusable: why the template cannot work, if it cannot. restored_until: until when runs of an
    earlier life may come back, while the last one is missing. revisions: triggers on a revision of
    whose source active runs train.
    """

    schedule: RetrainSchedule
    starts: Mapping[str, datetime]
    active: Sequence[str]
    failures: Failures
    unusable: str | None
    now: datetime
    restored_until: datetime | None = None
    revisions: Sequence[str] = ()

    @property
    def spec(self) -> RetrainScheduleSpec:
        """The schedule's spec."""
        return self.schedule.spec


class Blocked(NamedTuple):
    """What holds the next run back.

    reason: CamelCase. until: when it ends by itself; None: by a change only. stalled: a person
    must mend it. alerts_wait: whether alerts may wait for its end (policy Queue). but_for: the
    trigger whose newer revision may start a run all the same.
    """

    reason: str
    message: str
    until: datetime | None = None
    stalled: bool = False
    alerts_wait: bool = True
    but_for: str = ""


def runs(number: int) -> str:
    """Such as "1 run" or "2 runs", without the number."""
    return "run" if number == 1 else "runs"
