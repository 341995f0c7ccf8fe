"""The runs of a schedule: their deterministic names, their manifests, and which are known.

An occurrence names its run, and a run for alerts is named after the run before it. A crash between
the creation of the run and the write of the status, a repeated webhook or a second leader thus
arrive at the same name, where AlreadyExists is success.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from evenkeel.api.base import API_VERSION
from evenkeel.api.cause import Cause
from evenkeel.api.labels import COUNTED, MANAGED_BY, MANAGER, MODEL, SCHEDULE, owner_reference
from evenkeel.api.retrainschedule import CountedAlerts, LastRun, RetrainSchedule
from evenkeel.api.trainingrun import TrainingRun, TrainingRunSpec
from evenkeel.meta.names import child_name, digest
from evenkeel.meta.objects import Manifest
from evenkeel.meta.times import parse, timestamp
from evenkeel.retraining.triggers import configured
from evenkeel.retraining.triggers.kind import Occurrence
from evenkeel.training.restored import created
from evenkeel.training.run_state import finished

UNSEEN_SECONDS = 60
"""For so long a recorded run that the snapshot lacks counts as active: a list may be stale."""


class NewRun(NamedTuple):
    """A run that shall be created; without an occurrence it is for alerts alone."""

    name: str
    cause: Cause
    occurrence: Occurrence | None


def alert_run_name(schedule: RetrainSchedule, previous: str) -> str:
    """The run that alerts start after the run `previous` ("" if there was none)."""
    meta = schedule.metadata
    return child_name(meta.name, digest(meta.uid, "alert", previous))


def occurrence_run_name(schedule: RetrainSchedule, field: str, trigger: str, identity: str) -> str:
    """The run of an occurrence; `field` is that of the trigger's kind."""
    meta = schedule.metadata
    return child_name(meta.name, digest(meta.uid, field, trigger, identity))


def manifest(
    schedule: RetrainSchedule,
    run: NewRun,
    active: Sequence[str],
    now: datetime,
    counts: CountedAlerts | None,
) -> Manifest:
    """The TrainingRun; the policy Replace lets it stop those that are active.

    counts: the alerts that are counted together with its creation.
    """
    spec, meta = schedule.spec, schedule.metadata
    run_spec = TrainingRunSpec(
        model=spec.model,
        schedule=meta.name,
        cause=run.cause,
        request_time=timestamp(now),
        replaces=tuple(active[:16]) if spec.concurrency_policy == "Replace" else (),
        training=spec.training,
        gates=spec.gates,
        approval=spec.approval,
        registration=spec.registration,
    )
    annotations = {COUNTED: counts.model_dump_json(by_alias=True)} if counts else {}
    return {
        "apiVersion": API_VERSION,
        "kind": TrainingRun.kind,
        "metadata": {
            "name": run.name,
            "namespace": meta.namespace,
            "labels": {MANAGED_BY: MANAGER, SCHEDULE: meta.name, MODEL: spec.model},
            **({"annotations": annotations} if annotations else {}),
            "ownerReferences": [owner_reference(schedule.kind, meta)],
        },
        "spec": run_spec.wire(),
    }


def known_starts(
    last: LastRun | None, schedule: RetrainSchedule, runs: Sequence[TrainingRun]
) -> dict[str, datetime]:
    """When each known run was created; runs that are gone by what the status remembers."""
    starts = {r.metadata.name: created(r) for r in runs}
    starts |= {r.name: parse(r.time) for r in schedule.status.recent_runs}
    if last is not None:
        starts[last.name] = parse(last.time)
    return starts


def active_runs(
    last: LastRun | None, schedule: RetrainSchedule, runs: Sequence[TrainingRun], now: datetime
) -> tuple[list[str], datetime | None]:
    """The unfinished runs, and until when the last one is only presumed to be among them."""
    active = {r.metadata.name for r in runs if not finished(r)}
    if last is None or last.name in {r.metadata.name for r in runs}:
        return sorted(active), None
    until = parse(last.time) + timedelta(seconds=UNSEEN_SECONDS)
    if last.name in schedule.status.active and now < until:
        return sorted({*active, last.name}), until
    return sorted(active), None


def revisions_in_training(
    active: Iterable[str],
    last: LastRun | None,
    schedule: RetrainSchedule,
    runs: Sequence[TrainingRun],
) -> tuple[str, ...]:
    """The triggers of which active runs train on a revision of the source."""
    pollers = {c.name for c in configured(schedule.spec.triggers) if c.kind.poller is not None}
    causes = {r.metadata.name: r.spec.cause for r in runs}
    found = set()
    for name in active:
        if (cause := causes.get(name)) is not None:
            of_source = cause.change is not None and cause.champion is None
            found |= {cause.trigger} if of_source else set()
        elif last is not None and last.name == name:
            found |= {last.trigger} & pollers
    return tuple(sorted(found))
