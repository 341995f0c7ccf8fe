"""Others change the operator's objects too: it keeps its own fields and leaves theirs alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from dev.cluster.ports import free_port
from tests.apiserver.test_faults import send
from tests.apiserver.test_operating import serving
from tests.support import quotas
from tests.support.api_server import ApiServer
from tests.support.operating import World, schedule, until

JSON = dict[str, Any]
LIMITS = """
apiVersion: v1
kind: LimitRange
metadata: {name: l}
spec: {limits: [{type: Container, default: {cpu: 1}, defaultRequest: {cpu: 500m}}]}
"""
MESH = """
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: NAME}
spec:
  reinvocationPolicy: Never
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAME}}
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], resources: [deployments], operations: [CREATE, UPDATE]}
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: >-
        Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{
        terminationGracePeriodSeconds: 77,
        initContainers: [Object.spec.template.spec.initContainers{name: 'mesh-init', image: 'm'}],
        containers: [Object.spec.template.spec.containers{name: 'mesh-proxy', image: 'm'}]}}}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: NAME}
spec: {policyName: NAME}
"""


@pytest.fixture
def mesh(api_server: ApiServer, namespace: str) -> Iterator[None]:
    """Admission that injects containers into Deployments and changes a field of the operator's."""
    text = MESH.replace("NAME", namespace)
    api_server.kubectl("apply", "-f", "-", stdin=text)
    yield
    api_server.kubectl("delete", "-f", "-", stdin=text)


def names(w: World, field: str) -> set[str]:
    """Containers of the model's only Deployment."""
    (made,) = w.ns.all("Deployment")
    return {c["name"] for c in made["spec"]["template"]["spec"].get(field, ())}


async def quiet(w: World) -> None:
    """Nothing is written any more."""
    seen: list[dict[str, str]] = []

    def unchanged() -> bool:
        seen.append(w.ns.versions())
        time.sleep(1)
        return len(seen) > 3 and all(versions == seen[-1] for versions in seen[-4:])

    await until(unchanged, "quiet")


async def test_what_another_puts_into_a_deployment_stays(w: World) -> None:
    w.server.kubectl("apply", "-n", w.ns.name, "-f", "-", stdin=LIMITS)
    async with w.operator():
        await serving(w, "x")
        (made,) = w.ns.all("Deployment")
        proxy = {"containers": [{"name": "proxy", "image": "p"}]}
        added: JSON = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": made["metadata"]["name"], "annotations": {"team": "mesh"}},
            "spec": {"template": {"metadata": {"annotations": {"inject": "yes"}}, "spec": proxy}},
        }
        w.server.kubectl(
            *("apply", "--server-side", "--field-manager=mesh", "-n", w.ns.name, "-f", "-"),
            stdin=yaml.safe_dump(added),
        )
        await quiet(w)
        w.ns.patch("ModelDeployment", "x", {"spec": {"replicas": 3}})
        await until(lambda: w.ns.all("Deployment")[0]["spec"]["replicas"] == 3)
        await quiet(w)
        (kept,) = w.ns.all("Deployment")
        assert names(w, "containers") == {"model", "proxy"}
        assert kept["metadata"]["annotations"]["team"] == "mesh"
        assert kept["spec"]["template"]["metadata"]["annotations"]["inject"] == "yes"


async def test_admission_that_changes_deployments_is_no_fight(w: World, mesh: None) -> None:
    async with w.operator():
        await serving(w, "x")
        (made,) = w.ns.all("Deployment")
        if "mesh-proxy" not in names(w, "containers"):
            # The policy is seen by the API server a moment after it was made.
            await until(lambda: _applied_anew(w))
        await quiet(w)
        (made,) = w.ns.all("Deployment")
        assert made["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 77
        assert names(w, "initContainers") >= {"mesh-init"}
        assert w.ns.ready("x")["status"] == "True"


def _applied_anew(w: World) -> bool:
    replicas = w.ns.get("ModelDeployment", "x")["spec"]["replicas"]
    w.ns.patch("ModelDeployment", "x", {"spec": {"replicas": replicas % 4 + 1}})
    return "mesh-proxy" in names(w, "containers")


async def test_a_quota_on_runs_delays_a_training_and_loses_no_alert(w: World) -> None:
    quotas.impose(w.ns, {"count/trainingruns.evenkeel.dev": "0"})
    w.ns.create(schedule())
    port = free_port()

    def told() -> str:
        return str(w.ns.ready("retrain", "RetrainSchedule").get("message"))

    async with w.operator(webhook_port=port):
        await until(lambda: w.ns.ready("retrain", "RetrainSchedule"))
        sending = asyncio.create_task(send(port, w.alerts(0, 1), most=600))
        await until(lambda: "exceeded quota: q" in told())
        assert "it is tried again by itself" in told()
        quotas.lift(w.ns)
        await until(lambda: len(w.ns.all("TrainingRun")) == 1)
        await sending
        (run,) = w.ns.all("TrainingRun")
        assert run["spec"]["cause"]["alertCount"] == 1
