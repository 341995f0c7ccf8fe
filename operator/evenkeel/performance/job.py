"""The Job that loads a pod of a revision apart from those that serve."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from evenkeel.api.labels import MANAGED_BY, MANAGER, PERFORMANCE
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.performance import PerformanceProfile
from evenkeel.api.servingruntime import ServingRuntimeSpec
from evenkeel.meta.objects import Manifest
from evenkeel.meta.refusal import Refused
from evenkeel.meta.resources import JOB, Watch
from evenkeel.pods.disruption import NOT_BY_DISRUPTION
from evenkeel.pods.expansion import literal_env
from evenkeel.pods.security import restricted
from evenkeel.serving import meter, warm_up
from evenkeel.serving.children import child
from evenkeel.serving.placeholders import fill
from evenkeel.serving.pod_template import placeholder_values
from evenkeel.serving.port_names import without_port_names
from evenkeel.serving.ports import HTTP, MODEL, port_number
from evenkeel.serving.progress_deadline import progress_deadline
from evenkeel.serving.wanted import Revision

WATCH = Watch(JOB, kept=("activeDeadlineSeconds",))
NAME = "evenkeel-load"
"""The container that loads the others."""
SLACK_SECONDS = 180
"""For the requests before the load, and the end of the pod."""
KEPT_SECONDS = 86400
"""A Job that has ended is there for so long, should anybody want to read its logs."""
RESOURCES: Mapping[str, Any] = {
    "requests": {"cpu": "100m", "memory": "64Mi"},
    "limits": {"memory": "256Mi"},
}
_SCRAPED = "prometheus.io/"
_BESIDE = (meter.NAME, warm_up.NAME)


def load_job(
    md: ModelDeployment,
    wanted: Revision,
    profile: PerformanceProfile,
    name: str,
    runtime: ServingRuntimeSpec,
    image: str,
) -> Manifest | Refused:
    """The Job: the revision's own pod with the load generator in it, which asks it by loopback.

    The revision's containers are native sidecars there, so that the pod ends with the load. It has
    none of the labels by which pods are served, scaled and scraped, and no meter, whose counts
    would pass for clients'. Processes are shared, so that the load generator sees what they take.
    Refuses a revision without a path to ask.
    """
    told = _told(md, wanted, profile, runtime)
    if isinstance(told, Refused):
        return told
    start = progress_deadline(md, wanted.template)
    told += literal_env({"LOAD_START_SECONDS": str(start)})
    annotations = wanted.template["metadata"].get("annotations") or {}
    spec = {
        "backoffLimit": 2,
        "activeDeadlineSeconds": start + profile.duration_seconds + SLACK_SECONDS,
        "ttlSecondsAfterFinished": KEPT_SECONDS,
        "podFailurePolicy": NOT_BY_DISRUPTION,
        "template": {
            "metadata": {
                "labels": {MANAGED_BY: MANAGER, PERFORMANCE: md.metadata.name},
                "annotations": {k: v for k, v in annotations.items() if not k.startswith(_SCRAPED)},
            },
            "spec": _pod(wanted.template["spec"], told, image, meter.metrics_port(runtime)),
        },
    }
    return child(md, JOB.api_version, JOB.kind, name, spec, wanted.name)


def _pod(
    served: Mapping[str, Any], told: list[dict[str, Any]], image: str, scraped: str
) -> dict[str, Any]:
    """The revision's PodSpec in which the load generator is the only container that ends.

    scraped: the port's name by which its metrics would be found.
    """
    pod = copy.deepcopy(dict(served))
    load: dict[str, Any] = {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["load"],
        "env": told,
        "resources": dict(RESOURCES),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {"readOnlyRootFilesystem": True},
    }
    beside = [c for c in pod["containers"] if c.get("name") in _BESIDE]
    if any(variable["name"] == "LOAD_BODY_FILE" for variable in told):
        load["volumeMounts"] = next(c.get("volumeMounts", []) for c in beside)
    served_by = [c for c in pod["containers"] if c not in beside]
    sidecars = [{**without_port_names(c, (scraped,)), "restartPolicy": "Always"} for c in served_by]
    return restricted(
        {
            **pod,
            "initContainers": [*pod.get("initContainers", ()), *sidecars],
            "containers": [load],
            "restartPolicy": "Never",
            "shareProcessNamespace": True,
        }
    )


def _told(
    md: ModelDeployment,
    wanted: Revision,
    profile: PerformanceProfile,
    runtime: ServingRuntimeSpec,
) -> list[dict[str, Any]] | Refused:
    """The load generator's environment; what is not said is as in the warm-up requests."""
    pod = wanted.template["spec"]
    known = _warm_up(pod)
    path = profile.path or (md.spec.warm_up and md.spec.warm_up.path)
    if not path and runtime.warm_up is not None:
        path = fill(runtime.warm_up.path, placeholder_values(md, wanted.name, wanted.target))
    if not path:
        return Refused(
            "MeasurementWithoutPath",
            "the runtime names no path for requests; set performance.path",
        )
    port, server = _served(pod)
    told = {
        "LOAD_URL": f"http://127.0.0.1:{port['containerPort']}{path}",
        "LOAD_READY_PATH": warm_up.ready_path(server, port),
        "LOAD_QUANTILE": profile.latency.quantile,
        "LOAD_LATENCY_SECONDS": profile.latency.seconds,
        "LOAD_MAX_RATE": profile.max_rate,
        "LOAD_DURATION_SECONDS": str(profile.duration_seconds),
    }
    if profile.body is not None:
        told["LOAD_BODY"] = profile.body
        return literal_env(told)
    # They are escaped already.
    of_warm_up = [{**v, "name": f"LOAD_{name}"} for name, v in known.items()]
    return [*literal_env(told), *of_warm_up]


def _warm_up(pod: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The variables of the warm-up's body by what they say, wherever in the pod they are."""
    prefix, said = "WARM_UP_", ("BODY", "BODY_FILE", "CONTENT_TYPE")
    beside = (c for c in pod["containers"] if c.get("name") in _BESIDE)
    variables = {v["name"]: v for c in beside for v in c.get("env", ())}
    return {name: variables[prefix + name] for name in said if prefix + name in variables}


def _served(pod: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The model server's port for HTTP, and its container."""
    spec = dict(pod)
    name = f"{MODEL}{HTTP}" if port_number(spec, f"{MODEL}{HTTP}") is not None else HTTP
    return next(
        (port, container)
        for container in pod["containers"]
        for port in container.get("ports") or ()
        if port.get("name") == name
    )
