"""The Services and the route that lead to a model's pods, and which strategy has which."""

from typing import Any

import pytest
from evenkeel.serving.ports import template_ports
from evenkeel.traffic import STRATEGIES, Division, strategy_of
from evenkeel.traffic.gateway import http_route
from evenkeel.traffic.services import model_service, revision_service

from tests.support.serving_examples import (
    REVISION,
    assert_owned,
    built,
    model_deployment,
    runtime_spec,
)

PORTS = template_ports(built())
GATEWAY = {"gateway": {"parentRefs": [{"name": "gw", "sectionName": "web"}]}}


def all_objects() -> list[dict[str, Any]]:
    md, divided = model_deployment(traffic=GATEWAY), Division(REVISION, "fraud-2", 10)
    return [o for s in STRATEGIES.values() for o in s.objects(md, PORTS, divided)]


@pytest.mark.parametrize("child", all_objects(), ids=lambda child: str(child["kind"]))
def test_every_child_is_owned_and_labelled(child: dict[str, Any]) -> None:
    assert_owned(child)


class TestService:
    def test_it_reaches_all_revisions_or_one(self) -> None:
        md = model_deployment()
        everyone = model_service(md, PORTS, None)["spec"]["selector"]
        one = model_service(md, PORTS, REVISION)["spec"]["selector"]
        assert everyone == {"evenkeel.dev/deployment": "fraud"}
        assert one == {"evenkeel.dev/deployment": "fraud", "evenkeel.dev/revision": REVISION}

    def test_it_is_named_as_the_model_deployment_and_a_revisions_as_the_revision(self) -> None:
        md = model_deployment()
        assert model_service(md, PORTS, REVISION)["metadata"]["name"] == "fraud"
        own = revision_service(md, REVISION, PORTS)
        assert own["metadata"]["name"] == REVISION
        assert own["spec"]["selector"]["evenkeel.dev/revision"] == REVISION

    def test_grpc_is_offered_where_the_runtime_has_it(self) -> None:
        ports = [{"name": "http", "containerPort": 80}, {"name": "grpc", "containerPort": 9000}]
        runtime = runtime_spec(containers=[{"name": "server", "ports": ports}])
        with_grpc = model_service(model_deployment(), template_ports(built(runtime=runtime)), None)
        assert [(p["name"], p["port"], p["targetPort"]) for p in with_grpc["spec"]["ports"]] == [
            ("http", 80, "http"),
            ("grpc", 9000, "grpc"),
        ]
        without = model_service(model_deployment(), PORTS, None)
        assert [port["name"] for port in without["spec"]["ports"]] == ["http"]


class TestRoute:
    def weights(self, canary: str | None, weight: int) -> dict[str, int]:
        md = model_deployment(traffic=GATEWAY)
        made = http_route(md, Division("stable", canary, weight))
        (rule,) = made["spec"]["rules"]
        return {backend["name"]: backend["weight"] for backend in rule["backendRefs"]}

    @pytest.mark.parametrize(
        ("canary", "weight", "expected"),
        [
            (None, 0, {"stable": 100}),
            ("canary", 0, {"stable": 100}),
            ("canary", 1, {"stable": 99, "canary": 1}),
            ("canary", 100, {"canary": 100}),
        ],
    )
    def test_a_revision_without_a_share_is_left_out(
        self, canary: str | None, weight: int, expected: dict[str, int]
    ) -> None:
        assert self.weights(canary, weight) == expected

    def headers(self, **gateway: Any) -> list[Any]:
        md = model_deployment(traffic={"gateway": {**GATEWAY["gateway"], **gateway}})
        made = http_route(md, Division("stable", "canary", 10, "fraud-7", ""))
        (rule,) = made["spec"]["rules"]
        return [backend.get("filters") for backend in rule["backendRefs"]]

    def test_answers_tell_their_revision_and_version_where_asked_for(self) -> None:
        revision, version = "Evenkeel-Revision", "Evenkeel-Version"
        told = [
            [{"name": revision, "value": "stable"}, {"name": version, "value": "fraud-7"}],
            [{"name": revision, "value": "canary"}],
        ]
        assert self.headers(revisionHeaders=True) == [
            [{"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": one}}]
            for one in told
        ]

    def test_no_gateway_gets_filters_unasked(self) -> None:
        assert self.headers() == [None, None]

    def test_it_attaches_to_the_gateways(self) -> None:
        gateway = {**GATEWAY["gateway"], "hostnames": ["fraud.example.test"]}
        made = http_route(model_deployment(traffic={"gateway": gateway}), Division("stable"))
        assert made["spec"]["parentRefs"] == [{"name": "gw", "sectionName": "web"}]
        assert made["spec"]["hostnames"] == ["fraud.example.test"]


def test_without_a_gateway_replicas_divide() -> None:
    assert strategy_of(model_deployment().spec.traffic) is STRATEGIES[""]
    assert strategy_of(model_deployment(traffic=GATEWAY).spec.traffic) is STRATEGIES["gateway"]


@pytest.mark.parametrize(("field", "weight"), [("", 0), ("", 30), ("gateway", 0), ("gateway", 30)])
def test_a_strategy_makes_what_it_keeps_and_watches(field: str, weight: int) -> None:
    strategy, divided = STRATEGIES[field], Division(REVISION, "fraud-2", weight)
    made = strategy.objects(model_deployment(traffic=GATEWAY), PORTS, divided)
    for each in made:
        revision = each["metadata"]["labels"].get("evenkeel.dev/revision", "")
        assert strategy.keeps(each["kind"], revision)
    assert {m["kind"] for m in made} == {w.type.kind for w in strategy.watches}


@pytest.mark.parametrize("weight", [0, 99, 100])
def test_who_passes_a_gateway_by_stays_with_stable_unless_it_gets_nothing(weight: int) -> None:
    divided = Division(REVISION, "fraud-2", weight)
    made = STRATEGIES["gateway"].objects(model_deployment(traffic=GATEWAY), PORTS, divided)
    service = next(m for m in made if m["metadata"]["name"] == "fraud" and m["kind"] == "Service")
    reached = service["spec"]["selector"]["evenkeel.dev/revision"]
    assert reached == divided.undivided == ("fraud-2" if weight == 100 else REVISION)
