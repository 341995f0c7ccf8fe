"""What in a training template would keep its Job from working, found before the Job is made."""

from __future__ import annotations

import re

from evenkeel.api.common import TrainingTemplate

RESERVED = "EVENKEEL_"
_ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")


def problem(training: TrainingTemplate) -> str | None:
    """The first fault with its remedy, or None. The API server checks the pod itself later."""
    pod = training.pod_template.spec
    containers = pod.get("containers")
    if not isinstance(containers, list) or not containers:
        return "training.podTemplate.spec.containers needs the trainer as its first container"
    for container in (*containers, *(pod.get("initContainers") or ())):
        if not isinstance(container, dict) or not isinstance(container.get("env") or [], list):
            return "training.podTemplate.spec: containers must be objects and their env lists"
    if pod.get("restartPolicy", "Never") != "Never":
        return (
            "training.podTemplate.spec.restartPolicy must be Never or left out; "
            "training.retries says how often a failed pod is tried again"
        )
    for name in training.parameters:
        if not _ENV_NAME.fullmatch(name):
            return (
                f"training.parameters: {name!r} cannot be an environment variable: its name needs "
                "letters, digits, hyphens, dots and underscores, no digit first"
            )
        if name.startswith(RESERVED):
            return f"training.parameters: {name!r} begins with {RESERVED}, which is reserved"
    return None
