"""The health checks for Argo CD, run by Lua 5.1 as Argo CD's interpreter speaks it."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml
from evenkeel.api import GROUP, KINDS
from lupa import lua51  # type: ignore[import-untyped]

from dev.paths import DEPLOY

ARGOCD = DEPLOY / "argocd"
CHECKS = ARGOCD / "resource_customizations" / GROUP


def cases() -> list[tuple[Path, dict[str, Any]]]:
    return [
        (file.parent, case)
        for file in sorted(CHECKS.glob("*/health_test.yaml"))
        for case in yaml.safe_load(file.read_text())["tests"]
    ]


@pytest.mark.parametrize(
    ("folder", "case"), cases(), ids=lambda x: x.name if isinstance(x, Path) else x["inputPath"]
)
def test_health(folder: Path, case: dict[str, Any]) -> None:
    lua = lua51.LuaRuntime(unpack_returned_tuples=True, register_eval=False)
    given = yaml.safe_load((folder / case["inputPath"]).read_text())
    lua.globals().obj = lua.table_from(given, recursive=True)
    found = lua.execute((folder / "health.lua").read_text())
    assert dict(found) == case["healthStatus"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_kind_and_every_input_is_tried(kind: Any) -> None:
    folder = CHECKS / kind.kind
    named = {c["inputPath"] for f, c in cases() if f == folder}
    inputs = sorted((folder / "testdata").iterdir())
    assert named == {f"testdata/{file.name}" for file in inputs}
    for file in inputs:
        given = yaml.safe_load(file.read_text())
        assert given["kind"] == kind.kind
        kind.model_validate(given)


def test_the_patch_is_current() -> None:
    rendered = runpy.run_path(str(ARGOCD / "render.py"))["render"]()
    assert (ARGOCD / "argocd-cm.yaml").read_text() == rendered, "run deploy/argocd/render.py"
    checks = yaml.safe_load(rendered)["data"]
    assert set(checks) == {f"resource.customizations.health.{GROUP}_{k.kind}" for k in KINDS}
