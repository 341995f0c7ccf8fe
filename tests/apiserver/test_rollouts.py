"""Rollouts on a real API server whose pods come late, crash, or have no room."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from evenkeel.kube.client import Client
from evenkeel.meta.resources import POD

from tests.apiserver.test_operating import serving
from tests.support.operating import A, B, C, World, configuration, until

JSON = dict[str, Any]
REVISION = "evenkeel.dev/revision"


async def crashed(w: World, revision: str, restarts: int) -> None:
    """A pod of the revision as its Deployment would make it, and its kubelet's word on it."""
    template = w.ns.get("Deployment", revision)["spec"]["template"]
    meta = {"name": f"{revision}-0", "labels": template["metadata"]["labels"]}
    ended = {
        "exitCode": 3,
        "reason": "Error",
        "message": "cannot allocate 8 GiB",
        "startedAt": "2026-01-31T09:00:00Z",
        "finishedAt": "2026-01-31T09:00:10Z",
    }
    container = {
        "name": "model",
        "ready": True,
        "restartCount": restarts,
        "image": "model",
        "imageID": "",
        "state": {"running": {"startedAt": "2026-01-31T09:01:00Z"}},
        "lastState": {"terminated": ended},
    }
    path = POD.path(w.ns.name)
    spec = {**template["spec"], "serviceAccountName": "default"}
    async with Client(configuration(w.server), field_manager="kubelet") as client:
        await client.request("POST", path, body={"metadata": meta, "spec": spec})
        await client.request(
            "PATCH",
            f"{path}/{revision}-0/status",
            body={"status": {"phase": "Running", "containerStatuses": [container]}},
            content_type="application/merge-patch+json",
        )


async def test_a_crashing_canary_goes_back_and_retry_tries_it_once_more(w: World) -> None:
    w.server.kubectl("create", "serviceaccount", "default", "-n", w.ns.name)
    async with w.operator():
        await serving(w, "fraud")
        w.ns.rollout("fraud", paused=True)
        w.ns.serve("fraud", B)
        await until(lambda: (w.ns.canary("fraud") or {}).get("stage") == "Stepping")
        tried = w.ns.status("fraud")["canary"]["revision"]
        await crashed(w, tried, 3)
        await until(lambda: w.ns.outcomes("fraud") == ["RolledBack CanaryCrashing"])
        last = w.ns.status("fraud")["history"][0]
        assert "exit code 3: cannot allocate 8 GiB" in last["message"]
        assert last["cause"] == "Model"
        w.server.kubectl("delete", "pod", f"{tried}-0", "-n", w.ns.name, "--force")

        w.ns.rollout("fraud", retry="fraud-unknown")
        await until(lambda: steering(w)["status"] == "False")
        w.ns.rollout("fraud", paused=False, retry=tried)
        await until(lambda: w.ns.stable_uri("fraud") == B)
        assert steering(w)["status"] == "True"


def steering(w: World) -> JSON:
    """The condition, or one without a status while there is none."""
    conditions = w.ns.status("fraud")["conditions"]
    found: JSON
    (found,) = [c for c in conditions if c["type"] == "SteeringAccepted"] or [{"status": ""}]
    return found


async def test_stop_first_gives_the_room_back_on_failure(w: World) -> None:
    async with w.operator():
        await serving(w, "fraud")
        stable = w.ns.status("fraud")["stable"]["revision"]
        w.kubelet.broken = lambda revision: revision != stable
        w.ns.rollout("fraud", steps=[], stopFirst=True, progressDeadlineSeconds=4)
        w.ns.serve("fraud", B)
        await until(lambda: w.ns.get("Deployment", stable)["spec"]["replicas"] == 0)
        await until(lambda: w.ns.outcomes("fraud") == ["RolledBack ProgressDeadlineExceeded"])
        await until(lambda: w.ns.get("Deployment", stable)["spec"]["replicas"] == 2)
        assert w.ns.stable_uri("fraud") == A
        w.kubelet.broken = lambda revision: False
        w.ns.rollout("fraud", retry=w.ns.status("fraud")["history"][0]["revision"])
        await until(lambda: w.ns.stable_uri("fraud") == B)


async def test_steering_that_can_do_nothing_is_told(w: World) -> None:
    """An unknown revision, one that was superseded, and the one that serves."""
    async with w.operator():
        await serving(w, "fraud")
        serves = w.ns.status("fraud")["stable"]["revision"]
        w.ns.rollout("fraud", paused=True)
        w.ns.serve("fraud", C)
        await until(lambda: w.ns.canary("fraud"))
        gone = w.ns.status("fraud")["canary"]["revision"]
        w.ns.serve("fraud", B)
        await until(lambda: w.ns.outcomes("fraud") == ["Superseded Superseded"])
        for field in ("promote", "abort", "retry"):
            for named in ("fraud-unknown", gone, serves):
                w.ns.rollout("fraud", **{field: named})
                if (field, named) == ("promote", serves):
                    await until(lambda: steering(w)["status"] == "True")
                    continue
                await until(partial(told, w, f"rollout.{field} names {named},"))
            w.ns.rollout("fraud", **{field: None})
        assert w.ns.stable_uri("fraud") == A
        assert (w.ns.canary("fraud") or {})["stage"] == "Stepping"


def told(w: World, words: str) -> bool:
    """Whether condition and an Event begin with the words."""
    found = steering(w)
    assert (found["status"], found["message"][: len(words)]) == ("False", words)
    items = w.server.http.get(f"/apis/events.k8s.io/v1/namespaces/{w.ns.name}/events").json()
    return any(e["note"].startswith(words) for e in items["items"])


async def test_a_pod_that_is_going_keeps_the_next_revision_waiting(w: World) -> None:
    async with w.operator():
        await serving(w, "fraud")
        stable = w.ns.status("fraud")["stable"]["revision"]
        template = w.ns.get("Deployment", stable)["spec"]["template"]
        meta = {
            "name": "lingering",
            "labels": template["metadata"]["labels"],
            "finalizers": ["example.com/hold"],
        }
        spec = {"containers": [{"name": "model", "image": "model"}]}
        w.server.kubectl("create", "serviceaccount", "default", "-n", w.ns.name)
        path = POD.path(w.ns.name)
        async with Client(configuration(w.server), field_manager="kubelet") as client:
            await client.request("POST", path, body={"metadata": meta, "spec": spec})
            await client.request("DELETE", f"{path}/lingering", body={})
            w.ns.rollout("fraud", steps=[], stopFirst=True, progressDeadlineSeconds=4)
            w.ns.serve("fraud", B)
            await until(lambda: w.ns.get("Deployment", stable)["spec"]["replicas"] == 0)
            await asyncio.sleep(6)
            canary = w.ns.canary("fraud") or {}
            assert (canary["stage"], canary["reason"]) == ("Stopping", "Stopping")
            assert w.ns.get("Deployment", canary["revision"])["spec"]["replicas"] == 0
            await client.request(
                "PATCH",
                f"{path}/lingering",
                body={"metadata": {"finalizers": None}},
                content_type="application/merge-patch+json",
            )
        await until(lambda: w.ns.stable_uri("fraud") == B)
