"""How long the pods of a revision may take to get ready."""

from __future__ import annotations

from typing import Any

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.meta.objects import Manifest
from evenkeel.serving import warm_up
from evenkeel.serving.observed import DEFAULT_DEADLINE

PREPARATION = 300
"""Seconds for what comes before containers start: a node, images, the download of the model,
unless that is said to take longer."""


def progress_deadline(md: ModelDeployment, template: Manifest) -> int:
    """Seconds until pods that are not ready have failed: the user's, or what download and probes
    allow.

    A default that ended before the probes' own patience would take back what only loads slowly.
    """
    wished = md.spec.rollout.progress_deadline_seconds
    return _by_default(md, template) if wished is None else wished


def too_short(md: ModelDeployment, template: Manifest) -> str:
    """What to say of a deadline that the user set and that ends before download and probes may.

    It is no mistake for sure, since whoever knows the model may be less patient than its runtime;
    so it is told and not refused. Empty if there is nothing to say.
    """
    wished, budget = md.spec.rollout.progress_deadline_seconds, _budget(md, template)
    download = md.spec.model.storage.download_seconds
    if wished is None or wished >= budget + download:
        return ""
    before = f"{download} s for the download, and " if download else ""
    return (
        f"rollout.progressDeadlineSeconds is {wished}, but there are {before}{budget} s that the "
        f"pods' probes allow to start; remove it, which gives {_by_default(md, template)}, or "
        "shorten the probes"
    )


def start_up_budget(template: Manifest) -> int:
    """Seconds that the probes of a pod allow from the start of its containers until it is ready.

    Containers start together; init containers that go on running start one after another.
    """
    spec = template["spec"]
    sidecars = [c for c in spec.get("initContainers", ()) if c.get("restartPolicy") == "Always"]
    before = sum(_patience(c.get("startupProbe")) for c in sidecars)
    return before + max(_container(c) for c in spec["containers"])


def _by_default(md: ModelDeployment, template: Manifest) -> int:
    download = md.spec.model.storage.download_seconds
    return max(DEFAULT_DEADLINE, _budget(md, template) + PREPARATION + download)


def _budget(md: ModelDeployment, template: Manifest) -> int:
    """The warm-up begins when the model server is ready."""
    return start_up_budget(template) + warm_up.budget(md.spec.warm_up)


def _container(container: dict[str, Any]) -> int:
    readiness = container.get("readinessProbe")
    until_ready = 0
    if readiness is not None:
        successes = _number(readiness, "successThreshold", 1)
        until_ready = (
            _number(readiness, "initialDelaySeconds", 0)
            + _number(readiness, "periodSeconds", 10) * successes
        )
    return _patience(container.get("startupProbe")) + until_ready


def _patience(probe: dict[str, Any] | None) -> int:
    """Seconds after which a startup probe that never succeeds has its container killed."""
    if probe is None:
        return 0
    period = _number(probe, "periodSeconds", 10)
    return _number(probe, "initialDelaySeconds", 0) + period * _number(probe, "failureThreshold", 3)


def _number(probe: dict[str, Any], field: str, default: int) -> int:
    """As the API server takes it; what is none it refuses later, and zero is unset."""
    value = probe.get(field)
    return value if isinstance(value, int) and value > 0 else default
