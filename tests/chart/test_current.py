"""What is generated from elsewhere is current."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from evenkeel.controllers import kinds

from dev.paths import CHART, ROOT


@pytest.fixture(scope="module")
def sync() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sync", ROOT / "charts" / "sync.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_charts_copies(sync: ModuleType) -> None:
    wanted = sync.copies()
    files = CHART / "files"
    there = {*(files / "crds").iterdir(), *(files / "runtimes").iterdir(), files / "rights.yaml"}
    assert there == set(wanted), "run: python charts/sync.py"
    for path, text in wanted.items():
        assert path.read_text() == text, "run: python charts/sync.py"


def test_the_plain_manifests(sync: ModuleType, helm_binary: Path) -> None:
    for path, text in sync.manifests(str(helm_binary)).items():
        assert path.read_text() == text, "run: python charts/sync.py"


def test_the_readme_names_every_value() -> None:
    whole = ("podSecurityContext", "securityContext", "resources")

    def leaves(node: Any, path: str = "") -> set[str]:
        if isinstance(node, dict) and node and path not in whole:
            return {leaf for k, v in node.items() for leaf in leaves(v, f"{path}.{k}".strip("."))}
        return {path}

    values = yaml.safe_load((CHART / "values.yaml").read_text())
    documented = set(re.findall(r"^\| `([^`]+)` \|", (CHART / "README.md").read_text(), re.M))
    assert documented == leaves(values)


def test_the_schema_is_strict_and_covers_every_value() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    def compare(values: dict[str, Any], node: dict[str, Any], path: str) -> None:
        properties = node["properties"]
        assert node["additionalProperties"] is False, path
        assert set(values) <= set(properties), path
        for name, value in values.items():
            if "properties" in properties[name] and isinstance(value, dict):
                compare(value, properties[name], f"{path}.{name}")

    compare(yaml.safe_load((CHART / "values.yaml").read_text()), schema, "")


def test_every_integration_can_be_switched_on_and_is_off() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())["integrations"]
    assert values == {name: {"enabled": False} for name in kinds.integrations()}


def test_the_version_is_the_packages() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert version is not None
    assert chart["version"] == chart["appVersion"] == version[1]
