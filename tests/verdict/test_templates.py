"""From an indicator that names a template to one of its own."""

from __future__ import annotations

from typing import Any

import promql_parser
import pytest
from evenkeel.api.analysis import IndicatorSpec
from evenkeel.api.indicatortemplate import IndicatorTemplateSpec
from evenkeel.verdict.indicators import Queries, Side, UnresolvedIndicator, resolve
from evenkeel.verdict.sample_times import well_formed
from evenkeel.verdict.tally import definition
from evenkeel.verdict.templates import instantiated
from hypothesis import given
from hypothesis import strategies as st

SIDE = Side("shop", "fraud", "fraud-0123456789")
TEMPLATE = {
    "parameters": [{"name": "route"}, {"name": "job", "default": "gateway"}],
    "total": 'n{r="{{args.route}}",j="{{ args.job }}",pod=~"{{pods}}"}',
    "good": 'g{r="{{args.route}}",j="{{args.job}}",pod=~"{{pods}}"}',
}
LINE = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=40).filter(
    lambda text: "evenkeel_literal_" not in text
)
"""But for what stands for literals while a query is read, which no query may have."""


def made(
    template: dict[str, Any] | None = None, name: str = "slow", **fields: Any
) -> IndicatorSpec | UnresolvedIndicator:
    """The indicator errors of a template; `template`: what is put over TEMPLATE."""
    given_args = fields.pop("args", {"route": "/v1"})
    args = [{"name": k, "value": v} for k, v in given_args.items()]
    spec = {"name": "errors", "templateRef": {"name": name}, "args": args, **fields}
    known = IndicatorTemplateSpec.model_validate({**TEMPLATE, **(template or {})})
    return instantiated(IndicatorSpec.model_validate(spec), lambda _: known)


def indicator(template: dict[str, Any] | None = None, **fields: Any) -> IndicatorSpec:
    found = made(template, **fields)
    assert isinstance(found, IndicatorSpec), found
    return found


def refusal(template: dict[str, Any] | None = None, **fields: Any) -> UnresolvedIndicator:
    found = made(template, **fields)
    assert isinstance(found, UnresolvedIndicator), found
    return found


def test_queries_have_their_arguments_and_each_sides_own_placeholders() -> None:
    found = resolve(indicator(), None, SIDE)
    assert isinstance(found, Queries)
    pods = "fraud-0123456789-[a-z0-9]{1,10}-[a-z0-9]{5}"
    assert found.total == f'n{{r="/v1",j="gateway",pod=~"{pods}"}}'
    assert found.good == f'g{{r="/v1",j="gateway",pod=~"{pods}"}}'


def test_an_argument_takes_the_place_of_the_default_and_may_have_placeholders() -> None:
    found = resolve(indicator(args={"route": "{{revision}}", "job": ""}), None, SIDE)
    assert isinstance(found, Queries)
    assert 'r="fraud-0123456789",j=""' in found.total


@given(LINE, st.sampled_from("\"'"))
def test_within_quotes_an_argument_is_the_text_that_it_is(value: str, quote: str) -> None:
    query = f"sum by (pod) (n{{r={quote}{{{{args.route}}}}{quote}}})"
    found = indicator({"total": query, "good": "g"}, args={"route": value})
    assert found.total is not None
    assert well_formed(found.total)
    tree = promql_parser.parse(found.total)
    assert isinstance(tree, promql_parser.AggregateExpr)
    (matcher,) = tree.expr.matchers.matchers
    assert matcher.value == value


@pytest.mark.parametrize("value", ['a`) or vector(1) or n{r=`"', "`"])
def test_what_backticks_cannot_hold_is_refused(value: str) -> None:
    template = {"total": "n{r=`{{args.route}}`}", "good": "g"}
    found = refusal(template, args={"route": value})
    assert found.reason == "InvalidArgument"
    assert "change the value, or the template's quotes" in found.message
    assert indicator(template, args={"route": 'a"\\'}).total == 'n{r=`a"\\`}'


@pytest.mark.parametrize("value", ["5m", "my_total", "a:rate", "0.25", "-1.5e-3", "100"])
def test_outside_of_quotes_an_argument_is_a_name_a_number_or_a_duration(value: str) -> None:
    template = {"total": "n > {{args.route}}", "good": "g"}
    assert indicator(template, args={"route": value}).total == f"n > {value}"


@pytest.mark.parametrize("value", ["1) or vector(0", "a{b=1}", "x y", "", "{{pods}}", "a#", "'a'"])
def test_outside_of_quotes_nothing_else_is_taken(value: str) -> None:
    for query in ("n > {{args.route}}", 'n{a="b"} > {{args.route}}', "n # {{args.route}}"):
        found = refusal({"total": query, "good": "g"}, args={"route": value})
        assert found.reason == "InvalidArgument"
        assert "outside of quotes" in found.message


def test_a_template_that_is_not_there() -> None:
    for kind, says in (
        ("IndicatorTemplate", "in this namespace"),
        ("ClusterIndicatorTemplate", ""),
    ):
        spec = {"name": "errors", "templateRef": {"kind": kind, "name": "gone"}}
        found = instantiated(IndicatorSpec.model_validate(spec), lambda _: None)
        assert isinstance(found, UnresolvedIndicator)
        assert found.reason == "TemplateNotFound"
        assert f"is of {kind} 'gone', which is not {says}" in found.message
        assert "create it, or name another" in found.message


def test_arguments_that_are_missing_or_unknown() -> None:
    missing = refusal(args={"job": "a"})
    assert (missing.reason, "'route' has no default" in missing.message) == (
        "MissingArgument",
        True,
    )
    unknown = refusal(args={"route": "a", "rotue": "b"})
    assert unknown.reason == "UnknownArgument"
    assert "no parameter 'rotue' (it has: route, job)" in unknown.message


def test_a_query_with_an_argument_that_is_no_parameter() -> None:
    found = refusal({"good": "g{a='{{args.rotue}}'}"})
    assert found.reason == "UnknownPlaceholder"
    assert "known are: {{args.route}}, {{args.job}}" in found.message
    assert refusal({"parameters": []}, args={}).message.count("known are: none") == 1


def test_limits_are_the_indicators_own_then_the_templates_then_the_apis() -> None:
    limits = {"acceptable": "0.01", "maxRatio": "0.1", "tolerance": "0.5", "burnInRequests": 7}
    found = indicator(limits, acceptable="0.005", maxRatio="0.2")
    assert (found.acceptable, found.max_ratio) == ("0.005", "0.2")
    assert (found.tolerance, found.burn_in_requests) == ("0.5", 7)
    assert (indicator().acceptable, indicator().tolerance) == ("0.005", "0.25")


def test_limits_that_contradict_one_another_only_together() -> None:
    found = refusal({"acceptable": "0.1"}, maxRatio="0.05")
    assert found.reason == "InvalidLimits"
    assert "acceptable (0.1) exceeds maxRatio (0.05)" in found.message


def test_a_threshold_of_the_histogram() -> None:
    histogram = {"good": 'g{le=~"{{le}}"}', "thresholds": ["0.1", "1.0"], "thresholdSeconds": "1"}
    assert indicator(histogram).threshold_seconds == "1"
    assert indicator(histogram, thresholdSeconds="0.1").threshold_seconds == "0.1"
    found = refusal(histogram, thresholdSeconds="0.2")
    assert (found.reason, "take one of 0.1, 1.0" in found.message) == ("UnknownThreshold", True)


def test_evidence_is_of_what_is_counted_and_not_of_who_wrote_it() -> None:
    before = definition(indicator())
    assert before == definition(indicator(name="renamed"))
    assert before == definition(indicator({"description": "other words"}))
    assert before == definition(indicator(args={"route": "/v1", "job": "gateway"}))
    for changed in (
        indicator({"total": "n"}),
        indicator({"maxRatio": "0.5"}),
        indicator(args={"route": "/v2"}),
    ):
        assert definition(changed) != before


def test_an_indicator_of_no_template_is_as_it_was() -> None:
    own = IndicatorSpec.model_validate({"name": "errors"})
    assert instantiated(own, lambda _: None) is own
