"""The server for labels beside a model on a real API server."""

from __future__ import annotations

from typing import Any

from evenkeel.kube.client import Client
from evenkeel.meta.resources import POD

from tests.apiserver.test_operating import serving
from tests.support.operating import World, configuration, until

JSON = dict[str, Any]
NAME = "fraud-feedback"


def monitored(w: World, **feedback: Any) -> None:
    """The model is monitored, with labels unless None is given."""
    asked = None if feedback == {"gone": True} else {"keys": {"secretName": "k"}, **feedback}
    w.ns.patch("ModelDeployment", "fraud", {"spec": {"monitoring": {"feedback": asked}}})


def there(w: World) -> set[str]:
    """The kinds of its objects that there are."""
    return {k for k in ("Deployment", "Service") for o in w.ns.all(k) if is_named(o)}


def is_named(obj: JSON) -> bool:
    return bool(obj["metadata"]["name"] == NAME)


def told(w: World) -> str:
    return str(w.ns.condition("fraud", "LabelsReady").get("reason"))


async def test_it_comes_changes_and_goes_without_a_new_revision(w: World) -> None:
    async with w.operator():
        await serving(w, "fraud")
        monitored(w)
        await until(lambda: there(w) == {"Deployment", "Service"})
        await until(lambda: told(w) == "LabelsTaken")
        await until(lambda: w.ns.status("fraud")["stable"].get("meter"), "the next revision")
        stable = w.ns.status("fraud")["stable"]["revision"]
        monitored(w, maxAgeSeconds=60)

        def variables() -> JSON:
            (server,) = w.ns.get("Deployment", NAME)["spec"]["template"]["spec"]["containers"]
            return {e["name"]: e["value"] for e in server["env"]}

        await until(lambda: variables()["FEEDBACK_MAX_AGE_SECONDS"] == "60")
        assert w.ns.status("fraud")["stable"]["revision"] == stable
        assert w.ns.canary("fraud") is None
        monitored(w, slices=["region"])
        await until(lambda: w.ns.status("fraud")["stable"]["revision"] != stable)
        monitored(w, gone=True)
        await until(lambda: there(w) == set())
        conditions = {c["type"] for c in w.ns.status("fraud")["conditions"]}
        assert "LabelsReady" not in conditions


async def test_an_object_of_somebody_else_is_left_alone(w: World) -> None:
    spec = {"selector": {"a": "b"}, "ports": [{"port": 1}]}
    theirs = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME}, "spec": spec}
    async with w.operator():
        await serving(w, "fraud")
        w.ns.create(theirs)
        monitored(w)
        await until(lambda: w.ns.ready("fraud").get("reason") == "NameTaken")
        assert w.ns.get("Service", NAME)["spec"]["selector"] == {"a": "b"}


async def test_a_server_without_keys_is_told_of_with_the_remedy(w: World) -> None:
    w.server.kubectl("create", "serviceaccount", "default", "-n", w.ns.name)
    w.kubelet.broken = lambda name: name == NAME
    async with w.operator():
        await serving(w, "fraud")
        monitored(w)
        await until(lambda: told(w) == "FeedbackStarting")
        await runs(w, ready=False)
        await until(lambda: told(w) == "KeysMissing")
        message = w.ns.condition("fraud", "LabelsReady")["message"]
        assert "kubectl create secret generic k " in message
        await waits(w, "ImagePullBackOff")
        await until(lambda: told(w) == "FeedbackUnavailable")
        assert "ImagePullBackOff" in w.ns.condition("fraud", "LabelsReady")["message"]


async def runs(w: World, *, ready: bool) -> None:
    """Its pod, as its Deployment would make it, and the kubelet's word that it runs."""
    template = w.ns.get("Deployment", NAME)["spec"]["template"]
    meta = {"name": f"{NAME}-0", "labels": template["metadata"]["labels"]}
    spec = {**template["spec"], "serviceAccountName": "default"}
    async with Client(configuration(w.server), field_manager="kubelet") as client:
        await client.request("POST", POD.path(w.ns.name), body={"metadata": meta, "spec": spec})
    await says(w, {"running": {"startedAt": "2026-01-31T09:00:00Z"}}, ready=ready)


async def waits(w: World, reason: str) -> None:
    await says(w, {"waiting": {"reason": reason, "message": "no such image"}}, ready=False)


async def says(w: World, state: JSON, *, ready: bool) -> None:
    container = {
        "name": "feedback",
        "ready": ready,
        "restartCount": 0,
        "image": "meter",
        "imageID": "",
        "state": state,
    }
    async with Client(configuration(w.server), field_manager="kubelet") as client:
        await client.request(
            "PATCH",
            f"{POD.path(w.ns.name)}/{NAME}-0/status",
            body={"status": {"phase": "Running", "containerStatuses": [container]}},
            content_type="application/merge-patch+json",
        )


async def test_a_server_that_is_refused_holds_no_rollback_up(w: World) -> None:
    async with w.operator():
        await serving(w, "fraud")
        monitored(w)
        w.ns.rollout("fraud", probation={"seconds": 3600})
        await until(lambda: (w.ns.canary("fraud") or {}).get("stage") == "Probation")
        revision, former = (w.ns.status("fraud")[o]["revision"] for o in ("canary", "stable"))

        def pods() -> int:
            return int(w.ns.get("Deployment", former)["spec"]["replicas"])

        await until(lambda: pods() == 1)
        monitored(w, resources={"limits": {"memory": "much"}})
        await until(lambda: w.ns.condition("fraud", "LabelsReady")["observedGeneration"] > 3)
        w.ns.rollout("fraud", abort=revision)
        await until(lambda: pods() == 2)
        await until(lambda: w.ns.outcomes("fraud")[:1] == ["RolledBack Aborted"])
