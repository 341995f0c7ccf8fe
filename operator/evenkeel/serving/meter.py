"""The meter: the container in front of the model server of its pod that counts its requests.

It takes the ports' names `http` and `grpc`, which Services lead to, and that of the metrics, which
scrape configurations name; the containers that had them keep their ports as `model-http` and so on.
With it there is no container of warm_up.py: it warms the model server up by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.servingruntime import ServingRuntimeSpec
from evenkeel.meta.refusal import Refused
from evenkeel.pods.expansion import literal_env
from evenkeel.serving import division, feedback_keys, learned, warm_up
from evenkeel.serving.model_files import ModelFiles
from evenkeel.serving.model_source import Target
from evenkeel.serving.port_names import without_port_names
from evenkeel.serving.ports import (
    GRPC,
    HTTP,
    METER,
    METRICS,
    free_port,
    port_number,
    scraped_at,
)

NAME = METER
ADMIN_PORT = 8092
REVISION = "METER_REVISION"
"""The variable by which it tells whose requests it counts."""
LISTEN = {HTTP: ("METER_LISTEN", "METER_UPSTREAM", 8090)}
LISTEN |= {GRPC: ("METER_GRPC_LISTEN", "METER_GRPC_UPSTREAM", 8091)}
"""By the port's name the variables of its two ends, and the number unless the pod has a use for
it."""
LAST_REQUESTS = 6
"""Seconds for which the meter takes requests after its own hook at most, so that the model server
has to answer them (meter/internal/sidecar/drain.go)."""
REQUESTS: Mapping[str, Any] = {"cpu": "50m", "memory": "32Mi"}
MEMORY_MIB, BODIES = 256, 32
"""The container's memory limit, and how many of the largest bodies it must hold: the meter looks at
none that is larger than its share (meter/internal/sidecar/memory.go)."""


def container(
    md: ModelDeployment,
    revision: str,
    target: Target,
    files: ModelFiles,
    warmed: Mapping[str, str] | None,
    image: str,
    drain_seconds: int,
) -> dict[str, Any] | None:
    """The container, not yet aimed at a port (`aimed`); None without spec.monitoring.

    A plain one and no native sidecar, as that of warm_up.py. warmed: what it is told of warm-up
    requests, if there are some. It has the model's files, with the reference profile among them; of
    a model in the runtime's image it has none.
    """
    wanted = md.spec.monitoring
    if wanted is None:
        return None
    labels = wanted.feedback
    mounts = [*files.mounts, *learned.mounts(md), division.mount()]
    told: dict[str, str] = {
        "METER_DEPLOYMENT": md.metadata.name,
        REVISION: revision,
        "METER_VERSION": target.version or target.number,
        "METER_MAX_BODY_BYTES": str(wanted.max_body_bytes),
        "METER_SPACING_MILLISECONDS": str(wanted.spacing_milliseconds),
        **({"METER_PROFILE": f"{files.path}/{wanted.profile.file}"} if files.mounts else {}),
        **learned.environment(md),
        **division.environment(),
        **(warmed or {}),
    }
    if labels is not None:
        mounts.append(feedback_keys.mount())
        told["METER_KEYS"] = feedback_keys.PATH
        if labels.slices:
            told["METER_SLICES"] = ",".join(labels.slices)
    return {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "env": literal_env(told),
        "resources": _resources(wanted.max_body_bytes)
        if wanted.resources is None
        else wanted.resources,
        "lifecycle": {"preStop": {"sleep": {"seconds": drain_seconds}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {"readOnlyRootFilesystem": True},
        "volumeMounts": mounts,
    }


def volumes(md: ModelDeployment, revision: str) -> list[dict[str, Any]]:
    """What the container mounts beside the model's files."""
    monitoring = md.spec.monitoring
    if monitoring is None:
        return []
    keys = [] if monitoring.feedback is None else [feedback_keys.volume(monitoring.feedback)]
    return [*learned.volumes(md, revision), *keys, division.volume()]


def _resources(max_body_bytes: int) -> dict[str, Any]:
    memory = max(MEMORY_MIB, -(-BODIES * max_body_bytes // 2**20))
    return {"requests": dict(REQUESTS), "limits": {"memory": f"{memory}Mi"}}


def name_taken(spec: Mapping[str, Any]) -> Refused | None:
    """Refuses a runtime that has a container of the meter's name."""
    everyone = (*spec["containers"], *spec.get("initContainers", ()))
    if all(one.get("name") != NAME for one in everyone):
        return None
    return Refused(
        "MeterNameTaken",
        f"the runtime has a container named {NAME!r}, as that of spec.monitoring is; rename it, or "
        "remove spec.monitoring",
    )


def aimed(spec: dict[str, Any], at: int, runtime: ServingRuntimeSpec) -> None:
    """Puts the container, if it is there, between Services and the model server (number `at`).

    Only once the pod is complete is it known on which ports that listens and which are free.
    """
    own = next((c for c in spec["containers"] if c.get("name") == NAME), None)
    if own is None or own is spec["containers"][at]:
        return
    own["ports"] = []
    served = [(c, p) for c in spec["containers"] for p in c.get("ports") or ()]
    ready_path = next(warm_up.ready_path(c, p) for c, p in served if p.get("name") == HTTP)
    told = {**_runtime_metrics(spec, runtime), "METER_READY_PATH": ready_path}
    for name, (listen, upstream, first) in LISTEN.items():
        if (number := port_number(spec, name)) is not None:
            told |= {upstream: f"127.0.0.1:{number}", listen: f":{_port(spec, own, name, first)}"}
    admin = _port(spec, own, metrics_port(runtime), ADMIN_PORT)
    told["METER_ADMIN_LISTEN"] = f":{admin}"
    for number, other in enumerate(spec["containers"]):
        if other is not own:
            spec["containers"][number] = without_port_names(other, (*LISTEN, metrics_port(runtime)))
    own["env"] = [*own.get("env", ()), *literal_env(told)]
    ready = {"httpGet": {"path": "/ready", "port": admin}, "periodSeconds": 1}
    own.setdefault("readinessProbe", {**ready, "failureThreshold": 1, "timeoutSeconds": 5})
    live = {"httpGet": {"path": "/live", "port": admin}, "timeoutSeconds": 5}
    own.setdefault("livenessProbe", {**live, "failureThreshold": 6})


def scrape_annotations(spec: dict[str, Any], runtime: ServingRuntimeSpec) -> dict[str, str] | None:
    """Those for Prometheus' pod discovery; None without the container."""
    if all(one.get("name") != NAME for one in spec["containers"]):
        return None
    return scraped_at(port_number(spec, metrics_port(runtime)), "/metrics")


def _runtime_metrics(spec: dict[str, Any], runtime: ServingRuntimeSpec) -> dict[str, str]:
    """Where the model server's own metrics are, which Prometheus then gets by the meter."""
    if runtime.metrics is None:
        return {}
    number = port_number(spec, runtime.metrics.port) or port_number(spec, HTTP)
    return {"METER_RUNTIME_METRICS": f"http://127.0.0.1:{number}{runtime.metrics.path}"}


def metrics_port(runtime: ServingRuntimeSpec) -> str:
    """The name by which the pod's metrics are found: all of them are the meter's to give."""
    named = runtime.metrics.port if runtime.metrics is not None else METRICS
    return METRICS if named in LISTEN else named


def _port(spec: dict[str, Any], own: dict[str, Any], name: str, first: int) -> int:
    """A port of that name that nothing in the pod has a use for, added to the container."""
    number = free_port(spec, first)
    own["ports"].append({"name": name, "containerPort": number})
    return number
