"""The pod template of a revision: the runtime's containers, the model and the user's overlay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from evenkeel.api.labels import DEPLOYMENT, MANAGED_BY, MANAGER, MODEL, REVISION
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.servingruntime import ServingRuntimeSpec
from evenkeel.api.uri import is_proxied
from evenkeel.meta.objects import Manifest
from evenkeel.meta.refusal import Refused
from evenkeel.pods.expansion import literal_env
from evenkeel.pods.overlay import overlay
from evenkeel.pods.removal import without
from evenkeel.pods.security import restricted
from evenkeel.pods.shape import malformed
from evenkeel.serving import meter, warm_up
from evenkeel.serving.artifact_download import downloaded
from evenkeel.serving.model_files import ModelFiles, model_files
from evenkeel.serving.model_source import Target
from evenkeel.serving.placeholders import fill, unknown
from evenkeel.serving.ports import HTTP, port_number, scraped_at

APP = "app.kubernetes.io/name"
_MODEL_SERVERS = ("model", "kserve-container")
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


@dataclass(frozen=True, slots=True)
class PodSettings:
    """What the operator's settings say about serving pods.

    drain_seconds: a terminating pod goes on serving for this long, until every proxy and gateway
    has seen that its endpoint is gone.
    """

    storage_initializer_image: str
    warm_up_image: str
    meter_image: str
    storage_initializer_resources: Mapping[str, Any] = field(
        default_factory=lambda: {
            "requests": {"cpu": "100m", "memory": "256Mi"},
            "limits": {"memory": "2Gi"},
        }
    )
    drain_seconds: int = 10
    termination_grace_period_seconds: int = 60


def pod_template(
    md: ModelDeployment,
    revision: str,
    target: Target,
    runtime: ServingRuntimeSpec,
    settings: PodSettings,
) -> Manifest | Refused:
    """`{"metadata": ..., "spec": ...}` of a revision's pods.

    Refuses a runtime with unknown placeholders or without a port, a PodSpec of the wrong shape, an
    unusable model URI and the removal of what is not there.
    """
    files = _files(md, revision, target, runtime, settings)
    if isinstance(files, Refused):
        return files
    base = _of_runtime(md, revision, target, runtime, files)
    if isinstance(base, Refused):
        return base
    base = _without_removed(_with_defaults(base, md, settings), md)
    if isinstance(base, Refused):
        return base
    at = _model_server(base.spec["containers"])
    served = _serving(base, at, md, target, files)
    values = {**placeholder_values(md, revision, target), "ModelPath": files.path}
    warmed = warm_up.environment(md, runtime, files, values)
    if isinstance(warmed, Refused):
        return warmed
    told = _Told(revision, target, files, warmed)
    beside = _with_sidecar(served, md, told, settings)
    if isinstance(beside, Refused):
        return beside
    wished = _of_user(beside, md)
    if isinstance(wished, Refused):
        return wished
    if "serviceAccountName" not in wished.spec:
        wished.spec.setdefault("automountServiceAccountToken", False)
    spec = {key: value for key, value in restricted(wished.spec).items() if value != []}
    refused = _reachable(spec, at)
    if refused is not None:
        return refused
    scraped = _scrape(runtime, spec)
    meter.aimed(spec, at, runtime)
    warm_up.aimed(spec, at)
    return {
        "metadata": {
            "labels": {**wished.labels, **pod_labels(md, revision, target)},
            "annotations": {
                **(meter.scrape_annotations(spec, runtime) or scraped),
                **wished.annotations,
            },
        },
        "spec": spec,
    }


class _Parts(NamedTuple):
    """A pod template on its way: the PodSpec, labels and annotations."""

    spec: dict[str, Any]
    labels: dict[str, str]
    annotations: dict[str, str]


class _Told(NamedTuple):
    """What a container beside the model server is told. warm_up: its environment, if any."""

    revision: str
    target: Target
    files: ModelFiles
    warm_up: dict[str, str] | None


def _files(
    md: ModelDeployment,
    revision: str,
    target: Target,
    runtime: ServingRuntimeSpec,
    settings: PodSettings,
) -> ModelFiles | Refused:
    path = fill(runtime.model_mount_path, placeholder_values(md, revision, target))
    if (shown := target.shown) is not None and is_proxied(target.uri):
        storage = md.spec.model.storage
        return downloaded(target.uri, path, shown, storage, settings.warm_up_image)
    return model_files(
        target.uri,
        path,
        md.spec.model.storage,
        settings.storage_initializer_image,
        dict(settings.storage_initializer_resources),
    )


def _of_runtime(
    md: ModelDeployment,
    revision: str,
    target: Target,
    runtime: ServingRuntimeSpec,
    files: ModelFiles,
) -> _Parts | Refused:
    """The runtime's template with its placeholders filled in."""
    values = {**placeholder_values(md, revision, target), "ModelPath": files.path}
    own = {"containers": list(runtime.containers), "volumes": list(runtime.volumes)}
    written = [runtime.pod_spec, own, runtime.labels, runtime.annotations]
    paths = [runtime.model_mount_path, runtime.warm_up.path if runtime.warm_up else ""]
    if (refused := unknown([written, paths], values)) is not None:
        return refused
    pod_spec, own, labels, annotations = fill(written, values)
    base = overlay(pod_spec, own)
    refused = malformed(base, "the runtime's spec")
    return _Parts(base, labels, annotations) if refused is None else refused


def _with_defaults(base: _Parts, md: ModelDeployment, settings: PodSettings) -> _Parts:
    """The template under which what a pod should have anyway lies."""
    asked = 0 if md.spec.monitoring is None else meter.LAST_REQUESTS
    containers = list(base.spec["containers"])
    at = _model_server(containers)
    containers[at] = {
        "lifecycle": {"preStop": {"sleep": {"seconds": settings.drain_seconds + asked}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        **containers[at],
    }
    spec: dict[str, Any] = {
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": settings.termination_grace_period_seconds,
        **base.spec,
        "containers": containers,
    }
    return base._replace(spec=spec)


def _without_removed(base: _Parts, md: ModelDeployment) -> _Parts | Refused:
    """The template without what spec.podTemplate.remove names, before the model's own parts."""
    if md.spec.pod_template is None or not md.spec.pod_template.remove:
        return base
    where = "spec.podTemplate.remove"
    template = {
        "metadata": {"labels": base.labels, "annotations": base.annotations},
        "spec": base.spec,
    }
    left = without(template, md.spec.pod_template.remove, where)
    if isinstance(left, Refused):
        return left
    if (refused := malformed(left["spec"], where)) is not None:
        return refused
    metadata = left["metadata"]
    return _Parts(left["spec"], metadata.get("labels", {}), metadata.get("annotations", {}))


def _serving(
    base: _Parts,
    at: int,
    md: ModelDeployment,
    target: Target,
    files: ModelFiles,
) -> _Parts:
    """The template with the model in its container number `at`, and the spec's scheduling."""
    containers = list(base.spec["containers"])
    containers[at] = _with_model(containers[at], md, target, files)
    spec: dict[str, Any] = {
        **base.spec,
        "containers": containers,
        "volumes": [*base.spec.get("volumes", ()), *files.volumes],
        "initContainers": [*files.init_containers, *base.spec.get("initContainers", ())],
    }
    return base._replace(spec=overlay(spec, _scheduling(md)))


def _with_sidecar(
    served: _Parts, md: ModelDeployment, told: _Told, settings: PodSettings
) -> _Parts | Refused:
    """The template with the meter, or else with the container that warms the model server up."""
    containers, drain = served.spec["containers"], settings.drain_seconds
    files, warmed = told.files, told.warm_up
    added = meter.container(
        md, told.revision, told.target, files, warmed, settings.meter_image, drain
    )
    if added is not None and (refused := meter.name_taken(served.spec)) is not None:
        return refused
    if added is None:
        added = warm_up.container(md, files, warmed, settings.warm_up_image, drain)
    if added is None:
        return served
    volumes = [*served.spec["volumes"], *meter.volumes(md, told.revision)]
    spec = {**served.spec, "containers": [*containers, added], "volumes": volumes}
    return served._replace(spec=spec)


def _of_user(parts: _Parts, md: ModelDeployment) -> _Parts | Refused:
    """The template under spec.podTemplate."""
    wished = md.spec.pod_template
    if wished is None:
        return parts
    spec = overlay(parts.spec, wished.spec)
    if (refused := malformed(spec, "spec.podTemplate.spec")) is not None:
        return refused
    if wished.metadata is None:
        return parts._replace(spec=spec)
    return _Parts(
        spec,
        parts.labels | wished.metadata.labels,
        parts.annotations | wished.metadata.annotations,
    )


def _reachable(spec: dict[str, Any], at: int) -> Refused | None:
    """Sees to a port named http and a readiness probe in the container number `at`."""
    if port_number(spec, HTTP) is None:
        spec["containers"][at] = _with_named_port(spec["containers"][at])
    spec["containers"][at] = _with_readiness(spec["containers"][at])
    if port_number(spec, HTTP) is not None:
        return None
    return Refused(
        "RuntimeWithoutPort",
        f"container {spec['containers'][at].get('name')!r} of the runtime has no port; give "
        "it one named http",
    )


def placeholder_values(md: ModelDeployment, revision: str, target: Target) -> dict[str, str]:
    """Values of the placeholders but for {{.ModelPath}}.

    All but {{.Version}} are equal for all revisions of a model.
    """
    return {
        "Name": md.metadata.name,
        "Namespace": md.metadata.namespace,
        "Model": target.model or md.metadata.name,
        "Version": target.version or target.number or revision,
    }


def pod_labels(md: ModelDeployment, revision: str, target: Target) -> dict[str, str]:
    """The labels that selectors and metrics rely on; nothing overrides them."""
    return {
        APP: md.metadata.name,
        MANAGED_BY: MANAGER,
        DEPLOYMENT: md.metadata.name,
        REVISION: revision,
        MODEL: target.model or md.metadata.name,
    }


def _model_server(containers: list[dict[str, Any]]) -> int:
    names = [container.get("name") for container in containers]
    return next((names.index(name) for name in _MODEL_SERVERS if name in names), 0)


def _with_model(
    container: dict[str, Any],
    md: ModelDeployment,
    target: Target,
    files: ModelFiles,
) -> dict[str, Any]:
    """The model server's container with the model, its environment and its resources."""
    told = {
        "EVENKEEL_MODEL_NAME": md.metadata.name,
        "EVENKEEL_MODEL_PATH": files.path,
        "EVENKEEL_MODEL_VERSION": target.version or target.number,
    }
    served: dict[str, Any] = {
        **container,
        "env": literal_env(told),
    }
    served = overlay(served, {"env": container.get("env", [])})
    wishes: dict[str, Any] = {"env": list(md.spec.env), "volumeMounts": files.mounts}
    if md.spec.resources is not None:
        wishes["resources"] = md.spec.resources
    served = overlay(served, wishes)
    return {key: value for key, value in served.items() if value != []}


def _scheduling(md: ModelDeployment) -> dict[str, Any]:
    wishes = {
        "serviceAccountName": md.spec.service_account_name,
        "nodeSelector": md.spec.node_selector,
        "tolerations": list(md.spec.tolerations),
        "affinity": md.spec.affinity,
    }
    return {key: value for key, value in wishes.items() if value}


def _with_named_port(container: dict[str, Any]) -> dict[str, Any]:
    """The container with its serving port named http, so that one Service fits all revisions."""
    ports = container.get("ports") or []
    if not ports:
        return container
    old = ports[0].get("name")
    renamed = {**container, "ports": [{**ports[0], "name": HTTP}, *ports[1:]]}
    for probe in _PROBES:
        for handler in ("httpGet", "tcpSocket"):
            action = renamed.get(probe, {}).get(handler)
            if action and old and action.get("port") == old:
                renamed[probe] = {**renamed[probe], handler: {**action, "port": HTTP}}
    return renamed


def _with_readiness(container: dict[str, Any]) -> dict[str, Any]:
    """Without any probe a pod would be ready, and get requests, before it listens."""
    ports = container.get("ports") or []
    port = next((p for p in ports if p.get("name") == HTTP), ports[0] if ports else None)
    if port is None:
        return container
    return {"readinessProbe": {"tcpSocket": {"port": port.get("containerPort")}}, **container}


def _scrape(runtime: ServingRuntimeSpec, spec: dict[str, Any]) -> dict[str, str]:
    if runtime.metrics is None:
        return {}
    number = port_number(spec, runtime.metrics.port)
    if number is None:
        number = port_number(spec, HTTP)
    return scraped_at(number, runtime.metrics.path)
