"""A revision: one model with one way to serve it. Its name says what went into it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from evenkeel.api.modeldeployment import ModelDeploymentSpec
from evenkeel.api.servingruntime import ServingRuntimeSpec
from evenkeel.api.uri import is_proxied
from evenkeel.meta.model import Model
from evenkeel.meta.names import child_name, digest
from evenkeel.serving.model_source import Target

NAME_LIMIT = 46
"""Longest name of a revision.

Kubernetes cuts a pod's name before its last five characters at 58. The Deployment's name, a dash,
a hash of at most ten characters and a dash must fit, or `{{pods}}` would match nothing.
"""

_RUNTIME_PARTS = {
    "containers",
    "volumes",
    "pod_spec",
    "model_mount_path",
    "labels",
    "annotations",
}
_SPEC_PARTS = {
    "pod_template",
    "resources",
    "env",
    "service_account_name",
    "node_selector",
    "tolerations",
    "affinity",
    "warm_up",
}


_METER_PARTS: Mapping[str, Any] = {
    "profile": True,
    "spacing_milliseconds": True,
    "max_body_bytes": True,
    "resources": True,
    "feedback": {"keys": True, "slices": True},
}
"""Of spec.monitoring what is in the pods."""

_STORAGE_PARTS = {"secret_name", "resources"}
"""Of spec.model.storage the same."""


def revision_name(
    deployment: str, target: Target, runtime: ServingRuntimeSpec, spec: ModelDeploymentSpec
) -> str:
    """`<deployment>-<10 hex digits>`, at most 46 characters; equal inputs give equal names.

    The digest is that of what the user wrote, not of the pods that follow from it: a new version
    of the operator must not roll out every model. For the same reason values equal to the API's
    defaults are left out, since a newer API may have more of them. Replicas, traffic, rollout and
    analysis change without a new revision.
    """
    parts: list[Any] = [
        target.uri,
        target.version,
        target.digest,
        _written(target.format) if target.format else None,
        _written(runtime, _runtime_parts(spec)),
        _written(spec, _SPEC_PARTS) | _monitoring(spec),
        _written(spec.model.storage, _STORAGE_PARTS),
    ]
    if target.registered is not None:
        parts.append(_registered(target))
    elif is_proxied(target.uri):
        parts.append(_shown(target))
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return child_name(deployment, digest(text), NAME_LIMIT)


def _registered(target: Target) -> list[str]:
    """A version is one revision, also where two have the same artefacts: each has a verdict."""
    return [target.number, *_shown(target)]


def _shown(target: Target) -> list[str]:
    shown = target.shown if is_proxied(target.uri) else None
    return [] if shown is None else [shown.secret_name, shown.workspace]


def _runtime_parts(spec: ModelDeploymentSpec) -> set[str]:
    """The runtime's path for warm-up requests counts where it is used."""
    used = spec.warm_up is not None and spec.warm_up.path is None
    return _RUNTIME_PARTS | {"warm_up"} if used else _RUNTIME_PARTS


def _monitoring(spec: ModelDeploymentSpec) -> dict[str, Any]:
    wanted = spec.monitoring
    return {} if wanted is None else {"monitoring": _written(wanted, _METER_PARTS)}


def _written(model: Model, parts: set[str] | Mapping[str, Any] | None = None) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, include=parts, exclude_defaults=True)
