"""Which revision is measured now, by which Job, and what came of it.

A canary is measured once in its trial, after its own pods have their room and before it gets
requests; what serves already is measured where that was never done, or otherwise than now. The
figures go into the status together with the decision that rests on them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from evenkeel.api.labels import REVISION
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import CanaryStatus, RevisionStatus
from evenkeel.api.performance import Performance, PerformanceProfile
from evenkeel.meta.names import child_name, digest
from evenkeel.meta.objects import Manifest
from evenkeel.meta.refusal import Refused
from evenkeel.meta.times import seconds_since, timestamp
from evenkeel.performance.job import SLACK_SECONDS, load_job
from evenkeel.performance.report import outcome, progress, unfinished
from evenkeel.serving.observed import Pods
from evenkeel.serving.runtime_selection import Selected
from evenkeel.serving.wanted import Revision

Json = Mapping[str, Any]

MEASURED_IN = "Starting"
"""The stage of a trial in which its canary is measured."""


@dataclass(frozen=True, slots=True)
class Loads:
    """What is there: Jobs by name, and the slim pods of all of them."""

    jobs: Mapping[str, Json] = field(default_factory=dict)
    pods: tuple[Json, ...] = ()


class Measurement(NamedTuple):
    """What is measured now.

    deployment: with the figures, if they have just come. job: to be made. kept: name of the Job
    that stays. message: how far it is. due: seconds until it has taken too long.
    """

    deployment: ModelDeployment
    job: Manifest | None = None
    kept: str = ""
    message: str = ""
    due: float | None = None


class _Subject(NamedTuple):
    """The revision to be measured, and the Job that does it. since: of a trial, its begin."""

    revision: str
    pods: Pods
    profile: PerformanceProfile
    definition: str
    name: str
    since: str | None


def measurement(
    md: ModelDeployment,
    wanted: Revision | Refused,
    runtime: Selected | Refused,
    pods: Mapping[str, Pods],
    loads: Loads,
    image: str,
    now: datetime,
) -> Measurement:
    """What is measured now; nothing without spec.performance, or once all is known."""
    subject = _subject(md, pods)
    if subject is None:
        return Measurement(md, kept=_failed(md, loads))
    job = loads.jobs.get(subject.name)
    found, limit = None, _limit(subject, job, now)
    if job is not None:
        bound = subject.profile.latency
        found = outcome(job, loads.pods, bound, subject.definition, now)
    if found is None and limit is not None and limit <= 0:
        words = "the Job has not ended" if job is not None else "no Job could be made"
        found = unfinished(_unknown(subject, now), f"{words} in time")
    if found is not None:
        return Measurement(_with(md, subject, found), kept=subject.name)
    if job is not None:
        return Measurement(md, None, subject.name, progress(loads.pods, job), limit)
    waits = "its pods get ready first"
    if not subject.pods.ready or subject.pods.ready < subject.pods.wanted:
        return Measurement(md, None, "", waits, limit)
    if (
        isinstance(wanted, Refused)
        or isinstance(runtime, Refused)
        or wanted.name != subject.revision
    ):
        return Measurement(md, None, "", "its pod template is not known", limit)
    made = load_job(md, wanted, subject.profile, subject.name, runtime.spec, image)
    if isinstance(made, Refused):
        refused = {"reason": made.reason, "message": made.message}
        return Measurement(_with(md, subject, _unknown(subject, now).model_copy(update=refused)))
    return Measurement(md, made, subject.name, "the Job is made", limit)


def definition_of(profile: PerformanceProfile) -> str:
    """What the figures depend on, in short; sizes, costs and gates follow from the figures.

    Defaults are left out, since a newer API may have more of them and nothing is to be measured
    anew for that.
    """
    derived = {"peak_rate", "cost_per_hour", "fast_enough"}
    said = profile.model_dump(mode="json", by_alias=True, exclude=derived, exclude_defaults=True)
    return digest(json.dumps(said, sort_keys=True))


def _subject(md: ModelDeployment, pods: Mapping[str, Pods]) -> _Subject | None:
    profile, canary, stable = md.spec.performance, md.status.canary, md.status.stable
    if profile is None:
        return None
    definition = definition_of(profile)
    one: CanaryStatus | RevisionStatus | None = stable if canary is None else canary
    known = None if one is None else one.performance
    if one is None or (known is not None and (canary or known.definition == definition)):
        return None
    if canary is not None and (canary.stage != MEASURED_IN or canary.in_window):
        return None
    since = None if canary is None else canary.start_time
    # Each trial measures for itself: what made it fail may be gone.
    name = child_name(f"{md.metadata.name}-load", digest(one.revision, definition, since or ""))
    return _Subject(one.revision, pods.get(one.revision, Pods()), profile, definition, name, since)


def _limit(subject: _Subject, job: Json | None, now: datetime) -> float | None:
    """Seconds until it has taken too long, whoever should have ended it; None: it may wait."""
    if job is not None:
        deadline = (job.get("spec") or {}).get("activeDeadlineSeconds") or 0
        begun = job["metadata"].get("creationTimestamp")
        return None if begun is None else deadline + SLACK_SECONDS - seconds_since(begun, now)
    if subject.since is None:
        return None
    allowed = 2 * subject.pods.deadline + subject.profile.duration_seconds + 2 * SLACK_SECONDS
    return allowed - seconds_since(subject.since, now)


def _unknown(subject: _Subject, now: datetime) -> Performance:
    return Performance(
        definition=subject.definition,
        time=timestamp(now),
        latency=subject.profile.latency,
        reason="MeasurementUnfinished",
    )


def _with(md: ModelDeployment, subject: _Subject, found: Performance) -> ModelDeployment:
    """The object with the figures where its status has the revision."""
    side = "stable" if subject.since is None else "canary"
    one = getattr(md.status, side).model_copy(update={"performance": found})
    return md.model_copy(update={"status": md.status.model_copy(update={side: one})})


def _failed(md: ModelDeployment, loads: Loads) -> str:
    """The Job of a measurement that failed, whose logs may tell more than it did."""
    sides = [s for s in (md.status.stable, md.status.canary) if s is not None]
    without = {s.revision for s in sides if s.performance is not None and not s.performance.rate}
    return next((name for name, job in loads.jobs.items() if _revision(job) in without), "")


def _revision(job: Json) -> str:
    return str((job["metadata"].get("labels") or {}).get(REVISION, ""))
