"""What is known of a report that is read outside, once the training has succeeded.

It is asked for beside the reconciles, and only then. That it is not there is believed after a
while; that its place cannot be asked is no reason to give the training up for much longer.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from evenkeel.api.trainingrun import TrainingResult
from evenkeel.meta.times import parse, timestamp
from evenkeel.outside.poll import Poll
from evenkeel.training.engines import engine_of
from evenkeel.training.results import source_of
from evenkeel.training.results.kind import Absent, ResultSource
from evenkeel.training.run_state import finished
from evenkeel.training.snapshot import RunSnapshot

ABSENT = timedelta(minutes=10)
"""For so long a report may come after its training."""
UNREADABLE = timedelta(days=1)
"""For so long its place may fail, as far as the replica that leads has seen."""


class Wait(NamedTuple):
    """The report may still come. requeue_after: seconds until that may be over; None: unknown.

    absent: since when it is known to be missing, whatever words that was told in.
    """

    message: str
    requeue_after: float | None = None
    absent: datetime | None = None


class Missing(NamedTuple):
    """It is waited for no longer."""

    message: str


def trained(snapshot: RunSnapshot) -> bool:
    """Whether the training has succeeded, as its engine tells or has told."""
    run, engine = snapshot.run, engine_of(snapshot.run.spec.training)
    if run.status.trained_time is not None:
        return True
    if engine is None or snapshot.switched_off or not snapshot.begun:
        return False
    return engine.state(run, snapshot.observed, snapshot.now).phase == "Succeeded"


def question(snapshot: RunSnapshot) -> Poll | str | None:
    """What is asked for the report; a text: why it cannot be; None: nothing, now."""
    run, source = snapshot.run, source_of(snapshot.run.spec.training)
    over = finished(run) or run.status.result or run.metadata.deletion_timestamp
    if source is None or over or not trained(snapshot):
        return None
    return source.poll(run, snapshot.named)


def outcome(snapshot: RunSnapshot, source: ResultSource) -> TrainingResult | Wait | Missing:
    """What came of asking. Raises InvalidResult."""
    run, seen, place = snapshot.run, snapshot.sighting, source.place(snapshot.run)
    absent = Absent("")
    if seen.answer is not None:
        found = source.read(run, seen.answer)
        if isinstance(found, TrainingResult):
            return found
        absent = found
    if seen.failure is not None:
        until = seen.failure.since + UNREADABLE
        why = f"its report at {place} cannot be read: {seen.failure.message}"
        return _until(snapshot, until, why, "for a day")
    if seen.answer is not None and seen.since is not None:
        why = f"there is no report at {place}: {absent.words}"
        first = run.status.absent_time
        since = seen.since if first is None else parse(first)
        wait = _until(snapshot, since + ABSENT, why, "for 10 minutes")
        return wait._replace(absent=since) if isinstance(wait, Wait) else wait
    unasked = question(snapshot)
    if isinstance(unasked, str):
        return Wait(f"the training has succeeded; its report cannot be read: {unasked}")
    return Wait(f"the training has succeeded; its report at {place} is being read")


def _until(snapshot: RunSnapshot, until: datetime, why: str, lasted: str) -> Wait | Missing:
    left = (until - snapshot.now).total_seconds()
    if left <= 0:
        return Missing(f"the training has succeeded, but {lasted} {why}")
    text = f"the training has succeeded; {why}; it is waited for until {timestamp(until)}"
    return Wait(text, left)
