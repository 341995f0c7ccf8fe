"""Drift of the version in production: one run for each version, with what drifted as its cause."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from evenkeel.api.cause import cause_text
from evenkeel.api.modelversion import ModelVersion
from evenkeel.controllers.modeldeployment import KIND as DEPLOYMENTS
from evenkeel.controllers.modeldeployment import concerns
from evenkeel.controllers.retrainschedule import KIND as SCHEDULES
from evenkeel.controllers.shown_drifts import shown
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.meta.times import timestamp
from evenkeel.retraining.plan import ScheduleSnapshot

from tests.support.retraining import NOW, Cluster, Crash, schedule

TRIGGER: dict[str, Any] = {"name": "drifted", "drift": {}}
SINCE = timestamp(NOW + timedelta(days=1))


def version(name: str) -> ModelVersion:
    promoted = {"deployment": "elec", "revision": f"elec-{name}", "outcome": "Promoted"}
    return ModelVersion.model_validate(
        {
            "metadata": {"name": name, "namespace": "ml", "creationTimestamp": timestamp(NOW)},
            "spec": {"model": "elec", "uri": "s3://m/e", "format": {"name": "sklearn"}},
            "status": {"rollouts": [promoted | {"time": timestamp(NOW)}]},
        }
    )


def deployment(serves: str, group: str = "Data", revision: str = "") -> dict[str, Any]:
    drifted = {"name": group, "statistic": "9000", "threshold": "8111", "driftedSince": SINCE}
    feature = {"kind": "Feature", "name": "load", "distance": "0.3"}
    own = f"elec-{serves}"
    return {
        "apiVersion": "evenkeel.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "elec", "namespace": "ml", "uid": "1", "resourceVersion": "1"},
        "spec": {"model": {"follow": "elec"}},
        "status": {
            "stable": {"revision": own, "version": serves},
            "monitoring": {
                "revision": revision or own,
                "terms": "t",
                "until": SINCE,
                "groups": [drifted | {"features": [feature]}],
            },
        },
    }


def stored(*objects: dict[str, Any] | None) -> Store:
    store = Store(indices=(*SCHEDULES.indices(), *DEPLOYMENTS.indices()))
    for obj in filter(None, objects):
        store.put(obj["kind"], obj)
    return store


class World(Cluster):
    """A cluster in which v1 is in production; `object`: the ModelDeployment as the store has it."""

    def __init__(self, trigger: dict[str, Any] = TRIGGER) -> None:
        super().__init__(schedule(trigger, cooldownSeconds=0))
        self.champion = version("v1")
        self.object: dict[str, Any] | None = None

    def snapshot(self, *args: Any, **more: Any) -> ScheduleSnapshot:
        store = stored(self.object)
        found = super().snapshot(*args, **more)
        return replace(found, drifts=shown(store, self.schedule, self.champion))


def test_drift_has_one_run_that_tells_what_drifted_and_since_when() -> None:
    w = World()
    w.settle()
    assert w.started == []
    w.object = deployment("v1")
    w.settle()
    (run,) = w.runs.values()
    assert run.spec.cause.type == "Drift"
    text = cause_text(run.spec.cause)
    assert text.startswith("drift drifted: v1, trained ")
    assert f"Data of elec since {SINCE}, load" in text
    w.finish_active("Succeeded")
    w.settle()
    w.now += timedelta(days=30)
    w.settle()
    assert len(w.started) == 1
    w.champion, w.object = version("v2"), deployment("v2")
    w.settle()
    assert len(w.started) == 2


@pytest.mark.parametrize("writes", range(4))
def test_a_crash_starts_no_second_run(writes: int) -> None:
    w = World()
    w.object = deployment("v1")
    with suppress(Crash):
        w.reconcile(writes=writes)
    w.settle()
    assert len(w.started) == 1


@pytest.mark.parametrize(
    "found",
    [
        deployment("v0"),
        deployment("v1", "Missing"),
        deployment("v1", revision="elec-v0"),
    ],
    ids=["another version", "another reason", "the revision before"],
)
def test_what_says_nothing_of_the_version_starts_nothing(found: dict[str, Any]) -> None:
    w = World()
    w.object = found
    w.settle()
    assert w.started == []


@pytest.mark.parametrize("group", ["Missing", "Risk"])
def test_the_reasons_that_are_named_fire(group: str) -> None:
    w = World({"name": "drifted", "drift": {"reasons": ["Missing", "Unseen", "Risk"]}})
    w.object = deployment("v1", group)
    w.settle()
    assert len(w.started) == 1


def test_a_deployment_that_drifts_wakes_the_schedules_of_its_model_alone() -> None:
    def plan(name: str, model: str, trigger: dict[str, Any]) -> dict[str, Any]:
        meta = {"name": name, "namespace": "ml", "uid": name, "resourceVersion": "1"}
        spec = {"model": model, "triggers": [{"name": "t", **trigger}]}
        return {"kind": "RetrainSchedule", "metadata": meta, "spec": spec}

    drift = {"drift": {"reasons": ["Data"]}}
    v1 = version("v1").wire() | {"kind": "ModelVersion"}
    v1["metadata"] |= {"uid": "v1", "resourceVersion": "1"}
    store = stored(
        v1,
        plan("mine", "elec", drift),
        plan("other", "b", drift),
        plan("cron", "elec", {"cron": {}}),
    )
    assert [*concerns(store, deployment("v1"))] == [Key("RetrainSchedule", "ml", "mine")]
    quiet = deployment("v1")
    del quiet["status"]["monitoring"]["groups"][0]["driftedSince"]
    assert [*concerns(store, quiet)] == []
    assert [*concerns(store, deployment("gone"))] == []
    probation = deployment("former")
    probation["status"]["canary"] = {"revision": "r-new", "version": "v1"}
    probation["status"]["monitoring"]["revision"] = "r-new"
    assert [*concerns(store, probation)] == [Key("RetrainSchedule", "ml", "mine")]
