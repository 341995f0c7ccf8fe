"""The runtime and its vocabulary name nothing of this product, so that another could take them."""

from __future__ import annotations

import ast
from pathlib import Path

import evenkeel
import pytest
from evenkeel.api import GROUP, KINDS

ROOT = Path(evenkeel.__file__).parent
FILES = sorted(f for room in ("kube", "meta") for f in (ROOT / room).glob("*.py"))
NAMES = ("evenkeel", GROUP, *(kind.kind for kind in KINDS))


@pytest.mark.parametrize("file", FILES, ids=lambda f: f"{f.parent.name}/{f.name}")
def test_no_text_names_the_product(file: Path) -> None:
    texts = [
        node.value
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert not [t for t in texts for name in NAMES if name.lower() in t.lower()]
