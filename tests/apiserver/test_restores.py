"""What lasts: objects that come back without status repeat no act, on a real API server."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from itertools import permutations
from typing import Any

import pytest
from evenkeel.api.record import RECORD

from tests.support.manifests import manifest
from tests.support.operating import A, B, World, model_deployment, until
from tests.support.restoring import OWN, Owners, backup, delete, events, quiet, restored

JSON = dict[str, Any]


def run(name: str, cause: JSON, **more: Any) -> JSON:
    made = manifest("TrainingRun", "", name)
    made["metadata"]["labels"] = {"evenkeel.dev/schedule": "elec"}
    made["spec"] |= {"schedule": "elec", "cause": cause, **more}
    return made


def version(name: str, uri: str, trained: str = "", **more: Any) -> JSON:
    made = manifest("ModelVersion", f"{{model: elec, uri: '{uri}', format: {{name: test}}}}", name)
    made["spec"] |= {**({"trainedTime": trained} if trained else {}), **more}
    return made


def follower(name: str = "elec") -> JSON:
    made = model_deployment(name)
    made["spec"]["model"] = {"follow": "elec"}
    return made


def reason(w: World, kind: str, name: str) -> str:
    return str(w.ns.ready(name, kind).get("reason", ""))


def serves(w: World, name: str, uri: str) -> bool:
    return w.ns.stable_uri(name) == uri and w.ns.ready(name).get("status") == "True"


async def test_runs_of_last_month_train_nothing_and_a_fresh_one_does(w: World) -> None:
    async with w.operator():
        for day in (1, 2, 3):
            cause = {"type": "Cron", "trigger": "nightly", "time": f"2026-01-0{day}T03:00:00Z"}
            w.ns.create(run(f"elec-{day}", cause))
        for day in (1, 2, 3):
            await until(partial(lambda d: reason(w, "TrainingRun", f"elec-{d}") == "Restored", day))
        w.ns.create(manifest("TrainingRun", "", "fresh"))
        await until(lambda: [j["metadata"]["name"] for j in w.ns.all("Job")] == ["fresh"])
        await quiet(w.ns)
        assert len(w.ns.all("Job")) == 1
        assert RECORD in w.ns.get("TrainingRun", "fresh")["metadata"]["annotations"]


@pytest.mark.parametrize("owners", ["dropped", "dangling"])
async def test_a_run_that_has_begun_does_not_begin_again(w: World, owners: Owners) -> None:
    async with w.operator():
        w.ns.create(manifest("TrainingRun", "", "begun"))
        await until(lambda: RECORD in w.ns.get("TrainingRun", "begun")["metadata"]["annotations"])
        await quiet(w.ns)
        saved = backup(w.ns, ("Job", "TrainingRun"))
        delete(w.ns, saved)
        await until(lambda: not w.ns.all("TrainingRun"))
        for obj in saved:
            w.ns.create(restored(obj, owners))
        await until(lambda: reason(w, "TrainingRun", "begun") == "Restored")
        await until(lambda: not w.ns.all("Job"), "the Job that was restored with it is gone")
        copy = restored(next(o for o in saved if o["kind"] == "TrainingRun"))
        copy["metadata"]["name"] = "anew"
        w.ns.create(copy)
        await until(lambda: reason(w, "TrainingRun", "anew") == "Restored")
        del copy["metadata"]["annotations"]
        copy["metadata"]["name"] = "really-anew"
        w.ns.create(copy)
        await until(lambda: [j["metadata"]["name"] for j in w.ns.all("Job")] == ["really-anew"])


VERSIONS = {
    "elec-9c": ("s3://m/march", "2026-03-01T00:00:00Z"),
    "elec-7a": ("s3://m/june", "2026-06-01T00:00:00Z"),
    "elec-2f": ("s3://m/october", "2026-10-01T00:00:00Z"),
}


async def test_follow_serves_the_last_trained_in_whatever_order_they_come(w: World) -> None:
    async with w.operator():
        for number, order in enumerate(permutations(VERSIONS)):
            made = follower(f"m{number}")
            made["spec"]["model"] = {"follow": f"elec-{number}"}
            w.ns.create(made)
            for name in order:
                uri, trained = VERSIONS[name]
                one = version(f"{name}-{number}", uri, trained.replace("2026", "2025"))
                w.ns.create({**one, "spec": {**one["spec"], "model": f"elec-{number}"}})
        for number in range(6):
            await until(partial(lambda n: serves(w, f"m{n}", "s3://m/october"), number))


async def test_versions_whose_order_is_unknown_are_not_served_by_chance(w: World) -> None:
    for name, (uri, _) in VERSIONS.items():
        w.ns.create(version(name, uri))
    created = {v["metadata"]["creationTimestamp"] for v in w.ns.all("ModelVersion")}
    if len(created) > 1:
        newest = max(w.ns.all("ModelVersion"), key=lambda v: v["metadata"]["creationTimestamp"])
        expected = newest["spec"]["uri"]
    w.ns.create(follower())
    async with w.operator():
        if len(created) > 1:
            await until(lambda: serves(w, "elec", expected))
            return
        await until(lambda: reason(w, "ModelDeployment", "elec") == "OrderUnknown")
        assert not w.ns.all("Deployment")
        for name, (_, trained) in VERSIONS.items():
            patch = {"spec": {"trainedTime": trained.replace("2026", "2025")}}
            w.ns.patch("ModelVersion", name, patch)
        await until(lambda: serves(w, "elec", "s3://m/october"))
        answer = w.server.patch(
            "ModelVersion", w.ns.name, "elec-9c", {"spec": {"trainedTime": "2026-11-01T00:00:00Z"}}
        )
        assert answer.status_code == 422
        assert "once" in answer.text


async def rolled_back(w: World) -> JSON:
    """A model by URI whose second revision was bad, and its statuses."""
    w.ns.create(model_deployment("fraud"))
    await until(lambda: serves(w, "fraud", A))
    good = w.ns.status("fraud")["stable"]["revision"]
    w.counters.bad = lambda revision: 0.0 if revision == good else 0.5
    w.ns.serve("fraud", B)
    await until(lambda: w.ns.outcomes("fraud") == ["RolledBack WorseThanStable"])
    await until(lambda: w.ns.revisions("fraud") == [good])
    await quiet(w.ns)
    return w.ns.status("fraud")


@pytest.mark.parametrize("owners", ["dropped", "dangling", "without children"])
async def test_what_was_taken_back_stays_so(w: World, owners: Any) -> None:
    async with w.operator():
        before = await rolled_back(w)
        good = before["stable"]["revision"]
        saved = backup(w.ns)
        delete(w.ns, saved)
        await until(lambda: not w.ns.all("ModelDeployment") and not w.ns.all("Deployment"))
        seen = Counter(events(w.ns))
        for obj in saved:
            if obj["kind"] in OWN or owners != "without children":
                w.ns.create(restored(obj, owners if owners == "dangling" else "dropped"))
        await until(lambda: w.ns.ready("fraud").get("reason") == "RolledBack")
        await quiet(w.ns)
        after = w.ns.status("fraud")
        assert after["stable"]["revision"] == good
        assert after["stable"]["readyReplicas"] == 2
        assert "canary" not in after
        assert [o["time"] for o in after["history"]] == [o["time"] for o in before["history"]]
        assert w.ns.revisions("fraud") == [good]
        uid = w.ns.get("ModelDeployment", "fraud")["metadata"]["uid"]
        for kind in ("Deployment", "Service"):
            for child in w.ns.all(kind):
                owner = child["metadata"]["ownerReferences"]
                assert [o["uid"] for o in owner] == [uid], child["metadata"]["name"]
        told = Counter(events(w.ns)) - seen
        assert not [e for e in told if "RolloutStarted" in e or "FirstRevision" in e]


async def test_a_trial_that_the_restore_ended_begins_anew_against_the_same_stable(w: World) -> None:
    async with w.operator():
        w.ns.create(model_deployment("fraud"))
        await until(lambda: serves(w, "fraud", A))
        w.ns.rollout("fraud", paused=True)
        w.ns.serve("fraud", B)
        await until(lambda: (w.ns.canary("fraud") or {}).get("reason") == "Paused")
        await quiet(w.ns)
        saved = backup(w.ns)
        delete(w.ns, saved)
        await until(lambda: not w.ns.all("ModelDeployment") and not w.ns.all("Deployment"))
        for obj in saved:
            if obj["kind"] in OWN:
                w.ns.create(restored(obj))
        await until(lambda: (w.ns.canary("fraud") or {}).get("reason") == "Paused")
        assert w.ns.stable_uri("fraud") == A
        w.ns.rollout("fraud", paused=False)
        await until(lambda: serves(w, "fraud", B))


async def followed(w: World) -> None:
    """v1 in production, v2 taken back, v0 elder than both; all without times of their own."""
    for name in ("v0", "v1"):
        w.ns.create(version(name, f"s3://m/{name}"))
        await asyncio.sleep(1.1)
    w.ns.create(follower())
    await until(lambda: serves(w, "elec", "s3://m/v1"))
    good = w.ns.status("elec")["stable"]["revision"]
    w.counters.bad = lambda revision: 0.0 if revision == good else 0.5
    w.ns.create(version("v2", "s3://m/v2"))
    await until(lambda: w.ns.outcomes("elec") == ["RolledBack WorseThanStable"])
    await until(lambda: w.ns.revisions("elec") == [good])
    await quiet(w.ns)


async def test_the_version_in_production_stays_there(w: World) -> None:
    async with w.operator():
        await followed(w)
        before = w.ns.status("elec")
        saved = backup(w.ns)
        delete(w.ns, saved)
        await until(lambda: not w.ns.all("ModelDeployment") and not w.ns.all("Deployment"))
        seen = Counter(events(w.ns))
        for obj in saved:
            if obj["kind"] in OWN:
                w.ns.create(restored(obj))
                await asyncio.sleep(0.3)
        await until(lambda: serves(w, "elec", "s3://m/v1"))
        await quiet(w.ns)
        after = w.ns.status("elec")
        assert after["stable"]["revision"] == before["stable"]["revision"]
        assert [o["version"] for o in after["history"]] == ["v2"]
        told = Counter(events(w.ns)) - seen
        acts = ("RolloutStarted", "FirstRevision", "Approved", "GatesPassed")
        assert not [e for e in told if e.startswith(acts)]
        rollouts = w.ns.status("v2", "ModelVersion")["rollouts"]
        assert [r["outcome"] for r in rollouts] == ["RolledBack"]
        w.ns.create(version("v3", "s3://m/v3"))
        w.counters.bad = lambda revision: 0.0
        await until(lambda: serves(w, "elec", "s3://m/v3"), "newer ones are followed")


async def test_an_object_made_anew_from_a_repository_goes_on(w: World) -> None:
    async with w.operator():
        await followed(w)
        before = w.ns.status("elec")
        delete(w.ns, backup(w.ns, ("ModelDeployment", "Deployment", "Service")))
        await until(lambda: not w.ns.all("ModelDeployment") and not w.ns.all("Deployment"))
        w.ns.create(follower())
        await until(lambda: serves(w, "elec", "s3://m/v1"))
        await quiet(w.ns)
        after = w.ns.status("elec")
        assert after["stable"]["revision"] == before["stable"]["revision"]
        assert w.ns.revisions("elec") == [before["stable"]["revision"]]


async def test_versions_from_a_backup_and_the_model_from_a_repository(w: World) -> None:
    """Neither brings the model's record: what was taken back is known by the version's own."""
    async with w.operator():
        await followed(w)
        await until(lambda: w.ns.status("v2", "ModelVersion").get("rolledBack"))
        await quiet(w.ns)
        saved = backup(w.ns, ("ModelVersion",))
        delete(w.ns, backup(w.ns))
        await until(lambda: not w.ns.all("ModelDeployment") and not w.ns.all("Deployment"))
        w.ns.create(follower())
        await until(lambda: w.ns.ready("elec"))
        for obj in reversed(saved):
            w.ns.create(restored(obj))
        await until(lambda: serves(w, "elec", "s3://m/v1"))
        await quiet(w.ns)
        assert w.ns.stable_uri("elec") == "s3://m/v1"
        assert w.ns.canary("elec") is None
        assert "RolledBack WorseThanStable" in w.ns.outcomes("elec")


async def test_a_replaced_object_gets_its_record_again(w: World) -> None:
    async with w.operator():
        await rolled_back(w)
        kept = w.ns.get("ModelDeployment", "fraud")
        record = kept["metadata"]["annotations"].pop(RECORD)
        path = "/apis/evenkeel.dev/v1alpha1/namespaces/{}/modeldeployments/fraud"
        w.server.http.put(path.format(w.ns.name), json=kept).raise_for_status()
        await until(
            lambda: (
                w.ns.get("ModelDeployment", "fraud")["metadata"]["annotations"][RECORD] == record
            )
        )
        await quiet(w.ns)
        assert w.ns.stable_uri("fraud") == A


async def test_what_others_have_labelled_alike_is_left_alone(w: World) -> None:
    """A copy that somebody made of a child has another name, or another owner."""
    async with w.operator():
        w.ns.create(model_deployment("fraud"))
        await until(lambda: serves(w, "fraud", A))
        (made,) = backup(w.ns, ("Deployment",))
        copy = restored(made)
        copy["metadata"]["name"] = "fraud-copy"
        w.ns.create(copy)
        await quiet(w.ns)
        assert "ownerReferences" not in w.ns.get("Deployment", "fraud-copy")["metadata"]
