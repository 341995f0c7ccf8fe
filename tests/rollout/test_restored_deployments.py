"""A ModelDeployment that lost its status goes on with what was in production."""

from __future__ import annotations

from typing import Any

import pytest
from evenkeel.api import ModelDeployment, ModelVersion
from evenkeel.api.record import RECORD
from evenkeel.controllers.modeldeployment.earlier_life import with_former_rollouts
from evenkeel.meta.times import timestamp

from tests.support.rollout_world import INDICATORS, World

JSON = dict[str, Any]
GOOD, BAD = "s3://m/good", "s3://m/bad"


def model(uri: str) -> JSON:
    return {"uri": uri, "format": {"name": "sklearn"}}


def serving() -> World:
    world = World(
        {
            "model": model(GOOD),
            "replicas": 2,
            "rollout": {"steps": [{"weight": 50}], "scaleDownDelaySeconds": 1},
            "analysis": {"indicators": list(INDICATORS)},
        },
        quality={BAD: 0.5},
        requests=400,
    )
    world.settle()
    world.pods_ready()
    world.settle()
    return world


def live(world: World, looks: int = 12) -> None:
    for _ in range(looks):
        world.pods_ready()
        world.settle()
        world.pass_time(5)
    world.settle()


def taken_back() -> World:
    world = serving()
    world.edit(model=model(BAD))
    live(world)
    assert [o.outcome for o in world.md.status.history] == ["RolledBack"]
    return world


def test_a_model_by_uri_that_was_never_on_trial_costs_no_write() -> None:
    assert serving().annotations == {}


def test_the_record_changes_with_rollouts_only() -> None:
    world = serving()
    world.edit(model=model(BAD))
    world.settle()
    begun = world.annotations[RECORD]
    seen = set()
    for _ in range(12):
        live(world, 1)
        seen.add(world.annotations[RECORD])
    assert begun in seen
    assert len(seen) == 2, "once at the beginning, once at the end"


def test_the_stable_model_is_served_as_the_spec_has_it_now_if_its_pods_are_lost() -> None:
    world = taken_back()
    before = world.md.status.stable
    world.restore(children=False)
    world.edit(env=[{"name": "NEW", "value": "1"}])
    world.reconcile()
    after = world.md.status.stable
    assert before is not None
    assert after is not None
    assert after.uri == GOOD
    assert after.revision != before.revision
    assert world.pods[after.revision].replicas == 2
    world.settle()
    canary = world.md.status.canary
    assert canary is not None
    assert canary.uri == BAD, "another way to serve it is another trial"
    live(world)
    stable = world.md.status.stable
    assert stable is not None
    assert stable.uri == GOOD


@pytest.mark.parametrize("text", ["", "{", "[]", '{"stable": 7}', '{"history": [{}]}'])
def test_a_record_that_cannot_be_read_is_none(text: str) -> None:
    world = serving()
    world.annotations[RECORD] = text
    world.restore(children=True)
    world.settle()
    stable = world.md.status.stable
    assert stable is not None
    assert stable.uri == GOOD


def version(name: str, outcome: str, minute: int, **more: Any) -> ModelVersion:
    rollout = {
        "deployment": "fraud",
        "revision": f"r-{name}",
        "outcome": outcome,
        "time": f"2026-01-31T09:{minute:02}:00Z",
    }
    metadata = {"name": name, "creationTimestamp": "2026-01-31T08:00:00Z"}
    spec = {"model": "fraud", "uri": f"s3://m/{name}", "format": {"name": "sklearn"}}
    return ModelVersion.model_validate(
        {"metadata": metadata, "spec": spec, "status": {"rollouts": [rollout | more]}}
    )


def test_an_object_made_anew_learns_from_the_versions() -> None:
    md = ModelDeployment.model_validate(
        {"metadata": {"name": "fraud"}, "spec": {"model": {"follow": "fraud"}}}
    )
    versions = [
        version("v1", "Promoted", 1),
        version("v2", "Promoted", 2),
        version("v3", "RolledBack", 3),
        version("v4", "Progressing", 4),
        version("v5", "Promoted", 5, deployment="another"),
        version("v6", "Promoted", 6, reason="Probation"),
    ]
    status = with_former_rollouts(md, versions).status
    assert status.stable is not None
    assert (status.stable.version, status.stable.revision) == ("v2", "r-v2")
    assert [o.version for o in status.history] == ["v3", "v2", "v1"]
    assert with_former_rollouts(md, versions[3:]).status == md.status


def test_a_version_taken_back_is_known_though_the_history_has_forgotten_it() -> None:
    stable = {"revision": "r-v1", "version": "v1"}
    md = ModelDeployment.model_validate(
        {
            "metadata": {"name": "fraud"},
            "spec": {"model": {"follow": "fraud"}},
            "status": {"observedGeneration": 3, "stable": stable},
        }
    )
    status = with_former_rollouts(md, [version("v2", "RolledBack", 3)]).status
    assert [(o.revision, o.outcome) for o in status.history] == [("r-v2", "RolledBack")]
    assert status.history[0].time == timestamp(World({}).now.replace(minute=3))


def on_probation() -> World:
    world = serving()
    world.edit_rollout(probation={"seconds": 600})
    world.quality[BAD] = 0.0
    world.edit(model=model(BAD))
    live(world)
    assert world.status["canary"]["stage"] == "Probation"
    return world


def sizes(world: World) -> dict[str, tuple[int, int]]:
    return {name: (p.replicas, p.ready) for name, p in world.pods.items()}


def test_a_probation_goes_on_as_it_was_and_for_its_whole_time() -> None:
    world = on_probation()
    new, before = world.status["canary"]["revision"], sizes(world)
    world.pods[new].crashes = 2
    world.settle()
    world.pass_time(500)
    world.settle()
    world.pods[new].crashes = 9
    world.restore(children=True)
    world.settle()
    assert world.status["canary"]["stage"] == "Probation", "no crash is held against it twice"
    assert sizes(world) == before, "what serves loses no pod"
    world.pass_time(590)
    world.settle()
    assert world.status.get("canary"), "its evidence began anew, and so did its time"
    world.pass_time(20)
    world.settle()
    assert world.status["stable"]["revision"] == new


def test_a_way_back_goes_on_and_knows_why() -> None:
    world = on_probation()
    old, new = world.status["stable"]["revision"], world.status["canary"]["revision"]
    world.edit_rollout(abort=new)
    world.settle()
    assert world.status["canary"]["stage"] == "Returning"
    world.edit_rollout(abort=None)
    world.restore(children=True)
    world.settle()
    assert sizes(world)[new] == (2, 2)
    world.pods_ready(old)
    world.settle()
    assert world.status["stable"]["revision"] == old
    last = world.status["history"][0]
    assert (last["outcome"], last["reason"], last["cause"]) == ("RolledBack", "Aborted", "User")


def test_a_probation_whose_pods_are_lost_is_a_trial_again() -> None:
    world = on_probation()
    old, new = world.status["stable"]["revision"], world.status["canary"]["revision"]
    world.restore(children=False)
    world.settle()
    assert world.status["stable"]["revision"] == old
    assert sizes(world)[old][0] == 2
    assert (world.status["canary"]["revision"], world.status["canary"]["stage"]) == (
        new,
        "Starting",
    )


def test_a_record_cannot_bring_a_trial() -> None:
    world = on_probation()
    world.annotations[RECORD] = world.annotations[RECORD].replace("Probation", "Promoting")
    world.restore(children=True)
    world.settle()
    assert world.status["canary"]["weight"] == 50


@pytest.mark.parametrize(
    ("outcome", "stage"), [("Promoted", "Probation"), ("Progressing", "Returning")]
)
def test_an_object_made_anew_goes_on_with_a_probation(outcome: str, stage: str) -> None:
    md = ModelDeployment.model_validate(
        {"metadata": {"name": "fraud"}, "spec": {"model": {"follow": "fraud"}}}
    )
    versions = [version("v1", "Promoted", 1), version("v2", outcome, 2, reason=stage)]
    status = with_former_rollouts(md, versions).status
    assert status.stable is not None
    assert status.canary is not None
    assert (status.stable.version, status.canary.version) == ("v1", "v2")
    assert (status.canary.revision, status.canary.stage, status.canary.weight) == (
        "r-v2",
        stage,
        100,
    )
    assert status.canary.reason
