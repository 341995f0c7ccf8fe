"""An indicator of a template: what is missing holds the rollout up, and what mends it wakes it."""

from __future__ import annotations

import pytest

from tests.support.manifests import manifest
from tests.support.operating import JSON, A, B, C, World, model_deployment, until

SPEC = """
    parameters: [{name: of}]
    total: 'all{revision="{{args.of}}"}'
    bad: 'bad{revision="{{args.of}}"}'
    good: null
"""
INDICATOR = {"name": "errors", "args": [{"name": "of", "value": "{{revision}}"}]}


def templated(name: str, kind: str, template: str) -> JSON:
    made = model_deployment(name, steps="[{weight: 50}]")
    ref = {"kind": kind, "name": template}
    made["spec"]["analysis"]["indicators"] = [{**INDICATOR, "templateRef": ref}]
    return made


@pytest.mark.parametrize("kind", ["IndicatorTemplate", "ClusterIndicatorTemplate"])
async def test_a_template_that_comes_late_lets_the_rollouts_go_on(w: World, kind: str) -> None:
    template = f"counts-{w.ns.name}"
    async with w.operator():
        w.ns.create(model_deployment("fraud", A, steps="[{weight: 50}]"))
        await until(lambda: w.ns.ready("fraud").get("status") == "True")
        w.ns.patch(
            "ModelDeployment",
            "fraud",
            {"spec": {"analysis": templated("fraud", kind, template)["spec"]["analysis"]}},
        )
        w.ns.serve("fraud", B)
        await until(lambda: w.ns.ready("fraud").get("reason") == "TemplateNotFound")
        assert (w.ns.stable_uri("fraud"), w.ns.canary("fraud")) == (A, None)

        w.ns.create(manifest(kind, SPEC, template))
        await until(lambda: w.ns.outcomes("fraud") == ["Promoted AllIndicatorsPass"])
        good = w.ns.revisions("fraud")
        w.counters.bad = lambda revision: 0.0 if revision in good else 0.5
        w.ns.serve("fraud", C)
        await until(lambda: w.ns.outcomes("fraud")[0].startswith("RolledBack"))
        assert w.ns.stable_uri("fraud") == B


async def test_an_edit_of_a_template_wakes_the_trial_and_begins_its_evidence_anew(
    w: World,
) -> None:
    async with w.operator():
        w.ns.create(manifest("IndicatorTemplate", SPEC, "counts"))
        md = templated("fraud", "IndicatorTemplate", "counts")
        md["spec"]["rollout"]["steps"] = [{"weight": 50, "pauseSeconds": 3600}]
        w.ns.create(md)
        await until(lambda: w.ns.ready("fraud").get("status") == "True")
        w.ns.serve("fraud", B)

        def indicator() -> JSON:
            return next(iter((w.ns.canary("fraud") or {}).get("indicators", ())), {})

        await until(lambda: indicator().get("value") == "Pass")
        before = indicator()["definition"]
        w.ns.patch("IndicatorTemplate", "counts", {"spec": {"tolerance": "0.5"}})
        await until(lambda: indicator().get("anew") is True)
        assert indicator()["definition"] != before
        assert "so its evidence began anew" in indicator()["message"]

        w.ns.patch("IndicatorTemplate", "counts", {"spec": {"parameters": []}})
        await until(lambda: indicator().get("value") == "Undecided")
        assert "has no parameter 'of' (it has: none); correct args" in indicator()["message"]
