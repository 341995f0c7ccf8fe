"""A route that no Gateway takes is told."""

from __future__ import annotations

from typing import Any

import pytest
from evenkeel.traffic.gateway import route_diagnosis

from tests.support.rollout_world import World

JSON = dict[str, Any]


def parent(status: str, reason: str, message: str = "") -> JSON:
    accepted = {"type": "Accepted", "status": status, "reason": reason, "message": message}
    return {"conditions": [{"type": "ResolvedRefs", "status": "True"}, accepted]}


@pytest.mark.parametrize(
    ("route", "says"),
    [
        ({}, "nor refused it"),
        ({"status": {"parents": []}}, "nor refused it"),
        (
            {"status": {"parents": [parent("False", "NoMatchingParent", "no such section")]}},
            "NoMatchingParent: no such section",
        ),
    ],
)
def test_a_route_without_a_gateway_says_why(route: JSON, says: str) -> None:
    assert says in route_diagnosis(route)


def test_a_route_whose_backends_are_refused_says_why() -> None:
    refused = {
        "type": "ResolvedRefs",
        "status": "False",
        "reason": "InvalidKind",
        "message": "unsupported filter",
    }
    route = {
        "status": {"parents": [{"conditions": [parent("True", "")["conditions"][1], refused]}]}
    }
    words = route_diagnosis(route)
    assert "InvalidKind: unsupported filter" in words
    assert "revisionHeaders" in words


BY_COOKIE = {
    "matches": [{"headers": [{"type": "RegularExpression", "name": "Cookie", "value": "a=b"}]}],
    "backendRefs": [],
}
PARTIAL = {
    "type": "PartiallyInvalid",
    "status": "True",
    "reason": "UnsupportedValue",
    "message": "dropped rule 0",
}


@pytest.mark.parametrize(
    "conditions",
    [
        parent("False", "UnsupportedValue", "no regular expressions")["conditions"],
        [*parent("True", "Accepted")["conditions"], PARTIAL],
    ],
)
def test_a_gateway_without_expressions_is_told_with_a_remedy(conditions: list[JSON]) -> None:
    status = {"parents": [{"conditions": conditions}]}
    words = route_diagnosis({"spec": {"rules": [BY_COOKIE]}, "status": status})
    assert "UnsupportedValue" in words
    assert "type: Exact" in words
    plain = route_diagnosis({"spec": {"rules": [{"backendRefs": []}]}, "status": status})
    assert "UnsupportedValue" in plain
    assert "type: Exact" not in plain


def test_a_gateway_that_takes_all_rules_is_enough() -> None:
    partial = {"conditions": [*parent("True", "Accepted")["conditions"], PARTIAL]}
    assert route_diagnosis({"status": {"parents": [partial, parent("True", "Accepted")]}}) == ""


def test_one_gateway_that_takes_it_is_enough() -> None:
    parents = [parent("False", "NotAllowedByListeners"), parent("True", "Accepted")]
    assert route_diagnosis({"status": {"parents": parents}}) == ""


def test_a_model_that_no_client_reaches_is_not_ready() -> None:
    w = World(
        {
            "model": {"uri": "s3://m/a", "format": {"name": "sklearn"}},
            "traffic": {"gateway": {"parentRefs": [{"name": "public"}]}},
        },
        unrouted="no Gateway has accepted it",
    )

    def ready() -> JSON:
        w.settle()
        w.pods_ready()
        w.settle()
        return next(c for c in w.status["conditions"] if c["type"] == "Ready")

    assert (ready()["status"], ready()["reason"]) == ("Unknown", "RouteNotAccepted")
    w.unrouted = ""
    assert ready()["status"] == "True"
    w.unrouted = "an HTTPRoute that is about to go"
    w.edit(traffic={})
    assert ready()["status"] == "True"


def test_a_canary_whose_route_is_refused_is_told_during_its_trial() -> None:
    w = World(
        {
            "model": {"uri": "s3://m/a", "format": {"name": "sklearn"}},
            "traffic": {"gateway": {"parentRefs": [{"name": "public"}]}},
            "rollout": {"steps": [{"weight": 10, "analysis": False, "pauseSeconds": 600}]},
        }
    )
    for model in ("a", "b"):
        w.edit(model={"uri": f"s3://m/{model}", "format": {"name": "sklearn"}})
        for _ in range(3):
            w.settle()
            w.pods_ready()
    reasons = []
    for w.unrouted in ("no regular expressions", ""):
        w.settle()
        ready = next(c for c in w.status["conditions"] if c["type"] == "Ready")
        reasons.append((ready["status"], ready["reason"]))
    assert reasons == [("Unknown", "RouteNotAccepted"), ("Unknown", "RolloutInProgress")]
