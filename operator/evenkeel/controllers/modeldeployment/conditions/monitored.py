"""Monitored: whether what the serving revision is asked is counted against its profile."""

from __future__ import annotations

from evenkeel.api.monitoring import Monitoring
from evenkeel.controllers.modeldeployment.conditions.situation import Situation
from evenkeel.meta.conditions import Observation, find
from evenkeel.outside.meters import Learning, MeterSeen
from evenkeel.rollout.probation import serving
from evenkeel.serving import learned
from evenkeel.serving.model_files import is_in_image

TYPE = "Monitored"


def monitored(situation: Situation) -> tuple[Observation, ...]:
    """Absent without spec.monitoring. It never makes the model unready."""
    md, rollout = situation.md, situation.rollout
    served = serving(rollout.stable, rollout.canary)
    if md.spec.monitoring is None or served is None:
        return ()
    if situation.monitoring is None:
        message = f"revision {served.revision} has no meter; the next one has"
        return (Observation(TYPE, "Unknown", "AwaitingMeter", message),)
    if is_in_image(served.uri) and not learned.wanted(md):
        message = (
            "the model is in the runtime's image, where the meter can read no profile; serve it "
            "from a volume, a store or an OCI artefact, or do without detection"
        )
        return (Observation(TYPE, "False", "ProfileAbsent", message),)
    sighting = situation.meters
    if sighting is not None and sighting.failure is not None:
        failure = sighting.failure
        return (Observation(TYPE, "Unknown", failure.reason, failure.message),)
    seen = sighting.answer if sighting is not None else None
    if isinstance(seen, MeterSeen):
        return (_of(seen, md.spec.monitoring),)
    known = find(md.status.conditions, TYPE)
    if known is not None and known.reason != "AwaitingMeter":
        # A process that has just begun to lead knows nothing better yet.
        return (known.observation,)
    return (Observation(TYPE, "Unknown", "AwaitingReference", "Prometheus is being asked"),)


def _of(seen: MeterSeen, monitoring: Monitoring) -> Observation:
    file = monitoring.profile.file
    if not seen.state:
        message = (
            "Prometheus has no metrics of the meters: scrape the pods' port metrics, with "
            "the labels namespace and pod"
        )
        return Observation(TYPE, "False", "MeterSilent", message)
    if seen.state == "Absent" and seen.learning is not None:
        return Observation(
            TYPE, "Unknown", "LearningReference", _learned(seen.learning, monitoring)
        )
    if seen.state == "Absent":
        message = f"the model's folder has no {file}; have the trainer write it"
        return Observation(TYPE, "False", "ProfileAbsent", message)
    if seen.state != "Used":
        return Observation(TYPE, "False", "ProfileBroken", f"{file}: {seen.why}")
    is_learned = seen.source == "learned"
    if seen.mismatched:
        message = (
            f"most bodies of the last hour do not fit {file}: name each feature's tensor and "
            "column in it"
        )
        if is_learned:
            message = (
                "most bodies of the last hour do not fit what was learned from the first requests: "
                "have clients ask as they did, or learn anew with a new revision"
            )
        return Observation(TYPE, "False", "ProfileMismatched", message)
    if not seen.counted:
        return Observation(TYPE, "Unknown", "NoData", "no row was counted in the last hour")
    against = "the reference that was learned" if is_learned else "the profile"
    return Observation(TYPE, "True", "Counting", f"values are counted against {against}")


def _learned(found: Learning, monitoring: Monitoring) -> str:
    learn, block = monitoring.profile.learn, monitoring.detection.block_seconds
    if found.text:
        return (
            "a reference was learned; the pods get it from the ConfigMap of their revision's name"
        )
    short = (
        f"; detection.blockSeconds is {block}: learn for as long, or one part of the cycle is held "
        "against all of it"
    )
    return (
        f"there is no {monitoring.profile.file}, so a reference is learned from the first requests:"
        f" {found.percent} % of {learn.rows} rows in {learn.seconds} s at least"
    ) + (short if learn.seconds < block else "")
