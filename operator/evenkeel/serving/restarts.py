"""Pods that are replaced because a person asks for it, without a new revision."""

from __future__ import annotations

from datetime import datetime

from evenkeel.api.labels import RESTART_TIME
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.meta.objects import Manifest
from evenkeel.meta.times import parse


def restarted(md: ModelDeployment, template: Manifest, now: datetime) -> Manifest:
    """The pod template with the time of the restart, once that has come.

    A Deployment replaces its pods when their template changes, as slowly as rollout.maxSurge and
    maxUnavailable say.
    """
    time, moment = md.spec.restart_time, _moment(md)
    if moment is None or moment > now:
        return template
    metadata = template["metadata"]
    annotations = {**(metadata.get("annotations") or {}), RESTART_TIME: time}
    return {**template, "metadata": {**metadata, "annotations": annotations}}


def until_restart(md: ModelDeployment, now: datetime) -> float | None:
    """Seconds until the restart is due; None if it was, or none is asked for."""
    moment = _moment(md)
    left = 0.0 if moment is None else (moment - now).total_seconds()
    return left if left > 0 else None


def _moment(md: ModelDeployment) -> datetime | None:
    """The time; None also for one that no calendar has, such as a leap second."""
    try:
        return None if md.spec.restart_time is None else parse(md.spec.restart_time)
    except ValueError:
        return None
