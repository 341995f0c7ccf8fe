"""crds/ is current and follows the Kubernetes API conventions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from cronsim import CronSim, CronSimError
from evenkeel.api import KINDS, Resource
from evenkeel.api.crd import render
from evenkeel.api.cron_syntax import CRON
from hypothesis import given
from hypothesis import strategies as st

from dev.paths import CRDS

Schema = dict[str, Any]

kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)


def schema(kind: type[Resource]) -> Schema:
    definition = yaml.safe_load((CRDS / f"{kind.plural}.yaml").read_text())
    (version,) = definition["spec"]["versions"]
    found: Schema = version["schema"]["openAPIV3Schema"]
    return found


def nodes(node: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every typed schema below the node with its path; `[]` stands for items, `{}` for values."""
    yield path, node
    for name, child in node.get("properties", {}).items():
        if path or name not in ("metadata", "apiVersion", "kind"):
            yield from nodes(child, f"{path}.{name}")
    if "items" in node:
        yield from nodes(node["items"], f"{path}[]")
    if isinstance(node.get("additionalProperties"), dict):
        yield from nodes(node["additionalProperties"], f"{path}{{}}")


def broken(kind: type[Resource], rule: Any) -> list[str]:
    return [path for path, node in nodes(schema(kind)) if not rule(node)]


@kinds
def test_generated_from_the_models(kind: type[Resource]) -> None:
    text = (CRDS / f"{kind.plural}.yaml").read_text()
    assert text == render(kind), "run: python -m evenkeel.api.crd crds"


def test_nothing_else_is_there() -> None:
    assert {f.name for f in CRDS.iterdir()} == {f"{kind.plural}.yaml" for kind in KINDS}


# What kubectl, Cluster API, Gateway API, KServe, Argo and the Prometheus operator answer to.
TAKEN = """
    bindings cj cl cm cr crb crd crds cs csr deploy ds ep ev gc gtw hpa ing isvc limits ma md mhc mp
    ms netpol no ns pc pdb pmon po prom promrule pv pvc quota rc ro rs sa sc smon sts svc vap wf
    wftmpl
"""


def test_short_names_are_nobody_elses() -> None:
    names = [name for kind in KINDS for name in kind.short_names]
    assert len(names) == len(set(names))
    assert not set(TAKEN.split()) & set(names)


@kinds
def test_client_side_apply_can_store_it_in_an_annotation(kind: type[Resource]) -> None:
    assert (CRDS / f"{kind.plural}.yaml").stat().st_size < 262_144


@kinds
def test_no_floats(kind: type[Resource]) -> None:
    assert not broken(kind, lambda node: node.get("type") != "number")


@kinds
def test_every_node_has_a_type(kind: type[Resource]) -> None:
    typed = {"type", "x-kubernetes-int-or-string"}
    assert not broken(kind, lambda node: typed & set(node))


@kinds
def test_every_field_is_described(kind: type[Resource]) -> None:
    undescribed = [
        path
        for path, node in nodes(schema(kind))
        if not path.endswith(("[]", "{}")) and not node.get("description", "").endswith((".", ")"))
    ]
    assert not undescribed


@kinds
def test_every_list_says_how_it_merges(kind: type[Resource]) -> None:
    types = ("atomic", "set", "map")
    assert not broken(
        kind,
        lambda node: node.get("type") != "array" or node.get("x-kubernetes-list-type") in types,
    )


@kinds
def test_sizes_are_bounded(kind: type[Resource]) -> None:
    def bounded(node: Schema) -> bool:
        match node.get("type"):
            case "string":
                return "maxLength" in node or "enum" in node
            case "array":
                return "maxItems" in node
            case "object" if "additionalProperties" in node:
                return "maxProperties" in node
        return True

    assert not broken(kind, bounded)


@kinds
def test_names_are_camel_case(kind: type[Resource]) -> None:
    camel = re.compile(r"[a-z]([a-zA-Z0-9])*")
    names = {name for _, node in nodes(schema(kind)) for name in node.get("properties", {})}
    assert not {name for name in names if not camel.fullmatch(name)}


@kinds
def test_enum_values_are_camel_case(kind: type[Resource]) -> None:
    camel = re.compile(r"[A-Z][a-zA-Z0-9]*")
    values = {
        (path, value)
        for path, node in nodes(schema(kind))
        for value in node.get("enum", ())
        if not path.endswith(".matchers[].operator")  # Alertmanager's own notation
    }
    assert not {(path, value) for path, value in values if not camel.fullmatch(value)}


@kinds
def test_no_phase(kind: type[Resource]) -> None:
    assert not [p for p, _ in nodes(schema(kind)) if p.rsplit(".", 1)[-1] in ("phase", "state")]


@kinds
def test_status_has_no_defaults(kind: type[Resource]) -> None:
    status = schema(kind)["properties"].get("status", {})
    assert not [path for path, node in nodes(status, "status") if "default" in node]


@kinds
def test_conditions_are_those_of_kubernetes(kind: type[Resource]) -> None:
    properties = schema(kind)["properties"]
    assert ("status" in properties) == kind.has_status
    if kind.has_status:
        conditions = properties["status"]["properties"]["conditions"]
        assert conditions["x-kubernetes-list-map-keys"] == ["type"]
        assert set(conditions["items"]["properties"]) == {
            "type",
            "status",
            "reason",
            "message",
            "lastTransitionTime",
            "observedGeneration",
        }
        assert set(conditions["items"]["required"]) == {
            "type",
            "status",
            "reason",
            "lastTransitionTime",
        }
        assert "observedGeneration" in properties["status"]["properties"]


@kinds
def test_rules_have_messages(kind: type[Resource]) -> None:
    for path, node in nodes(schema(kind)):
        for rule in node.get("x-kubernetes-validations", ()):
            assert len(rule["message"]) > 15, path


def _cronsim_reads(expression: str) -> bool:
    try:
        CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError:
        return False
    return len(expression.split()) == 5


WORDS = "MON sun JAN dec L LW 5L MON#2 5#6 * */5 1-5 5-1 1-31/2 MON-FRI ? @ x"
ITEM = st.one_of(st.integers(0, 70).map(str), st.sampled_from(WORDS.split(" ")))
FIELD = st.lists(ITEM, min_size=1, max_size=2).map(",".join)


@given(st.lists(FIELD, min_size=5, max_size=5).map(" ".join))
def test_every_expression_that_cronsim_reads_is_accepted(expression: str) -> None:
    if _cronsim_reads(expression):
        assert re.fullmatch(CRON, expression)


@given(st.lists(ITEM, min_size=4, max_size=6).map(" ".join))
def test_what_is_accepted_cronsim_reads_but_for_backward_ranges_and_missing_days(
    expression: str,
) -> None:
    backward = "5-1" in expression
    never = expression.split()[2] in ("30", "31")  # day 31 of months that have none
    if re.fullmatch(CRON, expression) and not backward and not never:
        assert _cronsim_reads(expression)
