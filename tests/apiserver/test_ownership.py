"""Objects of others are left alone, whatever they are called; the operator's own are kept."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from evenkeel.api import RetrainSchedule, TrainingRun
from evenkeel.retraining.runs import alert_run_name
from evenkeel.training.record import version_name

from dev.cluster import binaries
from tests.support.api_server import ApiServer
from tests.support.manifests import manifest
from tests.support.operating import (
    B,
    World,
    alerts,
    model_deployment,
    schedule,
    until,
    world,
)
from tests.support.resources import BY_KIND
from tests.support.training_pods import COMPLETE

JSON = dict[str, Any]
NAME = "payments"
GATEWAY = "traffic: {gateway: {parentRefs: [{name: gw}]}}"
CHILDREN = f"{{autoscaling: {{maxReplicas: 3}}, disruptionBudget: {{minAvailable: 1}}, {GATEWAY}}}"
TEMPLATE = {
    "metadata": {"labels": {"app": "theirs"}},
    "spec": {"containers": [{"name": "theirs", "image": "theirs"}]},
}
SELECTOR = {"matchLabels": {"app": "theirs"}}
SPECS: dict[str, JSON] = {
    "Service": {
        "type": "LoadBalancer",
        "selector": {"app": "theirs"},
        "ports": [{"name": "https", "port": 443}, {"name": "http", "port": 80}],
    },
    "Deployment": {"selector": SELECTOR, "template": TEMPLATE},
    "PodDisruptionBudget": {"minAvailable": 2, "selector": SELECTOR},
    "HorizontalPodAutoscaler": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "theirs"},
        "maxReplicas": 9,
    },
    "HTTPRoute": {"parentRefs": [{"name": "theirs"}]},
}


@pytest.fixture(scope="module")
def with_gateway_api(api_server: ApiServer) -> None:
    crds = binaries.module_file_dir("sigs.k8s.io/gateway-api") / "config" / "crd" / "standard"
    api_server.kubectl("apply", "--server-side", "-f", str(crds))
    route = "crd/httproutes.gateway.networking.k8s.io"
    api_server.kubectl("wait", "--for=condition=Established", "--timeout=60s", route)


@pytest.fixture
async def w(api_server: ApiServer, namespace: str, with_gateway_api: None) -> AsyncIterator[World]:
    async with world(api_server, namespace) as made:
        yield made


def foreign(kind: str, name: str = NAME, **meta: Any) -> JSON:
    return {
        "apiVersion": BY_KIND[kind].api_version,
        "kind": kind,
        "metadata": {"name": name, "labels": {"app": "theirs"}, **meta},
        "spec": copy.deepcopy(SPECS[kind]),
    }


def bare(obj: JSON) -> JSON:
    """All of it, but for what the stand-in for a kubelet writes."""
    meta = {k: v for k, v in obj["metadata"].items() if k != "resourceVersion"}
    if obj["kind"] != "Deployment":
        return obj
    written = [e for e in meta["managedFields"] if "subresource" not in e]
    return {**obj, "status": {}, "metadata": {**meta, "managedFields": written}}


def controller(kind: str, name: str, uid: str = "0-1-2") -> list[JSON]:
    api_version = "evenkeel.dev/v1alpha1" if kind == "ModelDeployment" else "example.com/v1"
    of = {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid}
    return [{**of, "controller": True}]


def reason(w: World, name: str = NAME, kind: str = "ModelDeployment") -> str:
    return str(w.ns.ready(name, kind).get("reason", ""))


def message(w: World, name: str = NAME, kind: str = "ModelDeployment") -> str:
    return str(w.ns.ready(name, kind)["message"])


def delete(w: World, kind: str, name: str, propagation: str = "Background") -> None:
    path = BY_KIND[kind].path(w.ns.name, name)
    w.ns.server.http.delete(path, params={"propagationPolicy": propagation}).raise_for_status()


async def serves(w: World, name: str = NAME) -> None:
    await until(lambda: reason(w, name) in ("Serving", "RouteNotAccepted"), f"{name} serves")


async def revision_of(w: World, more: str = "{}") -> str:
    """The revision that the example would have."""
    async with w.operator():
        w.ns.create(model_deployment(NAME, more=more))
        await until(lambda: w.ns.status(NAME)["stable"])
        found = str(w.ns.status(NAME)["stable"]["revision"])
        w.ns.server.kubectl("-n", w.ns.name, "delete", "mdep", NAME)
    for kind in SPECS:
        for obj in w.ns.all(kind):
            delete(w, kind, obj["metadata"]["name"])
    return found


@pytest.mark.parametrize("kind", SPECS)
async def test_an_object_of_another_stays_as_it_is(w: World, kind: str) -> None:
    """And nothing else is made, so that no pod starts; once it is gone, the model serves."""
    name = await revision_of(w, CHILDREN) if kind == "Deployment" else NAME
    theirs = w.ns.create(foreign(kind, name))
    async with w.operator():
        w.ns.create(model_deployment(NAME, more=CHILDREN))
        await until(lambda: reason(w) == "NameTaken")
        assert f"{kind} {name}" in message(w)
        assert "evenkeel.dev/adopt" in message(w)
        await asyncio.sleep(1)
        assert bare(w.ns.get(kind, name)) == bare(theirs)
        uid = theirs["metadata"]["uid"]
        made = [o for k in SPECS for o in w.ns.all(k) if o["metadata"]["uid"] != uid]
        assert made == []
        delete(w, kind, name)
        await serves(w)
        assert {k for k in SPECS if w.ns.all(k)} == set(SPECS)


@pytest.mark.parametrize("kind", SPECS)
async def test_who_controls_it_is_told(w: World, kind: str) -> None:
    name = await revision_of(w, CHILDREN) if kind == "Deployment" else NAME
    labels = {"evenkeel.dev/deployment": NAME, "app.kubernetes.io/managed-by": "evenkeel"}
    of = controller("Shop", "checkout")
    theirs = w.ns.create(foreign(kind, name, labels=labels, ownerReferences=of))
    async with w.operator():
        w.ns.create(model_deployment(NAME, more=CHILDREN))
        await until(lambda: reason(w) == "NameTaken")
        assert f"{kind} {name} exists and belongs to Shop checkout" in message(w)
        assert bare(w.ns.get(kind, name)) == bare(theirs)


@pytest.mark.parametrize("kind", SPECS)
async def test_one_that_comes_between_look_and_write_stays(w: World, kind: str) -> None:
    name = await revision_of(w, CHILDREN) if kind == "Deployment" else NAME
    path, made = BY_KIND[kind].path(w.ns.name, name), []

    def come(method: str, at: str) -> None:
        if (method, at) == ("PATCH", path) and not made:
            made.append(w.ns.create(foreign(kind, name)))

    w.wire.fault = come
    async with w.operator(wired=True):
        w.ns.create(model_deployment(NAME, more=CHILDREN))
        await until(lambda: reason(w) == "NameTaken")
        assert bare(w.ns.get(kind, name)) == bare(made[0])
        delete(w, kind, name)
        await serves(w)


async def test_a_name_that_is_lost_later_stops_no_trial(w: World) -> None:
    """A new field asks for an object of another: what serves goes on, the bad canary goes back."""
    w.ns.create(foreign("PodDisruptionBudget"))
    async with w.operator():
        w.ns.create(model_deployment(NAME))
        await serves(w)
        stable = w.ns.status(NAME)["stable"]["revision"]
        w.counters.bad = lambda revision: 0.0 if revision == stable else 0.5
        w.ns.rollout(NAME, paused=True)
        w.ns.serve(NAME, B)
        await until(lambda: w.ns.canary(NAME))
        w.ns.patch("ModelDeployment", NAME, {"spec": {"disruptionBudget": {"minAvailable": 1}}})
        await until(lambda: reason(w) == "NameTaken")
        w.ns.rollout(NAME, paused=False)
        await until(lambda: w.ns.outcomes(NAME) == ["RolledBack WorseThanStable"])
        await until(lambda: w.ns.revisions(NAME) == [stable])


async def test_handed_over_on_purpose_it_is_taken(w: World) -> None:
    w.ns.create(foreign("Service"))
    async with w.operator():
        w.ns.create(model_deployment(NAME))
        await until(lambda: reason(w) == "NameTaken")
        w.ns.patch(
            "Service", NAME, {"metadata": {"annotations": {"evenkeel.dev/adopt": "another"}}}
        )
        await asyncio.sleep(3)
        assert reason(w) == "NameTaken"
        w.ns.patch("Service", NAME, {"metadata": {"annotations": {"evenkeel.dev/adopt": NAME}}})
        await serves(w)
        taken = w.ns.get("Service", NAME)
        assert taken["metadata"]["ownerReferences"][0]["name"] == NAME
        assert taken["spec"]["selector"]["evenkeel.dev/deployment"] == NAME


async def test_what_is_controlled_cannot_be_handed_over(w: World) -> None:
    handed = {"evenkeel.dev/adopt": NAME}
    of = controller("Shop", "checkout")
    theirs = w.ns.create(foreign("Service", annotations=handed, ownerReferences=of))
    async with w.operator():
        w.ns.create(model_deployment(NAME))
        await until(lambda: reason(w) == "NameTaken")
        assert w.ns.get("Service", NAME) == theirs


async def test_children_of_a_former_namesake_are_waited_for(w: World) -> None:
    """The garbage collector has not yet come by; nobody is blamed."""
    theirs = w.ns.create(
        foreign("Service", ownerReferences=controller("ModelDeployment", NAME, "of-old"))
    )
    async with w.operator():
        w.ns.create(model_deployment(NAME))
        await until(lambda: reason(w) == "AwaitingGarbageCollection")
        assert w.ns.ready(NAME)["status"] == "Unknown"
        assert w.ns.get("Service", NAME) == theirs
        assert w.ns.all("Deployment") == []
        delete(w, "Service", NAME)
        await serves(w)


async def test_orphans_of_a_former_namesake_serve_on(w: World) -> None:
    """kubectl delete --cascade=orphan, then the same again: no pod is started anew."""
    async with w.operator():
        w.ns.create(model_deployment(NAME))
        await serves(w)
        before = {k: w.ns.all(k)[0]["metadata"]["uid"] for k in ("Deployment", "Service")}
        w.ns.server.kubectl("-n", w.ns.name, "delete", "mdep", NAME)
        for kind in before:
            # As the garbage collector does it.
            name = w.ns.all(kind)[0]["metadata"]["name"]
            w.ns.patch(kind, name, {"metadata": {"ownerReferences": None}})
        w.ns.create(model_deployment(NAME))
        await serves(w)
        assert {k: w.ns.all(k)[0]["metadata"]["uid"] for k in before} == before
        uid = w.ns.get("ModelDeployment", NAME)["metadata"]["uid"]
        for kind in before:
            (owner,) = w.ns.all(kind)[0]["metadata"]["ownerReferences"]
            assert owner["uid"] == uid


async def test_children_without_their_labels_get_them_back(w: World) -> None:
    """They are the model's own: nothing is made twice, and a trial goes on."""
    async with w.operator():
        w.ns.create(model_deployment(NAME))
        await serves(w)
        w.ns.rollout(NAME, paused=True)
        w.ns.serve(NAME, B)
        await until(lambda: (w.ns.canary(NAME) or {}).get("weight") == 25)
        before = {
            (k, o["metadata"]["name"]): (o["metadata"]["uid"], o["metadata"]["labels"])
            for k in ("Deployment", "Service")
            for o in w.ns.all(k)
        }
        for kind, name in before:
            w.ns.patch(kind, name, {"metadata": {"labels": None}})

        def restored() -> bool:
            return before == {
                (k, o["metadata"]["name"]): (o["metadata"]["uid"], o["metadata"].get("labels"))
                for k in ("Deployment", "Service")
                for o in w.ns.all(k)
            }

        await until(restored)
        assert w.ns.outcomes(NAME) == []
        w.ns.rollout(NAME, paused=False)
        await until(lambda: w.ns.stable_uri(NAME) == B)


async def test_while_it_is_being_deleted_nothing_is_made_anew(w: World) -> None:
    """Foreground deletion: it is there until its children are gone."""
    async with w.operator():
        w.ns.create(model_deployment(NAME))
        await serves(w)
        path = BY_KIND["ModelDeployment"].path(w.ns.name, NAME)
        query = {"propagationPolicy": "Foreground"}
        w.ns.server.http.delete(path, params=query).raise_for_status()
        for kind in ("Deployment", "Service"):
            delete(w, kind, w.ns.all(kind)[0]["metadata"]["name"])
        await asyncio.sleep(1.5)
        assert w.ns.get("ModelDeployment", NAME)["metadata"]["deletionTimestamp"]
        assert [*w.ns.all("Deployment"), *w.ns.all("Service")] == []


async def test_a_child_that_is_being_deleted_comes_back_once_it_is_gone(w: World) -> None:
    async with w.operator():
        w.ns.create(model_deployment(NAME))
        await serves(w)
        old = w.ns.get("Service", NAME)
        w.ns.patch("Service", NAME, {"metadata": {"finalizers": ["example.com/wait"]}})
        delete(w, "Service", NAME)
        await asyncio.sleep(1)
        assert w.ns.get("Service", NAME)["metadata"]["uid"] == old["metadata"]["uid"]
        w.ns.patch("Service", NAME, {"metadata": {"finalizers": None}})
        await until(lambda: [o["metadata"]["uid"] for o in w.ns.all("Service")])
        await until(lambda: w.ns.get("Service", NAME)["metadata"]["uid"] != old["metadata"]["uid"])


async def test_two_operators_of_one_namespace_do_not_fight(w: World) -> None:
    async with w.operator(leader_election=False), w.operator(leader_election=False):
        for name in ("one", "two", "three"):
            w.ns.create(model_deployment(name))
        for name in ("one", "two", "three"):
            await serves(w, name)
            w.ns.serve(name, B)
        for name in ("one", "two", "three"):
            await until(lambda name=name: w.ns.stable_uri(name) == B)  # type: ignore[misc]
            await until(lambda name=name: len(w.ns.revisions(name)) == 1)  # type: ignore[misc]
            assert w.ns.outcomes(name) == ["Promoted AllIndicatorsPass"]
        await asyncio.sleep(1)
        before = w.ns.versions()
        await asyncio.sleep(2)
        assert w.ns.versions() == before


async def test_two_operators_with_other_settings_answer_each_other_ever_more_seldom(
    w: World,
) -> None:
    """Each would write the Deployment as it has it, for ever."""
    one = w.operator(wired=True, leader_election=False, storage_initializer_image="example.test/1")
    two = w.operator(wired=True, leader_election=False, storage_initializer_image="example.test/2")
    async with one, two:
        w.ns.create(model_deployment(NAME))
        await serves(w)
        path = BY_KIND["Deployment"].path(w.ns.name, w.ns.all("Deployment")[0]["metadata"]["name"])
        await asyncio.sleep(5)
        assert w.wire.requests.count(f"PATCH {path}") < 12
        await until(lambda: [e for e in w.ns.all("Event") if e["reason"] == "Contested"])


async def test_children_of_a_namesake_that_is_gone_serve_on(w: World) -> None:
    """Deleted and created again before the garbage collector has come by, or restored."""
    async with w.operator():
        w.ns.create(model_deployment(NAME))
        await serves(w)
        before = {k: w.ns.all(k)[0]["metadata"]["uid"] for k in ("Deployment", "Service")}
        w.ns.server.kubectl("-n", w.ns.name, "delete", "mdep", NAME)
        w.ns.create(model_deployment(NAME))
        await serves(w)
        uid = w.ns.get("ModelDeployment", NAME)["metadata"]["uid"]

        def taken() -> bool:
            found = {k: w.ns.all(k)[0]["metadata"] for k in before}
            assert {k: m["uid"] for k, m in found.items()} == before
            return all([o["uid"] for o in m["ownerReferences"]] == [uid] for m in found.values())

        await until(taken)


async def test_a_copy_of_a_child_is_left_alone(w: World) -> None:
    """Somebody tries something out on it; it has all labels and annotations, and no owner."""
    async with w.operator():
        w.ns.create(model_deployment(NAME))
        await serves(w)
        child = w.ns.get("Deployment", w.ns.revisions(NAME)[0])
        meta = {k: child["metadata"][k] for k in ("labels", "annotations")}
        copied = {**child, "metadata": {**meta, "name": "try-out"}}
        del copied["status"]
        made = w.ns.create(copied)
        w.ns.serve(NAME, B)
        await until(lambda: w.ns.stable_uri(NAME) == B)
        await until(lambda: len(w.ns.revisions(NAME)) == 2)
        assert bare(w.ns.get("Deployment", "try-out")) == bare(made)


async def test_a_job_of_another_is_no_training(w: World) -> None:
    async with w.operator():
        run = manifest("TrainingRun", "", "nightly")
        theirs = foreign_job("nightly")
        made = w.ns.create(theirs)
        w.ns.create(run)
        await until(lambda: reason(w, "nightly", "TrainingRun") == "JobConflict")
        assert w.ns.get("Job", "nightly") == made


async def test_a_run_of_another_answers_no_alert(w: World) -> None:
    """It has the very name that the schedule's next run would have."""
    w.ns.create(schedule())
    of = RetrainSchedule.model_validate(w.ns.get("RetrainSchedule", "retrain"))
    name = alert_run_name(of, "")
    theirs = w.ns.create(manifest("TrainingRun", "", name))
    async with w.operator() as operator:
        port = operator._settings.webhook_port
        await until(lambda: w.ns.ready("retrain", "RetrainSchedule"))
        assert await sent(port, w.ns.name) == 200, "counted, and waiting for its run"
        await until(lambda: reason(w, "retrain", "RetrainSchedule") == "NameTaken")
        assert f"TrainingRun {name} exists" in message(w, "retrain", "RetrainSchedule")
        found = w.ns.get("TrainingRun", name)
        assert (found["metadata"]["uid"], found["spec"]) == (
            theirs["metadata"]["uid"],
            theirs["spec"],
        )
        assert "lastRun" not in w.ns.status("retrain", "RetrainSchedule")
        delete(w, "TrainingRun", name)
        await until(lambda: w.ns.status("retrain", "RetrainSchedule")["lastRun"]["name"] == name)
        assert w.ns.status("retrain", "RetrainSchedule")["lastRun"]["alertCount"] == 3
        await until(lambda: reason(w, "retrain", "RetrainSchedule") != "NameTaken")
        (run,) = w.ns.all("TrainingRun")
        assert run["metadata"]["ownerReferences"][0]["name"] == "retrain"


async def sent(port: int, namespace: str) -> int:
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}/alertmanager/v4"
        async with session.post(url, json=alerts(0, 3, namespace)) as answer:
            return answer.status


async def test_a_version_of_another_is_no_result(w: World) -> None:
    """It has the very name that the run's version would have; what was trained is not lost."""
    run = w.ns.create(manifest("TrainingRun", "", "nightly"))
    name = version_name(TrainingRun.model_validate(run))
    theirs = w.ns.create(manifest("ModelVersion", "", name))
    async with w.operator():
        await until(lambda: w.ns.all("Job"))
        w.ns.create(reporting_pod(w.ns.get("Job", "nightly")))
        w.ns.patch("Pod", "nightly-1", TERMINATED, "status")
        w.ns.patch("Job", "nightly", COMPLETE, "status")
        await until(lambda: reason(w, "nightly", "TrainingRun") == "NameTaken")
        assert f"ModelVersion {name} exists" in message(w, "nightly", "TrainingRun")
        assert w.ns.get("ModelVersion", name)["spec"] == theirs["spec"]
        delete(w, "ModelVersion", name)
        await until(lambda: reason(w, "nightly", "TrainingRun") == "Succeeded")
        assert w.ns.get("ModelVersion", name)["spec"]["trainingRun"] == "nightly"


REPORT = json.dumps({"uri": "s3://models/x/7", "format": {"name": "sklearn", "version": "1"}})
TERMINATED = {
    "status": {
        "phase": "Succeeded",
        "containerStatuses": [
            {
                "name": "trainer",
                "image": "x",
                "imageID": "x",
                "ready": False,
                "restartCount": 0,
                "state": {"terminated": {"exitCode": 0, "message": REPORT}},
            }
        ],
    }
}


def reporting_pod(job: JSON) -> JSON:
    meta = {"name": "nightly-1", "labels": job["spec"]["template"]["metadata"]["labels"]}
    spec = {k: v for k, v in job["spec"]["template"]["spec"].items() if k != "schedulerName"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def foreign_job(name: str) -> JSON:
    pod = {**TEMPLATE["spec"], "restartPolicy": "Never"}
    meta = {"name": name, "labels": {"app": "theirs"}}
    spec = {"template": {"spec": pod}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}
