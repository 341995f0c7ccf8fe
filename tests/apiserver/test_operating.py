"""The whole operator on a real API server: rollouts as a user drives them."""

from __future__ import annotations

import asyncio
from functools import partial

from tests.support.manifests import manifest
from tests.support.operating import A, B, C, World, model_deployment, until


def is_ready(w: World, name: str) -> bool:
    return bool(w.ns.ready(name).get("status") == "True")


async def serving(w: World, *names: str) -> None:
    """ModelDeployments of A that are ready."""
    for name in names:
        w.ns.create(model_deployment(name))
    for name in names:
        await until(partial(is_ready, w, name), f"{name} ready")


def selector(w: World, name: str) -> dict[str, str]:
    """Whose pods the Service of a model leads to."""
    found: dict[str, str] = w.ns.get("Service", name)["spec"]["selector"]
    return found


def bad_but_stable(w: World, *names: str) -> None:
    good = {w.ns.status(name)["stable"]["revision"] for name in names}
    w.counters.bad = lambda revision: 0.0 if revision in good else 0.5


async def test_rollouts_to_their_ends(w: World) -> None:
    """Side by side: a good one, a bad one, and those that a person steers."""
    names = ("good", "bad", "aborted", "forced", "paused")
    async with w.operator():
        await serving(w, *names)
        stable = {w.ns.status(name)["stable"]["revision"] for name in names}
        w.counters.bad = lambda revision: (
            0.5 if revision.startswith(("bad-", "forced-")) and revision not in stable else 0.0
        )
        w.ns.rollout("paused", paused=True)
        w.ns.rollout("aborted", paused=True)
        for name in names:
            w.ns.serve(name, B)
        await until(lambda: w.ns.outcomes("bad") == ["RolledBack WorseThanStable"])
        await until(lambda: w.ns.stable_uri("good") == B)
        assert w.ns.stable_uri("bad") == A
        assert w.ns.ready("bad")["reason"] == "RolledBack"
        await until(lambda: set(w.ns.revisions("bad")) < stable, "the bad revision's pods are gone")
        await until(lambda: len(w.ns.revisions("good")) == 1, "the old revision's pods are gone")
        assert w.ns.ready("good")["status"] == "True"

        held = w.ns.canary("paused")
        assert held is not None
        assert (held["weight"], held["reason"]) == (25, "Paused")
        assert "evenkeel.dev/revision" not in selector(w, "paused")

        aborted = w.ns.canary("aborted")
        assert aborted is not None
        w.ns.rollout("aborted", abort=aborted["revision"])
        await until(lambda: w.ns.outcomes("aborted") == ["RolledBack Aborted"])
        stays = w.ns.status("aborted")["stable"]["revision"]
        await until(lambda: selector(w, "aborted").get("evenkeel.dev/revision") == stays)

        await until(lambda: w.ns.outcomes("forced") == ["RolledBack WorseThanStable"])
        tried = w.ns.status("forced")["history"][0]["revision"]
        w.ns.rollout("forced", promote=tried)
        await until(lambda: w.ns.stable_uri("forced") == B)

        w.ns.rollout("paused", paused=False)
        await until(lambda: w.ns.stable_uri("paused") == B)


async def test_quiet_world_sees_no_write(w: World) -> None:
    """Ready, rolled back, paused on trial: none of them is written while nothing happens."""
    async with w.operator():
        await serving(w, "ready", "back", "trial")
        bad_but_stable(w, "ready", "back", "trial")
        w.counters.rate = 3000
        w.ns.serve("back", C)
        await until(lambda: w.ns.outcomes("back") == ["RolledBack WorseThanStable"])
        w.counters.bad = lambda revision: 0.0
        w.counters.rate = 0
        w.ns.rollout("trial", paused=True)
        w.ns.serve("trial", B)
        await until(lambda: (w.ns.canary("trial") or {}).get("reason") == "Paused")
        await until(lambda: len(w.ns.revisions("back")) == 1)
        await asyncio.sleep(1)
        before = w.ns.versions()
        await asyncio.sleep(10)
        assert w.ns.versions() == before


async def test_autoscaler_owns_the_replicas(w: World) -> None:
    async with w.operator():
        await serving(w, "fraud")
        w.ns.patch("ModelDeployment", "fraud", {"spec": {"replicas": 4}})
        revision = w.ns.status("fraud")["stable"]["revision"]

        def replicas(name: str = revision) -> int:
            return int(w.ns.get("Deployment", name)["spec"]["replicas"])

        await until(lambda: replicas() == 4)
        scaling = {"minReplicas": 2, "maxReplicas": 9}
        seen: set[int] = set()
        w.ns.patch("ModelDeployment", "fraud", {"spec": {"autoscaling": scaling}})

        def handed_over() -> bool:
            seen.add(replicas())
            return bool(w.ns.all("HorizontalPodAutoscaler"))

        await until(handed_over)
        await asyncio.sleep(0.5)
        assert seen | {replicas()} == {4}, "handing over takes no pod away"
        w.ns.patch("Deployment", revision, {"spec": {"replicas": 7}})
        w.ns.patch("ModelDeployment", "fraud", {"spec": {"disruptionBudget": {"minAvailable": 1}}})
        await until(lambda: w.ns.all("PodDisruptionBudget"))
        assert replicas() == 7

        w.ns.serve("fraud", B)
        await until(lambda: w.ns.stable_uri("fraud") == B)
        new = w.ns.status("fraud")["stable"]["revision"]
        assert replicas(new) == 7, "promoted at the size that the autoscaler had found"

        def scaled() -> str:
            spec = w.ns.get("HorizontalPodAutoscaler", "fraud")["spec"]
            return str(spec["scaleTargetRef"]["name"])

        await until(lambda: scaled() == new)

        w.ns.patch("ModelDeployment", "fraud", {"spec": {"autoscaling": None, "replicas": 3}})
        await until(lambda: replicas(new) == 3 and not w.ns.all("HorizontalPodAutoscaler"))


async def test_children_are_repaired(w: World) -> None:
    """Whatever someone does to them: deleted, edited, without the label or the owner."""
    async with w.operator():
        await serving(w, "fraud")
        revision = w.ns.status("fraud")["stable"]["revision"]
        w.ns.server.kubectl("-n", w.ns.name, "delete", "service", "fraud")
        await until(lambda: "fraud" in [s["metadata"]["name"] for s in w.ns.all("Service")])
        w.ns.patch("Deployment", revision, {"spec": {"replicas": 1}})
        await until(lambda: w.ns.get("Deployment", revision)["spec"]["replicas"] == 2)
        for harm in (
            {"labels": {"app.kubernetes.io/managed-by": None}},
            {"labels": {"evenkeel.dev/revision": None}},
            {"labels": {"evenkeel.dev/deployment": None}},
            {"ownerReferences": None},
        ):
            w.ns.patch("Deployment", revision, {"metadata": harm})
            await until(
                lambda: (
                    w.ns.get("Deployment", revision)["metadata"]["labels"].keys()
                    >= {
                        "app.kubernetes.io/managed-by",
                        "evenkeel.dev/deployment",
                        "evenkeel.dev/revision",
                    }
                    and w.ns.get("Deployment", revision)["metadata"].get("ownerReferences")
                ),
                f"after {harm}",
            )
        w.ns.server.kubectl("-n", w.ns.name, "delete", "deployment", revision)
        await until(lambda: w.ns.revisions("fraud") == [revision])
        await until(lambda: w.ns.ready("fraud")["status"] == "True")


async def test_restart_in_the_middle_of_a_canary_goes_on_with_its_evidence(w: World) -> None:
    async with w.operator():
        await serving(w, "fraud")
        w.ns.rollout("fraud", paused=True)
        w.ns.serve("fraud", B)
        await until(lambda: (w.ns.canary("fraud") or {}).get("indicators", [{}])[0].get("evidence"))
    before = w.ns.canary("fraud")
    assert before is not None
    async with w.operator():
        await until(
            lambda: (
                (w.ns.canary("fraud") or {})["indicators"][0]["evidence"]["canaryTotal"]
                > before["indicators"][0]["evidence"].get("canaryTotal", 0)
            )
        )
        after = w.ns.canary("fraud")
        assert after is not None
        for field in ("revision", "startTime", "stageTime", "weight", "step"):
            assert after[field] == before[field]
        w.ns.rollout("fraud", paused=False)
        await until(lambda: w.ns.stable_uri("fraud") == B)
    assert w.ns.outcomes("fraud") == ["Promoted AllIndicatorsPass"]


async def test_what_cannot_be_parsed_is_told_and_mended(w: World) -> None:
    """The API server answers an applied Deployment with 500, a created Job with 400."""
    wrong = {"requests": {"cpu": "lots"}}
    w.ns.create(model_deployment("wrong", more=f"resources: {wrong}"))
    run = manifest("TrainingRun", "", "wrong")
    run["spec"]["training"]["podTemplate"]["spec"]["containers"][0]["resources"] = wrong
    w.ns.create(run)
    async with w.operator():
        await until(lambda: w.ns.ready("wrong").get("reason") == "ApplyFailed")
        assert "quantities must match" in w.ns.ready("wrong")["message"]
        await until(lambda: w.ns.ready("wrong", "TrainingRun").get("reason") == "InvalidTemplate")
        w.ns.patch("ModelDeployment", "wrong", {"spec": {"resources": None}})
        await until(partial(is_ready, w, "wrong"))
