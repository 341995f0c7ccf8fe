"""The Job of a TrainingRun.

Variables come first in the trainer's env, so that the container's own may refer to them. The facts
of the run (EVENKEEL_*) replace variables of the same name; parameters give way to the container's.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from evenkeel.api.cause import Cause
from evenkeel.api.labels import MANAGED_BY, MANAGER, MODEL, RUN, SCHEDULE, owner_reference
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.objects import Manifest
from evenkeel.pods.security import restricted

Json = dict[str, Any]

CAUSE_BYTES = 16384
"""Alerts carry labels without limit; an environment is limited."""


def run_labels(run: TrainingRun) -> dict[str, str]:
    """Labels of the run's Job, pods and ModelVersion."""
    labels = {MANAGED_BY: MANAGER, RUN: run.metadata.name, MODEL: run.spec.model}
    if run.spec.schedule:
        labels[SCHEDULE] = run.spec.schedule
    return labels


def trainer_name(run: TrainingRun) -> str:
    """Name of the container that trains: the first."""
    return str(run.spec.training.pod_template.spec["containers"][0].get("name", ""))


def training_job(run: TrainingRun, champion: ModelVersion | None = None) -> Manifest:
    """The Job; the template must have no `training_template.problem`.

    `champion`: the version in production, for trainers that judge it on the same data.

    It has no time to live of its own: the run deletes it once the result is in its status.
    """
    training, template = run.spec.training, run.spec.training.pod_template
    meta = template.metadata
    spec = copy.deepcopy(template.spec)
    spec["restartPolicy"] = "Never"
    trainer = spec["containers"][0]
    trainer["env"] = _env(run, champion, trainer.get("env") or [])
    # On success only the file counts; on failure the end of the log tells more than nothing.
    trainer.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": run.metadata.name,
            "namespace": run.metadata.namespace,
            "labels": run_labels(run),
            "ownerReferences": [owner_reference(run.kind, run.metadata)],
        },
        "spec": {
            "backoffLimit": training.retries,
            "activeDeadlineSeconds": training.timeout_seconds,
            # A drained or preempted node is not the trainer's failure.
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "Ignore",
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    }
                ]
            },
            "template": {
                "metadata": {
                    "labels": {**(meta.labels if meta else {}), **run_labels(run)},
                    "annotations": dict(meta.annotations) if meta else {},
                },
                "spec": restricted(spec),
            },
        },
    }


def _env(run: TrainingRun, champion: ModelVersion | None, own: list[Json]) -> list[Json]:
    facts = {
        "EVENKEEL_RUN": run.metadata.name,
        "EVENKEEL_MODEL": run.spec.model,
        "EVENKEEL_NAMESPACE": run.metadata.namespace,
        "EVENKEEL_CAUSE": _cause(run.spec.cause),
        "EVENKEEL_PARAMETERS": _compact(run.spec.training.parameters),
    }
    if champion is not None:
        facts["EVENKEEL_CHAMPION"] = champion.metadata.name
        facts["EVENKEEL_CHAMPION_URI"] = champion.spec.uri
    kept = [e for e in own if e.get("name") not in facts]
    taken = {e.get("name") for e in kept}
    parameters = {k: v for k, v in run.spec.training.parameters.items() if k not in taken}
    given = {**facts, **parameters}
    return [{"name": name, "value": _literal(value)} for name, value in given.items()] + kept


def _literal(value: str) -> str:
    """Escaped, since the kubelet expands $(NAME), and an alert's labels must not name a secret."""
    return value.replace("$", "$$")


def _cause(cause: Cause) -> str:
    """The cause as JSON of at most CAUSE_BYTES, with as many of its alerts as fit."""
    text = _compact(cause.wire())
    for kept in range(len(cause.alerts) - 1, -1, -1):
        if len(text.encode()) <= CAUSE_BYTES:
            break
        text = _compact(cause.model_copy(update={"alerts": cause.alerts[:kept]}).wire())
    return text


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
