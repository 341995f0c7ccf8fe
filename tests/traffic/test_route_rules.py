"""The rules of the route: who matches, who stays, and everybody else."""

from __future__ import annotations

import re
from typing import Any

import pytest
from evenkeel.api.exposure import Match
from evenkeel.serving.ports import template_ports
from evenkeel.traffic import STRATEGIES, Division
from evenkeel.traffic.gateway import http_route
from evenkeel.traffic.preview import left_over

from tests.support.serving_examples import built, model_deployment

JSON = dict[str, Any]
GATEWAY: JSON = {"parentRefs": [{"name": "gw"}], "hostnames": ["fraud.example"]}
STICKY = {"gateway": GATEWAY, "affinity": {"cookie": {"name": "seen", "maxAgeSeconds": 600}}}
BETA = Match.model_validate({"headers": [{"name": "X-Beta", "value": "yes"}]})
TEAM = Match.model_validate({"cookies": [{"name": "team", "value": "a"}]})
PREVIEW = {"steps": [{"preview": {"hostnames": ["beta.example"]}, "analysis": False}]}
PORTS = template_ports(built())


def rules(division: Division, **traffic: Any) -> list[JSON]:
    md = model_deployment(traffic={"gateway": GATEWAY, **traffic})
    made: list[JSON] = http_route(md, division)["spec"]["rules"]
    return made


def weights(rule: JSON) -> dict[str, int]:
    return {b["name"]: b["weight"] for b in rule["backendRefs"]}


def answered_by(made: list[JSON], headers: dict[str, str]) -> set[str]:
    """The revisions that a request may reach: the rule with the most headers goes first."""

    def holds(wanted: JSON) -> bool:
        given = headers.get(wanted["name"], "")
        if wanted["type"] == "Exact":
            return bool(given == wanted["value"])
        return re.search(wanted["value"], given) is not None

    for rule in made:
        entries = rule.get("matches", [{"headers": []}])
        if any(all(map(holds, entry["headers"])) for entry in entries):
            return set(weights(rule))
    raise AssertionError("no rule takes it")


def test_who_matches_meets_the_canary_and_all_others_stable() -> None:
    made = rules(Division("stable", "canary", matches=(BETA, TEAM)))
    assert answered_by(made, {"X-Beta": "yes"}) == {"canary"}
    assert answered_by(made, {"Cookie": "a=b; team=a"}) == {"canary"}
    assert answered_by(made, {"Cookie": "team=b"}) == {"stable"}
    assert answered_by(made, {}) == {"stable"}


def test_everything_that_matches_takes_one_rule() -> None:
    made = rules(Division("stable", "canary", matches=(BETA, TEAM)))
    assert [len(rule.get("matches", ())) for rule in made] == [2, 0]


def test_a_client_stays_with_the_revision_that_has_answered_it() -> None:
    made = rules(Division("stable", "canary", 30), **STICKY)
    assert weights(made[-1]) == {"stable": 70, "canary": 30}
    assert answered_by(made, {}) == {"stable", "canary"}
    for backend in made[-1]["backendRefs"]:
        (told,) = backend["filters"][0]["responseHeaderModifier"]["add"]
        cookie = str(told["value"]).partition(";")[0]
        assert told == {
            "name": "Set-Cookie",
            "value": f"seen={backend['name']}; Path=/; Max-Age=600",
        }
        assert answered_by(made, {"Cookie": cookie}) == {backend["name"]}


def test_the_cookie_of_a_revision_that_is_gone_means_nothing() -> None:
    made = rules(Division("stable", "canary", 30), **STICKY)
    assert answered_by(made, {"Cookie": "seen=former"}) == {"stable", "canary"}


@pytest.mark.parametrize(
    "division",
    [
        Division("stable"),
        Division("stable", "canary", 0),
        Division("stable", "canary", 100),
        Division("stable", "canary", 0, matches=(BETA,)),
    ],
)
def test_nobody_is_bound_where_requests_are_not_divided_by_weight(division: Division) -> None:
    made = rules(division, **STICKY)
    assert "seen" not in str(made)


def test_a_baseline_gets_as_much_as_the_canary_of_what_would_be_stables() -> None:
    made = rules(Division("stable", "canary", 30, baseline="base"), **STICKY)
    assert weights(made[-1]) == {"stable": 40, "canary": 30, "base": 30}
    assert answered_by(made, {"Cookie": "seen=base"}) == {"base"}
    assert weights(rules(Division("stable", "canary", 0, baseline="base"))[-1]) == {"stable": 100}


@pytest.mark.parametrize("field", ["", "gateway"])
def test_a_baseline_has_a_service_of_its_own_where_each_revision_has(field: str) -> None:
    made = objects(field, Division("stable", "canary", 30, baseline="base", apart=True))
    own = {name for kind, name in made if kind == "Service"} - {"fraud"}
    assert own == {"stable", "canary", "base"}
    selector = made["Service", "fraud"]["spec"]["selector"]
    assert ("evenkeel.dev/revision" in selector) is bool(field)


def test_answers_tell_whose_they_are_and_bind_at_once() -> None:
    told = {**STICKY, "gateway": {**GATEWAY, "revisionHeaders": True}}
    for rule in rules(Division("stable", "canary", 30), **told):
        for backend in rule["backendRefs"]:
            (only,) = backend["filters"]
            modifier = only["responseHeaderModifier"]
            assert modifier["set"] == [{"name": "Evenkeel-Revision", "value": backend["name"]}]
            assert ("add" in modifier) is ("matches" not in rule)


def objects(field: str, division: Division, rollout: JSON = PREVIEW) -> dict[tuple[str, str], JSON]:
    traffic = {"gateway": GATEWAY} if field else {}
    md = model_deployment(traffic=traffic, rollout=rollout)
    made = STRATEGIES[field].objects(md, PORTS, division)
    return {(m["kind"], m["metadata"]["name"]): m for m in made}


@pytest.mark.parametrize("field", ["", "gateway"])
def test_a_preview_leads_to_the_canary_and_clients_to_stable(field: str) -> None:
    made = objects(field, Division("stable", "canary", preview=True))
    reached = {
        name: made["Service", name]["spec"]["selector"]["evenkeel.dev/revision"]
        for name in ("fraud", "fraud-preview")
    }
    assert reached == {"fraud": "stable", "fraud-preview": "canary"}
    assert (("HTTPRoute", "fraud-preview") in made) is bool(field)


def test_a_preview_has_its_own_host_names() -> None:
    made = objects("gateway", Division("stable", "canary", preview=True))
    route = made["HTTPRoute", "fraud-preview"]["spec"]
    assert route["hostnames"] == ["beta.example"]
    assert weights(route["rules"][0]) == {"canary": 100}
    assert made["HTTPRoute", "fraud"]["spec"]["hostnames"] == ["fraud.example"]


def test_no_host_names_no_route() -> None:
    steps = {"steps": [{"preview": {}, "analysis": False}]}
    made = objects("gateway", Division("stable", "canary", preview=True), steps)
    assert ("HTTPRoute", "fraud-preview") not in made


@pytest.mark.parametrize(
    ("preview", "rollout", "over"),
    [
        (True, PREVIEW, {"Service": False, "HTTPRoute": False}),
        (False, PREVIEW, {"Service": True, "HTTPRoute": True}),
        (True, {"steps": [{"preview": {}}]}, {"Service": False, "HTTPRoute": True}),
    ],
)
def test_what_is_left_of_a_preview_goes(
    preview: bool, rollout: JSON, over: dict[str, bool]
) -> None:
    md, division = model_deployment(rollout=rollout), Division("a", "b", preview=preview)
    found = {kind: left_over(md, division, kind, "fraud-preview") for kind in over}
    assert found == over
    assert not left_over(md, division, "Service", "fraud")
