"""The container that warms the model server of its pod up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.servingruntime import ServingRuntimeSpec
from evenkeel.api.warmup import WarmUp
from evenkeel.meta.refusal import Refused
from evenkeel.pods.expansion import literal_env
from evenkeel.serving.model_files import ModelFiles
from evenkeel.serving.placeholders import fill
from evenkeel.serving.ports import HTTP, free_port

NAME = "warm-up"
BODY_FILE = "warm-up.json"
FIRST_PORT = 8099
"""Of its readiness endpoint, unless the pod has a use for it."""
RESOURCES: Mapping[str, Any] = {
    "requests": {"cpu": "10m", "memory": "32Mi"},
    "limits": {"cpu": "500m", "memory": "64Mi"},
}


def container(
    md: ModelDeployment,
    files: ModelFiles,
    told: dict[str, str] | None,
    image: str,
    drain_seconds: int,
) -> dict[str, Any] | None:
    """The container, not yet aimed at a port (`aimed`); None without spec.warmUp.

    A plain one and no native sidecar: service meshes rewrite its probe like the model server's. It
    stays ready for as long as the model server drains. told: of `environment`.
    """
    wanted = md.spec.warm_up
    if wanted is None or told is None:
        return None
    return {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-m", "evenkeel.sidecars.warm_up"],
        "env": literal_env(told),
        "resources": dict(RESOURCES),
        "lifecycle": {"preStop": {"sleep": {"seconds": drain_seconds}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {"readOnlyRootFilesystem": True},
        **({"volumeMounts": list(files.mounts)} if wanted.body is None else {}),
    }


def environment(
    md: ModelDeployment,
    runtime: ServingRuntimeSpec,
    files: ModelFiles,
    placeholders: Mapping[str, str],
) -> dict[str, str] | Refused | None:
    """What whoever sends the requests is told of them; None without spec.warmUp."""
    wanted = md.spec.warm_up
    if wanted is None:
        return None
    path = wanted.path or (runtime.warm_up and fill(runtime.warm_up.path, placeholders))
    if not path:
        return Refused(
            "WarmUpWithoutPath", "the runtime names no path for warm-up requests; set warmUp.path"
        )
    if wanted.body is None and not files.mounts:
        return Refused(
            "WarmUpWithoutBody",
            "the model is in the runtime's image, where no other container can read a file; give "
            "warmUp.body",
        )
    return _told(wanted, files) | {"WARM_UP_PATH": path}


def _told(wanted: WarmUp, files: ModelFiles) -> dict[str, str]:
    body = (
        {"WARM_UP_BODY_FILE": f"{files.path}/{wanted.body_file or BODY_FILE}"}
        if wanted.body is None
        else {"WARM_UP_BODY": wanted.body}
    )
    return body | {
        "WARM_UP_CONTENT_TYPE": wanted.content_type,
        "WARM_UP_REQUESTS": str(wanted.requests),
        "WARM_UP_CONCURRENCY": str(wanted.concurrency),
        "WARM_UP_TIMEOUT_SECONDS": str(wanted.timeout_seconds),
        "WARM_UP_FAILURE_POLICY": wanted.failure_policy,
    }


def aimed(spec: dict[str, Any], at: int) -> None:
    """Tells the container, if it is there, how the model server (container number `at`) is reached.

    Only once the pod is complete is it known on which port that listens and which port is free.
    """
    own = next((c for c in spec["containers"] if c.get("name") == NAME), None)
    server = spec["containers"][at]
    if own is None or own is server or not server.get("ports"):
        return
    port = next((p for p in server["ports"] if p.get("name") == HTTP), server["ports"][0])
    listen = free_port(spec, FIRST_PORT)
    probe = {"httpGet": {"path": "/ready", "port": listen}, "periodSeconds": 1}
    own.setdefault("readinessProbe", {**probe, "failureThreshold": 1, "timeoutSeconds": 5})
    own["ports"] = [{"name": NAME, "containerPort": listen}]
    told = {
        "WARM_UP_PORT": str(port.get("containerPort")),
        "WARM_UP_LISTEN": str(listen),
        "WARM_UP_READY_PATH": ready_path(server, port),
    }
    own["env"] = [*own.get("env", ()), *literal_env(told)]


def budget(wanted: WarmUp | None) -> int:
    """Seconds that the requests may take if each is answered at the last moment."""
    if wanted is None:
        return 0
    return math.ceil(wanted.requests / wanted.concurrency) * wanted.timeout_seconds


def ready_path(server: Mapping[str, Any], port: Mapping[str, Any]) -> str:
    """The path of the model server's readiness probe on that port, if it has one."""
    get = (server.get("readinessProbe") or {}).get("httpGet") or {}
    same = get.get("port") in (port.get("name"), port.get("containerPort"))
    plain = get.get("scheme", "HTTP") == "HTTP" and "host" not in get
    return str(get.get("path", "/")) if get and same and plain else ""
