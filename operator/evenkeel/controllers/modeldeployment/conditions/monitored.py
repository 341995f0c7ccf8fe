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
HEARD_AFTER = 120.0
"""Seconds of readiness after which Prometheus has scraped a meter and was asked: a minute each."""
_UNCOUNTED = {
    "mismatched": (
        "ProfileMismatched",
        "they do not fit the profile; name each feature's tensor and column in it",
    ),
    "too_large": (
        "BodiesTooLarge",
        "they are larger than monitoring.maxBodyBytes; raise it, and the meter's memory with it",
    ),
    "unknown": (
        "BodiesUnknown",
        "they are of no protocol that the meter reads; send JSON with instances (V1) or inputs "
        "(V2), or gRPC of the Open Inference Protocol",
    ),
    "unreadable": (
        "BodiesUnreadable",
        "they break their own protocol; look at what clients send, Content-Type and "
        "Content-Encoding included",
    ),
    "skipped": (
        "BodiesSkipped",
        "the model server answered without success, they have no rows, or the meter could not "
        "keep up; look at the codes of evenkeel_model_requests_total, and raise the cpu of "
        "monitoring.resources",
    ),
}
"""By the meter's word for it the reason and, for people, cause and remedy."""
_UNLIKE_THE_FIRST = (
    "they do not fit what was learned from the first requests; have clients ask as they did, or "
    "learn anew with a new revision"
)


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
        if not seen.state and (message := _unheard(situation)):
            return (Observation(TYPE, "Unknown", "AwaitingMetrics", message),)
        return (_of(seen, md.spec.monitoring),)
    known = find(md.status.conditions, TYPE)
    if known is not None and known.reason != "AwaitingMeter":
        # A process that has just begun to lead knows nothing better yet.
        return (known.observation,)
    return (Observation(TYPE, "Unknown", "AwaitingReference", "Prometheus is being asked"),)


def awaited(situation: Situation) -> float | None:
    """Seconds until silent meters are said to be so; None if nothing is to come by itself."""
    seen = situation.meters.answer if situation.meters is not None else None
    since = situation.pods.ready_since
    if not isinstance(seen, MeterSeen) or seen.state or since is None:
        return None
    left = since + HEARD_AFTER - situation.now.timestamp()
    return left if left > 0 else None


def _unheard(situation: Situation) -> str:
    """Why Prometheus cannot have anything yet; empty if it should have."""
    if not situation.pods.ready:
        return "no pod is ready to be scraped"
    if awaited(situation) is not None:
        return "the pods have just become ready; Prometheus is asked again in a minute"
    return ""


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
    if seen.uncounted in _UNCOUNTED:
        reason, why = _UNCOUNTED[seen.uncounted]
        if is_learned and reason == "ProfileMismatched":
            why = _UNLIKE_THE_FIRST
        message = f"of most bodies of the last hour no value was counted: {why}"
        return Observation(TYPE, "False", reason, message)
    if not seen.counted:
        return Observation(TYPE, "Unknown", "NoData", "no row was counted in the last hour")
    against = "the reference that was learned" if is_learned else "the profile"
    return Observation(TYPE, "True", "Counting", f"values are counted against {against}")


def _learned(found: Learning, monitoring: Monitoring) -> str:
    learn, block = monitoring.profile.learn, monitoring.detection.block_seconds
    if found.text:
        return (
            "a reference was learned; the pods get it from the ConfigMap of their revision's name "
            "within two minutes; if not, delete a ConfigMap of that name that is not of it"
        )
    stuck = "; if it stays so, none can be made of the rows: see the meter's log"
    short = (
        f"; detection.blockSeconds is {block}: learn for as long, or one part of the cycle is held "
        "against all of it"
    )
    return (
        f"there is no {monitoring.profile.file}, so a reference is learned from the first requests:"
        f" {found.percent} % of {learn.rows} rows in {learn.seconds} s at least"
    ) + (stuck if found.percent == 100 else short if learn.seconds < block else "")
