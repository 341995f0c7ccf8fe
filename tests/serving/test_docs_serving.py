"""The examples of the pages on model servers and storage work as they stand."""

import re
from typing import Any

import pytest
import yaml
from evenkeel.api import KINDS, ClusterServingRuntime
from evenkeel.serving.model_source import Target
from evenkeel.serving.pod_template import pod_template

from dev.paths import DOCS
from tests.support.serving_examples import REVISION, SETTINGS, built, model_deployment

BY_KIND = {kind.kind: kind for kind in KINDS}
PAGES = ("servingruntime", "storage", "llm")


def examples() -> list[tuple[str, dict[str, Any]]]:
    return [
        (page, document)
        for page in PAGES
        for block in re.findall(r"```yaml\n(.*?)```", (DOCS / f"{page}.md").read_text(), re.S)
        for document in yaml.safe_load_all(block)
    ]


MLSERVER = ClusterServingRuntime.model_validate(
    yaml.safe_load((DOCS.parent / "config" / "runtimes" / "mlserver-sklearn.yaml").read_text())
).spec
OURS = [document for _, document in examples() if document.get("kind") in BY_KIND]


def written_fields_are_known(written: Any, known: Any) -> None:
    if isinstance(written, dict) and isinstance(known, dict):
        assert written.keys() <= known.keys()
        for key, value in written.items():
            written_fields_are_known(value, known[key])


@pytest.mark.parametrize("page", PAGES)
def test_the_page_has_examples(page: str) -> None:
    assert [document for name, document in examples() if name == page]


@pytest.mark.parametrize("document", OURS, ids=lambda d: f"{d['kind']}-{d['metadata']['name']}")
def test_it_validates_and_gives_pods(document: dict[str, Any]) -> None:
    parsed: Any = BY_KIND[document["kind"]].model_validate(document)
    written_fields_are_known(document["spec"], parsed.spec.wire())
    if document["kind"] == "ModelDeployment":
        target = Target(parsed.spec.model.uri or "pvc://models/fraud/7")
        template = pod_template(parsed, REVISION, target, MLSERVER, SETTINGS)
        assert isinstance(template, dict), template
    else:
        built(model_deployment(), parsed.spec)


def test_every_shipped_runtime_is_on_the_page() -> None:
    page = (DOCS / "servingruntime.md").read_text()
    for path in (DOCS.parent / "config" / "runtimes").glob("*.yaml"):
        if path.stem != "kustomization":
            assert path.stem.removeprefix("mlserver") in page
