"""kopf and kubernetes are used by what they document."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from dev.paths import ROOT

PACKAGES = ("kopf", "kubernetes")
SOURCES = sorted((ROOT / "operator" / "evenkeel").rglob("*.py"))


def private_uses(source: str) -> list[str]:
    """Modules and names of the packages that begin with an underscore."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute):
            names = [ast.unparse(node)]
        else:
            continue
        found += [n for n in names if n.split(".")[0] in PACKAGES and "._" in n]
    return found


@pytest.mark.parametrize("file", SOURCES, ids=lambda f: str(f.relative_to(ROOT)))
def test_nothing_private(file: Path) -> None:
    assert private_uses(file.read_text()) == []


def test_private_uses_are_found() -> None:
    assert private_uses("import kopf._core") == ["kopf._core"]
    assert private_uses("from kopf._core.engines import peering") == ["kopf._core.engines.peering"]
    assert private_uses("kopf._cogs.x()") == ["kopf._cogs.x", "kopf._cogs"]
    assert private_uses("import kopf\nkopf.on.startup()") == []
