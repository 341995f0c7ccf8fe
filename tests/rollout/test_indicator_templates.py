"""Rollouts whose indicators are made of templates: missing, mended and changed in mid-trial."""

from __future__ import annotations

from typing import Any

from tests.rollout.test_rollout import A, B, C, canary, condition, outcome, stable, started, world
from tests.support.rollout_world import World, run

JSON = dict[str, Any]
PAUSED = [{"weight": 20, "pauseSeconds": 600}]
COUNTS = {"parameters": [{"name": "path"}], "total": 't{path="{{args.path}}"}', "bad": "b"}
ERRORS = {"name": "errors", "templateRef": {"name": "counts"}}


def templated(steps: list[JSON] | None = None, **indicator: Any) -> World:
    args = {"args": [{"name": "path", "value": "/v1"}]}
    analysis = {"indicators": [{**ERRORS, **args, **indicator}], "minRequests": 50}
    w = world(steps)
    w.templates["counts"] = COUNTS
    w.edit(analysis=analysis)
    return w


def evidence(w: World) -> JSON:
    found = canary(w)
    assert found is not None
    told: JSON = found["indicators"][0]
    return told


def test_a_good_canary_passes_by_a_template_and_a_bad_one_goes_back() -> None:
    assert outcome(run(started(templated(), B), 60)) == "Promoted"
    assert outcome(run(started(templated(), C), 60)) == "RolledBack"


def test_without_its_template_no_trial_begins_until_it_is_there() -> None:
    w = templated()
    w.templates.clear()
    w.edit(model={"uri": B, "format": {"name": "sklearn"}})
    run(w, 60)
    assert (canary(w), stable(w)) == (None, A)
    ready = condition(w, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "TemplateNotFound")
    assert "create it, or name another" in ready["message"]
    w.templates["counts"] = COUNTS
    run(w, 60)
    assert (stable(w), outcome(w)) == (B, "Promoted")


def test_a_missing_argument_holds_up_a_trial_too() -> None:
    w = templated(args=[])
    w.edit(model={"uri": B, "format": {"name": "sklearn"}})
    run(w, 60)
    assert (canary(w), stable(w)) == (None, A)
    assert condition(w, "Ready")["reason"] == "MissingArgument"


def test_a_trial_that_loses_its_template_is_undecided_and_goes_on_with_its_evidence() -> None:
    w = run(started(templated(PAUSED), B), 20)
    before = evidence(w)["evidence"]["canaryTotal"]
    w.templates.clear()
    run(w, 10)
    assert evidence(w)["value"] == "Undecided"
    assert "which is not in this namespace there" in evidence(w)["message"]
    w.templates["counts"] = COUNTS
    run(w, 10)
    assert evidence(w)["evidence"]["canaryTotal"] > before
    assert not evidence(w).get("anew")


def test_nothing_is_promoted_undecided_without_its_template() -> None:
    w = run(started(templated([{"weight": 20, "deadlineSeconds": 60}]), B), 5)
    w.templates.clear()
    w.edit(analysis={**w.spec["analysis"], "onUndecided": "Promote"})
    run(w, 120)
    assert (stable(w), evidence(w)["value"]) == (A, "Undecided")


def test_a_template_that_changes_in_mid_trial_begins_the_evidence_anew() -> None:
    w = run(started(templated(PAUSED), B), 60)
    before = evidence(w)
    assert before["value"] == "Pass"
    w.templates["counts"] = {**COUNTS, "total": 'other{path="{{args.path}}"}'}
    w.settle()
    after = evidence(w)
    assert (after["anew"], after["value"]) == (True, "Undecided")
    assert "so its evidence began anew" in after["message"]
    assert after["definition"] != before["definition"]
    assert after["evidence"]["canaryTotal"] < before["evidence"]["canaryTotal"]
