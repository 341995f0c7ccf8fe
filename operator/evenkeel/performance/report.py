"""What came of a measurement: the load generator's report, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, ValidationError

from evenkeel.api.performance import LatencyBound, Performance, QuantileLatency
from evenkeel.meta.model import Model
from evenkeel.meta.times import parse, timestamp
from evenkeel.performance.job import NAME
from evenkeel.pods.diagnosis import ended, first_diagnosis

Json = Mapping[str, Any]
Figure = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Report(Model):
    """The report of `meter load`."""

    rate: Figure
    limited_by: Annotated[str, Field(max_length=32)] = ""
    latencies: Annotated[dict[str, Figure], Field(max_length=8)] = Field(default_factory=dict)
    alone_seconds: Figure | None = None
    ready_seconds: Figure = 0.0
    memory_bytes: Annotated[int, Field(ge=0)] | None = None
    cores: Figure | None = None
    problem: str = ""


def outcome(
    job: Json, pods: Iterable[Json], bound: LatencyBound, definition: str, now: datetime
) -> Performance | None:
    """The figures, or why there are none; None while the Job goes on. pods: slim ones."""
    own = [pod for pod in pods if _is_of(job, pod)]
    known = Performance(
        definition=definition, time=timestamp(now), latency=bound, reason="MeasurementUnfinished"
    )
    for pod in own:
        if (end := _end(pod)) is not None and end.get("exitCode") == 0:
            return _reported(pod, end, known)
    if (why := _over(job)) is None:
        return None
    words = next((ended(end) for pod in own if (end := _end(pod)) is not None), "")
    words = words or first_diagnosis(own) or "no pod is left; the Job's Events say why"
    return unfinished(known, f"{why}: {words}")


def unfinished(known: Performance, message: str) -> Performance:
    """Without figures, through no fault of the model that is known."""
    return known.model_copy(update={"message": message[:1024]})


def progress(pods: Iterable[Json], job: Json) -> str:
    """How far the measurement is, in words."""
    own = [pod for pod in pods if _is_of(job, pod)]
    if words := first_diagnosis(own):
        return f"the pod to be loaded: {words}"
    loading = (s for pod in own for s in _statuses(pod) if "running" in (s.get("state") or {}))
    since = next((s["state"]["running"].get("startedAt") for s in loading), None)
    return f"under load since {since}" if since else "the pod to be loaded starts"


def _reported(pod: Json, end: Json, known: Performance) -> Performance:
    try:
        report = Report.model_validate_json(end.get("message") or "")
    except ValidationError:
        return unfinished(known, f"the load generator's report cannot be read: {end}")
    figures = {
        "limited_by": report.limited_by,
        "alone_seconds": decimal(report.alone_seconds),
        "cold_start_seconds": _cold_start(pod, end, report),
        "memory_bytes": report.memory_bytes,
    }
    known = known.model_copy(update=figures)
    if not report.rate and report.limited_by != "Latency":
        return _without_rate(known, report)
    found = known.model_copy(
        update={
            "reason": "Measured",
            "rate": decimal(report.rate),
            "cpu": decimal(report.cores),
            "latencies": tuple(
                QuantileLatency(quantile=q, seconds=decimal(s) or "0")
                for q, s in report.latencies.items()
            ),
        }
    )
    return found.model_copy(update={"message": _words(found)[:1024]})


def _without_rate(known: Performance, report: Report) -> Performance:
    """The model server's own fault, or that of time and the load generator."""
    if report.limited_by == "Time":
        return unfinished(known, "no rate kept the latency in time; raise durationSeconds")
    if report.limited_by == "Generator":
        return unfinished(known, "the load generator had too little CPU to send in time")
    failed = {"reason": "MeasurementFailed", "message": report.problem[:1024]}
    return known.model_copy(update=failed)


def _words(found: Performance) -> str:
    bound, rate = found.latency, found.rate or "0"
    assert bound is not None, "a measurement has one"
    share = f"p{float(bound.quantile) * 100:g} within {bound.seconds} s"
    if not float(rate):
        return f"a single request takes {found.alone_seconds or 'more than'} s, not {share}"
    parts = [f"{rate} requests/s a pod at {share}"]
    parts += {
        "MaxRate": ["maxRate, so it may carry more"],
        "Time": ["durationSeconds were over, so it may carry more"],
        "Generator": ["the load generator could send no more"],
        "Failure": ["at more it did not answer any longer"],
    }.get(found.limited_by, [])
    parts += [f"{found.cpu} CPU"] if found.cpu and float(found.cpu) else []
    parts += [f"{found.memory_bytes / 2**20:.0f} MiB"] if found.memory_bytes else []
    parts += [f"cold start {found.cold_start_seconds} s"] if found.cold_start_seconds else []
    return ", ".join(parts)


def decimal(value: float | None) -> str | None:
    """The number with four significant digits and without an exponent."""
    if value is None:
        return None
    if not value:
        return "0"
    digits = 3 - math.floor(math.log10(abs(value)))
    return f"{Decimal(repr(round(value, digits))).normalize():f}"


def _cold_start(pod: Json, end: Json, report: Report) -> str | None:
    """From the pod's creation until its model server was ready, also if that began before."""
    created, started = pod["metadata"].get("creationTimestamp"), end.get("startedAt")
    if not created or not started:
        return None
    return decimal((parse(started) - parse(created)).total_seconds() + report.ready_seconds)


def _over(job: Json) -> str | None:
    """Why a Job has ended; None if it goes on."""
    for condition in (job.get("status") or {}).get("conditions") or ():
        if condition.get("type") in ("Failed", "Complete") and condition.get("status") == "True":
            return str(condition.get("reason") or condition["type"])
    return None


def _is_of(job: Json, pod: Json) -> bool:
    owners = pod["metadata"].get("ownerReferences") or ()
    return any(o.get("uid") == job["metadata"].get("uid") for o in owners)


def _statuses(pod: Json) -> list[Json]:
    statuses: list[Json] = (pod.get("status") or {}).get("containerStatuses") or []
    return [s for s in statuses if s.get("name") == NAME]


def _end(pod: Json) -> Json | None:
    """How the load generator ended, if it has."""
    states = (s.get("state") or {} for s in _statuses(pod))
    return next((state["terminated"] for state in states if "terminated" in state), None)
