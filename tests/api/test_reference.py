"""docs/reference/, docs/reasons.md and deploy/schemas/ are current and as full as the CRDs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from evenkeel.api import GROUP, KINDS, VERSION, Resource
from evenkeel.api.reasons import REASONS
from evenkeel.api.reference import files

from dev.paths import CRDS, DEPLOY, DOCS, ROOT

FILES = files()
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)


def crd(kind: type[Resource]) -> dict[str, Any]:
    (version,) = yaml.safe_load((CRDS / f"{kind.plural}.yaml").read_text())["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return found


def page(kind: type[Resource]) -> str:
    return FILES[f"docs/reference/{kind.kind.lower()}.md"]


def json_schema(kind: type[Resource]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        FILES[f"deploy/schemas/{GROUP}/{kind.kind.lower()}_{VERSION}.json"]
    )
    return found


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for child in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        yield from nodes(child)


@pytest.mark.parametrize("path", FILES)
def test_is_current(path: str) -> None:
    assert (ROOT / path).read_text() == FILES[path], "run: make manifests"


def test_nothing_else_is_there() -> None:
    there = [*(DOCS / "reference").iterdir(), *(DEPLOY / "schemas").rglob("*.json")]
    of_trainer = DOCS / "reference" / "profile.schema.json"
    found = {str(path.relative_to(ROOT)) for path in there if path != of_trainer}
    assert found | {"docs/reasons.md"} == set(FILES)


@kinds
def test_every_field_is_on_its_page(kind: type[Resource]) -> None:
    def paths(node: dict[str, Any], path: str) -> Iterator[str]:
        for name, child in node.get("properties", {}).items():
            yield f"{path}.{name}"
            yield from paths(child, f"{path}.{name}")
        if "items" in node:
            yield from paths(node["items"], f"{path}[]")

    written = re.findall(r"^\| `([^`]+)` \|", page(kind), re.MULTILINE)
    for part in {"spec", "status"} & crd(kind)["properties"].keys():
        inside = [path for path in written if path.startswith(part)]
        assert inside == list(paths(crd(kind)["properties"][part], part))


@kinds
def test_every_rule_is_told_in_words(kind: type[Resource]) -> None:
    for node in nodes(crd(kind)):
        for rule in node.get("x-kubernetes-validations", ()):
            assert rule["message"] in page(kind)


def test_types_defaults_and_bounds_are_told() -> None:
    pages = "\n".join(page(kind) for kind in KINDS)
    for row in (
        "| `spec.rollout.steps[].weight` | integer |  | 1 to 99 |",
        '| `spec.analysis.onUndecided` | one of `Hold`, `Promote`, `Rollback` | `"Rollback"` |  |',
        "| `spec.training.parameters` | map of string |  | at most 64 entries |",
        "| `spec.gates` | list of object |  | at most 32 items; merged by `name` |",
        "| `spec.suspend` | boolean | `false` |  |",
    ):
        assert row in pages


@kinds
def test_unknown_fields_are_refused_where_the_api_server_drops_them(kind: type[Resource]) -> None:
    def check(strict: dict[str, Any], own: dict[str, Any]) -> None:
        if "properties" in own:
            open_ = bool(own.get("x-kubernetes-preserve-unknown-fields"))
            assert strict["additionalProperties"] is open_
            for name, child in own["properties"].items():
                check(strict["properties"][name], child)
        if "items" in own:
            check(strict["items"], own["items"])

    check(json_schema(kind), crd(kind))


@kinds
def test_json_schemas_are_plain_and_name_their_kind(kind: type[Resource]) -> None:
    schema = json_schema(kind)
    assert schema["properties"]["kind"]["const"] == kind.kind
    assert set(schema["required"]) == {"apiVersion", "kind", "metadata", "spec"}
    for node in nodes(schema):
        assert not [key for key in node if key.startswith("x-")]
        if isinstance(node.get("pattern"), str):
            re.compile(node["pattern"])


def test_every_reason_is_on_its_page() -> None:
    sections = dict(
        zip(REASONS, re.split(r"^## .*$", FILES["docs/reasons.md"], flags=re.M)[1:], strict=True)
    )
    for kind, reasons in REASONS.items():
        assert re.findall(r"^\| `(\w+)`", sections[kind], re.M) == sorted(r.name for r in reasons)
