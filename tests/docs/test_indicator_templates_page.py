"""The templates of the pages and of examples/ make the indicators that stand beside them."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from evenkeel.api.analysis import IndicatorSpec
from evenkeel.api.indicatortemplate import IndicatorTemplateSpec
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.verdict.indicators import Queries, Side
from evenkeel.verdict.resolution import question
from evenkeel.verdict.sample_times import sample_times
from evenkeel.verdict.templates import made_of_templates
from evenkeel.verdict.web_counters import WebQuestion

from dev.paths import ROOT

EXAMPLES = sorted((ROOT / "examples" / "indicator-templates").glob("*.yaml"))
BLOCKS = re.findall(
    r"```yaml\n(.*?)```", (ROOT / "docs" / "indicatortemplate.md").read_text(), re.S
)


@pytest.mark.parametrize(
    "texts", [[e.read_text() for e in EXAMPLES], BLOCKS], ids=["examples", "page"]
)
def test_every_indicator_is_made_and_asked(texts: list[str]) -> None:
    objects: list[dict[str, Any]] = [o for text in texts for o in yaml.safe_load_all(text)]
    templates = {
        (o["kind"], o["metadata"]["name"]): IndicatorTemplateSpec.model_validate(o["spec"])
        for o in objects
        if o["kind"].endswith("IndicatorTemplate")
    }
    (found,) = (o for o in objects if o["kind"] == "ModelDeployment")

    def known(indicator: IndicatorSpec) -> IndicatorTemplateSpec | None:
        assert indicator.template_ref is not None
        return templates.get((indicator.template_ref.kind, indicator.template_ref.name))

    made = made_of_templates(ModelDeployment.model_validate(found), known)
    assert not made.unmade
    assert made.deployment.spec.analysis is not None
    for indicator in made.deployment.spec.analysis.indicators:
        asked = question(indicator, None, Side("ml", "fraud", "fraud-0123456789"))
        if isinstance(asked, Queries):
            assert sample_times(asked.total), asked
            assert sample_times(asked.counted), asked
        else:
            assert isinstance(asked, WebQuestion), asked
