"""What a schedule knows of its runs after a restore: its record, and whether its runs are back."""

from __future__ import annotations

from datetime import datetime, timedelta

from evenkeel.api.record import annotation, told
from evenkeel.api.retrainschedule import LastRun, RetrainSchedule, RetrainScheduleStatus
from evenkeel.meta.times import parse

RETURN = timedelta(minutes=10)
"""For so long the runs of a schedule that was restored may come back after it."""


def record(schedule: RetrainSchedule, status: RetrainScheduleStatus) -> dict[str, str]:
    """The annotation: the accounts as they were when the last run was created.

    It is written with each run, not with each alert. Alerts that wait are not in it, so that they
    count as new after a restore.
    """
    if status.last_run is None:
        return {}
    known = told(schedule.metadata.wire()).get("lastRun") or {}
    if known.get("name") == status.last_run.name:
        return {}
    fields = {"last_run", "recent_runs", "triggers", "suppressed"}
    if status.pending is None:
        fields.add("counted")
    triggers = tuple(t.model_copy(update={"failure": ""}) for t in status.triggers)
    lasting = status.model_copy(update={"triggers": triggers})
    return annotation(
        lasting.model_dump(mode="json", by_alias=True, exclude_none=True, include=fields)
    )


def awaited_until(last: LastRun | None, schedule: RetrainSchedule) -> datetime | None:
    """Until when the last run of an earlier life may come back; None if there was no such life."""
    if last is None or not schedule.metadata.creation_timestamp:
        return None
    created = parse(schedule.metadata.creation_timestamp)
    return created + RETURN if parse(last.time) < created else None
