"""Which runs had an earlier life: a restore, a copy or a re-creation brought their objects back.

Such a run trains nothing, since it may have trained before.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from evenkeel.api.record import RECORD, annotation
from evenkeel.api.trainingrun import TrainingRun, TrainingRunStatus
from evenkeel.meta.times import parse

CREATION = timedelta(minutes=10)
"""Within this time a request becomes an object, whatever the clocks of both sides say."""
DEADLINE = timedelta(hours=1)
"""Within this time of its cause a run is created that does not say when it was asked for."""

WHAT_TO_DO = (
    "nothing is trained twice; to train anew, create a TrainingRun without the annotation "
    f"{RECORD}, without spec.requestTime and without spec.schedule"
)


def created(run: TrainingRun) -> datetime:
    """When the run was first created, also if its object is younger."""
    if run.status.creation_time:
        return parse(run.status.creation_time)
    return _former(run) or parse(run.metadata.creation_timestamp)


def restored(run: TrainingRun) -> bool:
    """Whether the run's object is not the one that it was first created as."""
    if run.status.creation_time:
        return created(run) < parse(run.metadata.creation_timestamp)
    return _former(run) is not None or run.had_earlier_life


def record(status: TrainingRunStatus) -> dict[str, str]:
    """The annotation by which a later life is known: that it began to train, and how it ended."""
    fields = {"creation_time", "start_time", "completion_time", "model_version"}
    told = status.model_dump(mode="json", by_alias=True, exclude_none=True, include=fields)
    ends = [c for c in status.conditions if c.type == "Succeeded" and c.status != "Unknown"]
    if ends:
        told["conditions"] = [ends[0].model_copy(update={"message": ends[0].message[:512]}).wire()]
    return annotation(told)


def _former(run: TrainingRun) -> datetime | None:
    """When the run was first created, if its spec tells that this was in an earlier life."""
    spec = run.spec
    told, slack = spec.request_time, CREATION
    if told is None and spec.schedule:
        # Of a schedule of a time before requestTime. A run by hand may answer an old cause.
        told, slack = spec.cause.time, DEADLINE
    if told is None or not _unseen(run):
        return None
    try:
        time = parse(told)
    except ValueError:
        return None
    return time if time + slack < parse(run.metadata.creation_timestamp) else None


def _unseen(run: TrainingRun) -> bool:
    return run.status.observed_generation == 0
