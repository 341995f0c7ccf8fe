"""Whose fault a rollback is: the model's own, the infrastructure's or a person's wish."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from evenkeel.api.modeldeployment import ModelDeploymentSpec
from evenkeel.api.modeldeploymentstatus import Cause
from evenkeel.serving.observed import Pods
from evenkeel.verdict.verdict import NO_EVIDENCE

_PODS = ("Unschedulable", "SchedulingGated", "ErrImagePull", "ImagePullBackOff")
_EVIDENCE = (NO_EVIDENCE | {"NoStableTraffic", "TooFewRequests"}) - {"AwaitingConfirmation"}

_QUOTA = "exceeded quota"
_LIMITED = re.compile(r"\b(?:maximum|minimum|limits?|requests?)\b.*\b(?:cpu|memory|storage)\b")
"""What a LimitRange says of a pod."""
_LEAST_NAME = 4
"""Characters of a value that is looked for in a refusal; shorter ones stand there by chance."""
_COMMON = frozenset(
    {"spec", "containers", "initContainers", "name", "image", "env", "value", "volumes", "model"}
    | {"volumeMounts", "mountPath", "resources", "limits", "requests", "securityContext", "type"}
    | {"ports", "metadata", "labels", "annotations", "command", "args", "drop"}
)
"""Words of a pod template that any refusal may have."""


def of_pods(pods: Pods, spec: ModelDeploymentSpec) -> Cause:
    """Of pods that do not get ready; a model that cannot be loaded crashes, or says nothing.

    Pods that the API server does not take are no fault of the model: a quota, Pod Security, a
    LimitRange, an admission webhook. But if what is refused stands in the ModelDeployment itself,
    waiting mends nothing.
    """
    if pods.refused:
        return "Model" if asks_for_it(pods.refused, spec) else "Infrastructure"
    return "Infrastructure" if any(word in pods.diagnosis for word in _PODS) else "Model"


def late(pods: Pods) -> str:
    """The reason of pods that are not ready in time. A full quota is a want of room."""
    refused = pods.refused and _QUOTA not in pods.refused
    return "PodsForbidden" if refused else "ProgressDeadlineExceeded"


def asks_for_it(refusal: str, spec: ModelDeploymentSpec) -> bool:
    """Whether the model's own podTemplate or resources have what the refusal names.

    Pod Security names the fields, a webhook mostly the value. Whatever the model does not say
    comes from the runtime, or from who changes pods on their way.
    """
    if _QUOTA in refusal:
        return False
    if spec.resources is not None and _LIMITED.search(refusal):
        return True
    template = spec.pod_template
    if template is None:
        return False
    return any(
        re.search(rf"(?<![\w.-]){re.escape(word)}(?![\w-])", refusal)
        for word in set(_words(template.wire())) - _COMMON
    )


def _words(part: Any) -> Iterator[str]:
    """Keys and texts of a pod template; a number or a truth is named with its key."""
    if isinstance(part, Mapping):
        yield from part
        for value in part.values():
            yield from _words(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _words(value)
    elif isinstance(part, str) and len(part) >= _LEAST_NAME:
        yield part


def of_undecided(reason: str) -> Cause:
    """Of a verdict that did not come, by its reason: nothing was seen, or not enough."""
    return "Infrastructure" if reason in _EVIDENCE else "Model"
