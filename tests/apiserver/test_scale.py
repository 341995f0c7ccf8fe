"""A ModelDeployment is scaled from outside by its own name, through all revisions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import yaml
from evenkeel.controllers import rights

from tests.apiserver.test_operating import serving
from tests.support.api_server import ApiServer
from tests.support.controllers import controllers
from tests.support.manifests import manifest
from tests.support.operating import B, World, model_deployment, until
from tests.support.resources import BY_KIND

JSON = dict[str, Any]
MD = BY_KIND["ModelDeployment"]
HPA = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: by-queue}
spec:
  scaleTargetRef: {apiVersion: evenkeel.dev/v1alpha1, kind: ModelDeployment, name: x}
  minReplicas: 5
  maxReplicas: 20
  metrics:
  - type: External
    external: {metric: {name: queue_length}, target: {type: AverageValue, averageValue: "30"}}
"""


def scale(w: World) -> JSON:
    """What KEDA and the HorizontalPodAutoscaler read."""
    path = MD.path(w.ns.name, "x", "scale")
    found: JSON = w.server.http.get(path).raise_for_status().json()
    return found


def put(w: World, replicas: int) -> None:
    """As KEDA and the HorizontalPodAutoscaler write it: read again where a status came between."""
    path = MD.path(w.ns.name, "x", "scale")
    for _ in range(20):
        body = {**scale(w), "spec": {"replicas": replicas}}
        answer = w.server.http.put(path, json=body)
        if answer.status_code != httpx.codes.CONFLICT:
            break
    answer.raise_for_status()


def sizes(w: World) -> dict[str, int]:
    """Wanted pods by Deployment."""
    return {d["metadata"]["name"]: d["spec"]["replicas"] for d in w.ns.all("Deployment")}


async def test_every_way_to_scale_works_before_during_and_after_a_rollout(w: World) -> None:
    async with w.operator():
        await serving(w, "x")
        before = w.ns.status("x")["stable"]["revision"]
        assert scale(w)["spec"] == {"replicas": 2}
        assert scale(w)["status"] == {
            "replicas": 2,
            "selector": "evenkeel.dev/deployment=x",
        }
        put(w, 4)
        await until(lambda: sizes(w) == {before: 4})
        await until(lambda: scale(w)["status"]["replicas"] == 4)

        w.ns.rollout("x", paused=True)
        w.ns.serve("x", B)
        await until(lambda: (w.ns.canary("x") or {}).get("weight") == 25)
        canary = (w.ns.canary("x") or {})["revision"]
        assert sizes(w) == {before: 4, canary: 1}
        w.server.kubectl("scale", "mdep/x", "--replicas=8", "-n", w.ns.name)
        await until(lambda: sizes(w) == {before: 8, canary: 2})
        await until(lambda: scale(w)["status"]["replicas"] == 10)

        w.ns.rollout("x", paused=False)
        await until(lambda: w.ns.stable_uri("x") == B)
        await until(lambda: sizes(w) == {canary: 8})
        put(w, 3)
        await until(lambda: sizes(w) == {canary: 3})
        assert scale(w)["status"]["selector"] == "evenkeel.dev/deployment=x"


async def test_the_selector_finds_the_pods_of_all_revisions(w: World) -> None:
    async with w.operator():
        await serving(w, "x")
        w.ns.rollout("x", paused=True)
        w.ns.serve("x", B)
        await until(lambda: (w.ns.canary("x") or {}).get("weight") == 25)
        key, _, value = scale(w)["status"]["selector"].partition("=")
        for made in w.ns.all("Deployment"):
            assert made["spec"]["template"]["metadata"]["labels"][key] == value


async def test_scaled_to_zero_and_back_in_mid_rollout(w: World) -> None:
    """As KEDA does it: nothing is lost, judged or promoted meanwhile."""
    async with w.operator():
        await serving(w, "x")
        w.ns.rollout("x", paused=True)
        w.ns.serve("x", B)
        await until(lambda: (w.ns.canary("x") or {}).get("weight") == 25)
        put(w, 0)
        await until(lambda: set(sizes(w).values()) == {0})
        await until(lambda: scale(w)["status"]["replicas"] == 0)
        w.ns.rollout("x", paused=False)
        await until(lambda: (w.ns.canary("x") or {}).get("reason") == "ScaledToZero")
        assert w.ns.outcomes("x") == []
        put(w, 2)
        await until(lambda: w.ns.stable_uri("x") == B)
        assert w.ns.outcomes("x") == ["Promoted AllIndicatorsPass"]


async def test_an_autoscaler_on_the_model_is_followed(w: World, tmp_path: Path) -> None:
    with controllers(w.server, tmp_path, "horizontal-pod-autoscaler-controller"):
        async with w.operator():
            await serving(w, "x")
            w.server.kubectl("apply", "-n", w.ns.name, "-f", "-", stdin=HPA)
            await until(lambda: set(sizes(w).values()) == {5})
            w.ns.serve("x", B)
            await until(lambda: w.ns.stable_uri("x") == B)
            w.ns.patch("HorizontalPodAutoscaler", "by-queue", {"spec": {"minReplicas": 6}})
            await until(lambda: list(sizes(w).values()) == [6])
            put(w, 0)
            await until(lambda: list(sizes(w).values()) == [0])


def test_kubernetes_own_autoscaler_has_the_right(api_server: ApiServer, namespace: str) -> None:
    account = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
    for verb in ("get", "update"):
        words = ("auth", "can-i", verb, "modeldeployments.evenkeel.dev/x", "--subresource=scale")
        done = api_server.kubectl(*words, f"--as={account}", "-n", namespace, check=False)
        assert done.stdout.strip() == "yes"


def applied(w: World, made: JSON, *, manager: str = "gitops") -> None:
    text = yaml.safe_dump(made)
    arguments = ("--server-side", f"--field-manager={manager}", "-n", w.ns.name, "-f", "-")
    w.server.kubectl("apply", *arguments, stdin=text)


async def test_what_an_autoscaler_holds_stays_when_git_says_nothing_any_more(w: World) -> None:
    made = model_deployment("x")
    applied(w, made)
    async with w.operator():
        await until(lambda: w.ns.ready("x").get("status") == "True")
        put(w, 7)
        await until(lambda: list(sizes(w).values()) == [7])
        del made["spec"]["replicas"]
        applied(w, made)
        assert scale(w)["spec"]["replicas"] == 7
        made["spec"]["rollout"]["scaleDownDelaySeconds"] = 2
        applied(w, made)
        assert (scale(w)["spec"]["replicas"], list(sizes(w).values())) == (7, [7])


def test_a_number_in_git_meets_the_autoscaler_s_as_a_conflict(
    api_server: ApiServer, namespace: str
) -> None:
    w = World(api_server, namespace)
    made = model_deployment("x")
    applied(w, made)
    put(w, 7)
    done = api_server.kubectl(
        *("apply", "--server-side", "--field-manager=gitops", "-n", namespace, "-f", "-"),
        stdin=yaml.safe_dump(made),
        check=False,
    )
    assert "conflict" in done.stderr
    assert ".spec.replicas" in done.stderr


def test_with_autoscaling_of_its_own_a_model_is_not_scaled_from_outside(
    api_server: ApiServer, namespace: str
) -> None:
    w = World(api_server, namespace)
    made = manifest("ModelDeployment", "{replicas: 3, autoscaling: {maxReplicas: 9}}", "x")
    w.ns.create(made)
    for words in (("scale", "mdep/x", "--replicas=5"), ("scale", "mdep/x", "--replicas=0")):
        done = api_server.kubectl(*words, "-n", namespace, check=False)
        assert "autoscaling" in done.stderr
        assert done.returncode != 0
    refused = api_server.patch("ModelDeployment", namespace, "x", {"spec": {"replicas": 5}})
    assert "change its minReplicas or maxReplicas" in refused.text
    w.ns.patch("ModelDeployment", "x", {"spec": {"replicas": None}})
    assert w.ns.get("ModelDeployment", "x")["spec"]["replicas"] == 1
    w.ns.patch("ModelDeployment", "x", {"spec": {"replicas": 4, "autoscaling": None}})
    put(w, 5)


def test_people_who_may_edit_a_namespace_may_scale_in_it(
    api_server: ApiServer, namespace: str
) -> None:
    w = World(api_server, namespace)
    w.ns.create(model_deployment("x"))
    for user, rules in (("editor", rights.view() + rights.edit()), ("viewer", rights.view())):
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": user, "namespace": namespace},
            "rules": rules,
        }
        api_server.kubectl("apply", "-f", "-", stdin=json.dumps(role))
        bound = (f"--role={user}", f"--user={user}", "-n", namespace)
        api_server.kubectl("create", "rolebinding", user, *bound)
    words = ("scale", "mdep/x", "--replicas=3", "-n", namespace)
    allowed, refused = (
        api_server.kubectl(*words, kubeconfig=api_server.kubeconfig_for(user), check=False)
        for user in ("editor", "viewer")
    )
    assert (allowed.returncode, allowed.stderr) == (0, "")
    assert "modeldeployments/scale" in refused.stderr
