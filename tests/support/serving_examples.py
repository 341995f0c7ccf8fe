"""Small ModelDeployments and runtimes for the tests of what serves a model."""

from __future__ import annotations

from typing import Any

from evenkeel.api import ClusterServingRuntime, ModelDeployment, ServingRuntime
from evenkeel.api.servingruntime import ServingRuntimeSpec
from evenkeel.serving.model_source import Target
from evenkeel.serving.pod_template import PodSettings, pod_template

SETTINGS = PodSettings(
    storage_initializer_image="example.test/storage-initializer:1",
    warm_up_image="example.test/operator:1",
    meter_image="example.test/meter:1",
)
TARGET = Target("s3://models/fraud/7", version="fraud-7", model="fraud")
REVISION = "fraud-0123456789"


def model_deployment(name: str = "fraud", **spec: Any) -> ModelDeployment:
    """A ModelDeployment whose spec is given in camelCase, as on the wire."""
    return ModelDeployment.model_validate(
        {
            "metadata": {"name": name, "namespace": "shop", "uid": "0-1-2"},
            "spec": {"model": {"uri": TARGET.uri, "format": {"name": "sklearn"}}, **spec},
        }
    )


def runtime_spec(**spec: Any) -> ServingRuntimeSpec:
    """A runtime with one container that listens on 8080, in camelCase."""
    container = {
        "name": "server",
        "image": "example.test/server:1",
        "args": ["--name={{.Name}}", "--model={{.ModelPath}}"],
        "ports": [{"name": "http", "containerPort": 8080}],
    }
    return ServingRuntimeSpec.model_validate({"containers": [container], **spec})


def _runtime(kind: Any, name: str, spec: dict[str, Any]) -> Any:
    return kind(metadata={"name": name}, spec=runtime_spec(**spec))


def serving_runtime(name: str, **spec: Any) -> ServingRuntime:
    """A runtime of the namespace."""
    runtime: ServingRuntime = _runtime(ServingRuntime, name, spec)
    return runtime


def cluster_runtime(name: str, **spec: Any) -> ClusterServingRuntime:
    """A runtime of the cluster."""
    runtime: ClusterServingRuntime = _runtime(ClusterServingRuntime, name, spec)
    return runtime


def built(
    md: ModelDeployment | None = None,
    runtime: ServingRuntimeSpec | None = None,
    target: Target = TARGET,
    revision: str = REVISION,
) -> dict[str, Any]:
    """The pod template; fails if it is refused."""
    template = pod_template(
        md or model_deployment(), revision, target, runtime or runtime_spec(), SETTINGS
    )
    assert isinstance(template, dict), template
    return template


def assert_owned(child: dict[str, Any]) -> None:
    """It belongs to the example's ModelDeployment, and says so."""
    metadata = child["metadata"]
    assert metadata["namespace"] == "shop"
    assert metadata["labels"]["app.kubernetes.io/managed-by"] == "evenkeel"
    assert metadata["labels"]["evenkeel.dev/deployment"] == "fraud"
    (owner,) = metadata["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == (
        "ModelDeployment",
        "fraud",
        "0-1-2",
        True,
    )
