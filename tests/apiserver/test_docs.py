"""Every example of the README, of docs/ and of examples/ is accepted by a real API server."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from dev.paths import ROOT
from tests.support.api_server import ApiServer

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
MANIFESTS = sorted((ROOT / "examples").glob("**/*.yaml"))
OURS = "evenkeel.dev/v1alpha1"


def examples() -> list[Any]:
    blocks = [
        (page.stem, number, block)
        for page in PAGES
        for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.S))
    ]
    files = [(file.parent.name, 0, file.read_text()) for file in MANIFESTS]
    return [
        pytest.param(document, id=f"{name}-{document['kind']}-{number}")
        for name, number, block in blocks + files
        for document in yaml.safe_load_all(block)
        if isinstance(document, dict) and document.get("apiVersion") == OURS
    ]


def test_the_pages_have_examples() -> None:
    pages = {str(p.id).split("-")[0] for p in examples()}
    kinds = {"modeldeployment", "retrainschedule", "trainingrun", "modelversion", "servingruntime"}
    kinds |= {"modelregistry", "indicatortemplate"}
    assert kinds | {"README"} <= pages


@pytest.mark.parametrize("document", examples())
def test_it_is_accepted(api_server: ApiServer, namespace: str, document: dict[str, Any]) -> None:
    document["metadata"].pop("namespace", None)
    text = yaml.safe_dump(document)
    api_server.kubectl(
        "apply",
        "--dry-run=server",
        "--validate=strict",
        f"--namespace={namespace}",
        "-f",
        "-",
        stdin=text,
    )
