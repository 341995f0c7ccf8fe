"""A new traffic strategy is one file and its field in the API; this file adds one.

It divides by the weights of a made-up kind, Split, and leaves the model's Service to the stable
revision.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import pytest
from evenkeel import traffic
from evenkeel.api import ModelDeployment
from evenkeel.api.crd import structural
from evenkeel.api.traffic import Traffic
from evenkeel.controllers import kinds, rights
from evenkeel.meta.model import Model
from evenkeel.meta.objects import Manifest
from evenkeel.meta.resources import ResourceType, Watch
from evenkeel.serving.children import child
from evenkeel.serving.ports import Ports
from evenkeel.traffic.services import WATCH, model_service, service_url
from evenkeel.traffic.strategy import Division, Strategy
from pydantic import Field

from tests.support.extended import extended
from tests.support.rollout_world import INDICATORS, World

SPLIT = ResourceType("example.dev", "v1", "splits", "Split")
A, B = ({"uri": f"s3://m/{m}", "format": {"name": "sklearn"}} for m in "ab")


class ByHeader(Model):
    """Requests with this header go to the canary first."""

    header: Annotated[str, Field(description="Name of the header.")]


def objects(md: ModelDeployment, ports: Ports, division: Division) -> list[Manifest]:
    shares = {division.stable: 100 - division.weight}
    if division.canary is not None:
        shares[division.canary] = division.weight
    chosen: ByHeader = getattr(md.spec.traffic, BY_HEADER.field)
    spec = {"header": chosen.header, "shares": shares}
    return [
        model_service(md, ports, division.stable),
        child(md, SPLIT.api_version, SPLIT.kind, md.metadata.name, spec),
    ]


def diagnosis(split: Mapping[str, Any]) -> str:
    return str((split.get("status") or {}).get("problem", ""))


BY_HEADER = Strategy(
    field="by_header",
    watches=(WATCH, Watch(SPLIT, kept=("shares",), optional=True)),
    objects=objects,
    kinds=frozenset({"Service", SPLIT.kind}),
    url=service_url,
    diagnoses={SPLIT.kind: diagnosis},
)


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> type[ModelDeployment]:
    """The ModelDeployment with the strategy's field, while the table has its entry."""
    monkeypatch.setitem(traffic.STRATEGIES, BY_HEADER.field, BY_HEADER)
    return extended(ModelDeployment, "spec.traffic.byHeader", ByHeader)


@pytest.fixture
def world(kind: type[ModelDeployment]) -> World:
    return World(
        {
            "model": A,
            "replicas": 4,
            "traffic": {"byHeader": {"header": "X-Try"}},
            "rollout": {"steps": [{"weight": 25}, {"weight": 50}]},
            "analysis": {"indicators": INDICATORS},
        },
        kind=kind,
    )


def test_the_table_has_an_entry_for_each_field_of_the_api() -> None:
    assert set(traffic.STRATEGIES) - {""} == set(Traffic.strategies())


def test_the_schema_has_its_field(kind: type[ModelDeployment]) -> None:
    schema = structural(kind)["properties"]["spec"]["properties"]["traffic"]
    made = schema["properties"]
    assert set(made) == {"gateway", "affinity", "byHeader"}
    assert made["byHeader"]["required"] == ["header"]
    assert {
        "rule": "[has(self.gateway), has(self.byHeader)].filter(g, g).size() <= 1",
        "message": "traffic has at most one of gateway or byHeader",
    } in schema["x-kubernetes-validations"]


@pytest.mark.usefixtures("kind")
def test_watches_types_and_rights_follow() -> None:
    assert SPLIT in [w.type for w in kinds.watches() if w.optional]
    assert kinds.types()["Split"] == SPLIT
    (rule,) = (r for r in rights.namespaced() if r["resources"] == ["splits"])
    assert rule["apiGroups"] == ["example.dev"]
    assert {"create", "patch", "delete", "watch"} <= set(rule["verbs"])


def shares(w: World) -> dict[str, int]:
    made: dict[str, int] = w.others["Split", "fraud"]["spec"]["shares"]
    return made


def test_a_rollout_goes_by_it(world: World) -> None:
    world.settle()
    world.pods_ready()
    world.settle()
    first = world.wanted()
    assert shares(world) == {first: 100}
    world.edit(model=B)
    seen = []
    for _ in range(60):
        world.settle()
        world.pods_ready()
        world.settle()
        seen.append(tuple(shares(world).values()))
        world.pass_time(10)
        for pods in world.pods.values():  # The Service reaches stable only; the Split both.
            pods.total += 400
    assert [*dict.fromkeys(seen)] == [(75, 25), (50, 50), (100,)]
    assert shares(world) == {world.wanted(): 100}
    assert world.md.status.url == "http://fraud.shop.svc"


def test_its_diagnosis_is_told_and_its_objects_go_with_it(world: World) -> None:
    world.settle()
    world.pods_ready()
    world.unrouted = diagnosis({"status": {"problem": "no such proxy"}})
    world.settle()
    ready = next(c for c in world.status["conditions"] if c["type"] == "Ready")
    assert (ready["reason"], ready["message"]) == ("RouteNotAccepted", "no such proxy")
    world.edit(traffic={})
    world.settle()
    assert {kind for kind, _ in world.others} == {"Service"}
