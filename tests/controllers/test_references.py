"""What a pod has learned becomes the reference of its revision once, and of no other one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from evenkeel.api.monitoringstatus import MonitoringStatus
from evenkeel.controllers.modeldeployment.drift import Drift
from evenkeel.controllers.modeldeployment.plan import plan_deployment
from evenkeel.controllers.modeldeployment.references import reference
from evenkeel.controllers.modeldeployment.snapshot import DeploymentSnapshot
from evenkeel.meta.objects import Manifest
from evenkeel.outside.meters import Learning, MeterSeen
from evenkeel.outside.poll import Sighting

from tests.support.rollout_world import World

LEARNED = MeterSeen("Absent", learning=Learning(100, '{"rows": 10000}'))


def snapshot(seen: object = LEARNED, of: str = "", **monitoring: Any) -> DeploymentSnapshot:
    """Of a model that serves, with what Prometheus says of the meters of a revision, its own."""
    model = {"uri": "s3://m/a", "format": {"name": "sklearn"}}
    w = World({"model": model, "monitoring": monitoring})
    w.settle()
    found = w.snapshot()
    known = MonitoringStatus(revision=of or serves(found), terms="t", until="2026-02-01T00:00:00Z")
    return replace(found, drift=Drift(known, Sighting(seen)))


def serves(found: DeploymentSnapshot) -> str:
    stable = found.deployment.status.stable
    assert stable is not None
    return stable.revision


def made(found: DeploymentSnapshot) -> tuple[Manifest, ...]:
    return plan_deployment(found).offers


def test_it_is_the_very_text_of_the_pod_in_a_config_map_of_the_revisions_name() -> None:
    found = snapshot()
    (config_map,) = made(found)
    meta = config_map["metadata"]
    assert (meta["name"], meta["namespace"]) == (serves(found), "shop")
    assert meta["labels"]["evenkeel.dev/revision"] == serves(found)
    assert config_map["data"] == {"evenkeel-profile.json": '{"rows": 10000}'}
    assert config_map["immutable"] is True


def test_it_goes_with_the_deployment_of_its_revision() -> None:
    found = snapshot()
    (deployment,) = (c.ref for c in found.children if c.ref.kind == "Deployment")
    (owner,) = made(found)[0]["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == (
        "Deployment",
        serves(found),
        deployment.uid,
    )
    gone = [c for c in found.children if c.ref.kind != "Deployment"]
    assert made(replace(found, children=tuple(gone))) == ()


@pytest.mark.parametrize(
    "seen",
    [
        None,
        MeterSeen(),
        MeterSeen("Absent"),
        MeterSeen("Absent", learning=Learning(90)),
        MeterSeen("Used", "d"),
        MeterSeen("Broken", why="line 1"),
    ],
)
def test_there_is_none_before_a_pod_has_learned_it(seen: object) -> None:
    assert made(snapshot(seen)) == ()


def test_what_was_asked_of_another_revision_is_not_taken() -> None:
    assert made(snapshot(of="fraud-1")) == ()


def test_it_is_not_taken_where_nobody_wants_it_any_more() -> None:
    assert made(snapshot(profile={"learn": {"rows": 0}})) == ()


def test_one_reconcile_after_the_other_plans_the_same() -> None:
    found = snapshot()
    assert reference(found, serves(found)) == reference(found, serves(found)) != ()
