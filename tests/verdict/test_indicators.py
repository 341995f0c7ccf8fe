"""From indicators to PromQL."""

import re
from decimal import Decimal
from typing import Any

import pytest
import yaml
from evenkeel.api import ClusterServingRuntime
from evenkeel.api.analysis import IndicatorSpec
from evenkeel.api.servingruntime import RuntimeMetrics
from evenkeel.verdict.gateway_indicators import GATEWAYS
from evenkeel.verdict.indicators import (
    Queries,
    Side,
    UnresolvedIndicator,
    is_pod_of,
    le_pattern,
    pods,
    resolve,
    sourced,
)
from evenkeel.verdict.sample_times import well_formed
from hypothesis import given
from hypothesis import strategies as st

from dev.paths import RUNTIMES

SIDE = Side("shop", "fraud", "fraud-0123456789")
METRICS = RuntimeMetrics.model_validate(
    {
        "indicators": [
            {"name": "errors", "total": "t{pod=~'{{pods}}'}", "bad": "b{ns='{{namespace}}'}"},
            {
                "name": "latency",
                "total": "n",
                "good": "g{le=~'{{le}}'}",
                "thresholds": ["0.1", "1.0"],
            },
        ]
    }
)

VLLM = ClusterServingRuntime.model_validate(
    yaml.safe_load((RUNTIMES / "vllm.yaml").read_text())
).spec.metrics


def indicator(**fields: Any) -> IndicatorSpec:
    return IndicatorSpec.model_validate({"name": "errors", **fields})


def queries(*args: Any) -> Queries:
    result = resolve(*args, SIDE)
    assert isinstance(result, Queries), result
    return result


def unresolved(*args: Any) -> UnresolvedIndicator:
    result = resolve(*args, SIDE)
    assert isinstance(result, UnresolvedIndicator), result
    return result


def test_the_runtimes_queries_are_filled_in() -> None:
    assert queries(indicator(), METRICS) == Queries(
        "errors",
        total="t{pod=~'fraud-0123456789-[a-z0-9]{1,10}-[a-z0-9]{5}'}",
        bad="b{ns='shop'}",
        revision="fraud-0123456789",
    )


def test_the_indicators_own_queries_come_first() -> None:
    own = indicator(total="own {{deployment}} {{ revision }}", good="{{service}} {{route}}")
    assert queries(own, METRICS) == Queries(
        "errors",
        total="own fraud fraud-0123456789",
        good="fraud-0123456789 fraud",
        revision="fraud-0123456789",
    )


def test_the_counted_events_are_the_bad_or_the_good_ones() -> None:
    assert Queries("errors", total="t", good="g").counted == "g"
    assert Queries("errors", total="t", bad="b").counted == "b"


def test_a_pod_is_told_by_its_name() -> None:
    assert is_pod_of("fraud-0123456789", "fraud-0123456789-7d9f8-x2k4q")
    for other in ("fraud-0123456789-x2k4q", "fraud-0123456789-a-b-x2k4q", "fraud-7d9f8-x2k4q", ""):
        assert not is_pod_of("fraud-0123456789", other)


def test_the_sides_differ_by_revision_only() -> None:
    other = resolve(indicator(), METRICS, SIDE._replace(revision="fraud-9876543210"))
    assert isinstance(other, Queries)
    assert other.total == queries(indicator(), METRICS).total.replace("0123456789", "9876543210")


def test_an_unknown_name_lists_the_known_ones() -> None:
    result = unresolved(indicator(name="accuracy"), METRICS)
    assert result.reason == "UnknownIndicator"
    assert "errors, latency" in result.message
    assert "none" in unresolved(indicator(name="accuracy"), None).message


class TestThreshold:
    def test_a_bound_may_be_written_in_any_way(self) -> None:
        for text in ("1", "1.0", "1.00"):
            found = queries(indicator(name="latency", thresholdSeconds=text), METRICS)
            assert found.good is not None
            pattern = found.good.removeprefix("g{le=~'").removesuffix("'}")
            assert re.fullmatch(pattern, "1")
            assert re.fullmatch(pattern, "1.0")
            assert not re.fullmatch(pattern, "10")

    def test_one_that_is_no_bucket_names_the_buckets(self) -> None:
        result = unresolved(indicator(name="latency", thresholdSeconds="0.2"), METRICS)
        assert result.reason == "UnknownThreshold"
        assert "0.1, 1.0" in result.message

    def test_latency_needs_one(self) -> None:
        result = unresolved(indicator(name="latency"), METRICS)
        assert result == UnresolvedIndicator(
            "MissingThreshold", "indicator 'latency' needs thresholdSeconds, one of 0.1, 1.0"
        )

    def test_errors_have_no_use_for_one(self) -> None:
        result = unresolved(indicator(thresholdSeconds="0.1"), METRICS)
        assert result.reason == "UnusedThreshold"

    def test_units_follow(self) -> None:
        own = indicator(
            thresholdSeconds="0.25", total="{{threshold}}", good="{{leMillis}} {{leMicros}}"
        )
        found = queries(own, None)
        assert found.total == "0.25"
        assert found.good is not None
        millis, micros = found.good.split()
        assert re.fullmatch(millis, "250")
        assert re.fullmatch(micros, "250000.0")


def test_an_unknown_placeholder_is_refused() -> None:
    result = unresolved(indicator(total="{{pod}}", bad="x"), METRICS)
    assert result.reason == "UnknownPlaceholder"
    assert "{{pod}}" in result.message
    assert "{{pods}}" in result.message


class TestPods:
    @pytest.mark.parametrize(
        ("pod", "matches"),
        [
            ("fraud-0123456789-6b9f8c7d5-x2x4z", True),
            ("fraud-0123456789-abc-6b9f8c7d5-x2x4z", False),
            ("a-fraud-0123456789-6b9f8c7d5-x2x4z", False),
            ("fraud-9876543210-6b9f8c7d5-x2x4z", False),
            ("fraud-0123456789-0", False),
        ],
    )
    def test_only_the_revisions_own_match(self, pod: str, matches: bool) -> None:
        assert bool(re.fullmatch(pods("fraud-0123456789"), pod)) is matches


@pytest.mark.parametrize(
    "written",
    ["1", "1.0", "10", "10.0", "0.005", "2.5", "250", "1.27482e+06", "708235.0", "1e+06", "0.5"],
)
def test_a_bound_matches_as_exporters_write_it(written: str) -> None:
    assert re.fullmatch(le_pattern(Decimal(written)), written)


@given(st.decimals("0.0001", "100000", places=4), st.decimals("0.0001", "100000", places=4))
def test_a_bound_matches_no_other_number(one: Decimal, other: Decimal) -> None:
    assert bool(re.fullmatch(le_pattern(one), f"{other:f}".rstrip("0").rstrip("."))) is (
        one == other
    )


@pytest.mark.parametrize("source", sorted(GATEWAYS))
def test_gateways_count_errors_and_latency_for_each_process(source: str) -> None:
    threshold = next(q.thresholds[0] for q in GATEWAYS[source] if q.name == "latency")
    for spec in (
        indicator(source=source),
        indicator(source=source, name="latency", thresholdSeconds=threshold),
    ):
        found = queries(spec, None)
        assert found.good is not None
        for query in (found.total, found.good):
            assert query.startswith("sum by (instance, pod) (")
            assert "fraud-0123456789" in query
            assert "{{" not in query


METERED = SIDE._replace(meter=True)


def test_without_a_source_both_sides_are_asked_by_the_meter_or_both_by_the_runtime() -> None:
    by_meter = resolve(sourced(indicator(), metered=True), METRICS, METERED)
    assert isinstance(by_meter, Queries)
    assert "evenkeel_model_requests_total" in by_meter.total
    assert by_meter.beside
    by_runtime = resolve(sourced(indicator(), metered=False), METRICS, METERED)
    assert isinstance(by_runtime, Queries)
    assert by_runtime.total == queries(indicator(), METRICS).total
    assert not by_runtime.beside


def test_a_source_that_is_given_stays() -> None:
    assert sourced(indicator(source="Istio"), metered=True).source == "Istio"


@pytest.mark.parametrize(("labels", "source"), [(True, "Meter"), (False, "Runtime")])
def test_labels_need_no_meter_beside(labels: bool, source: str) -> None:
    late = IndicatorSpec(name="labels", max_ratio="0.2")
    assert sourced(late, metered=False, labels=labels).source == source


def test_the_meter_counts_good_answers_whatever_the_model_server_is() -> None:
    errors = resolve(indicator(source="Meter"), None, METERED)
    assert isinstance(errors, Queries)
    assert errors.good is not None
    (codes,) = re.findall(r'code=~"([^"]+)"', errors.good)
    assert [c for c in ("200", "302", "0", "404", "500", "13", "3") if re.fullmatch(codes, c)] == [
        "200",
        "302",
        "0",
    ]


@pytest.mark.parametrize(
    ("name", "threshold"),
    [
        ("latency", "0.25"),
        ("time-to-first-token", "0.25"),
        ("time-per-output-token", "0.03"),
        ("inter-token-latency", "0.03"),
    ],
)
@pytest.mark.parametrize("source", ["Meter", "Runtime"])
def test_times_of_language_models_have_thresholds(name: str, threshold: str, source: str) -> None:
    metrics = VLLM if source == "Runtime" else None
    bound = "0.5" if source == "Runtime" else threshold
    found = resolve(indicator(source=source, name=name, thresholdSeconds=bound), metrics, METERED)
    assert isinstance(found, Queries), found
    assert well_formed(found.total)
    assert well_formed(found.counted)
    without = resolve(indicator(source=source, name=name), metrics, METERED)
    assert isinstance(without, UnresolvedIndicator)
    assert without.reason == "MissingThreshold"


def test_a_stream_that_its_client_leaves_is_not_counted() -> None:
    found = resolve(indicator(source="Meter", name="stream-errors"), None, METERED)
    assert isinstance(found, Queries)
    assert 'end!="client"' in found.total
    assert found.counted == found.total.replace('end!="client"', 'end!="client",end="done"')


@pytest.mark.parametrize(
    ("reason", "good"), [("stop", True), ("length", True), ("abort", False), ("error", False)]
)
def test_vllms_generations_are_good_unless_the_engine_ends_them(reason: str, good: bool) -> None:
    found = resolve(indicator(source="Runtime", name="stream-errors"), VLLM, METERED)
    assert isinstance(found, Queries)
    (bad,) = re.findall(r'finished_reason!~"([^"]+)"', found.counted)
    assert (re.fullmatch(bad, reason) is None) == good


def test_a_revision_without_the_meter_cannot_be_asked_by_it() -> None:
    found = unresolved(indicator(source="Meter"), METRICS)
    assert found.reason == "RevisionWithoutMeter"
    assert "fraud-0123456789 has no meter" in found.message


def test_labels_need_a_server_and_no_meter() -> None:
    spec = indicator(source="Meter", name="labels")
    found = resolve(spec, None, METERED)
    assert isinstance(found, UnresolvedIndicator)
    assert found.reason == "IndicatorWithoutFeedback"
    assert "add spec.monitoring.feedback" in found.message
    labelled = resolve(spec, None, METERED._replace(meter=False, labels=True))
    assert isinstance(labelled, Queries)
    assert f'revision=~"|{METERED.revision}",slice=""' in labelled.total
    assert labelled.counted == labelled.total.replace('slice=""', 'slice="",result="good"')


def test_traefiks_service_is_found_by_its_name() -> None:
    query = queries(indicator(source="Traefik"), None).total
    (pattern,) = re.findall(r'service=~"([^"]+)"', query)
    name = "httproute-shop-fraud-gw-infra-web-ep-http-0-1a2b3c-svc-shop-{}-1@kubernetesgateway"
    assert re.fullmatch(pattern, name.format("fraud-0123456789"))
    assert not re.fullmatch(pattern, name.format("fraud-9876543210"))


NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
SECONDS = st.from_regex(r"(0\.[0-9]{0,3}[1-9]|[1-9][0-9]{0,3})", fullmatch=True)


@given(st.builds(Side, NAMES, NAMES, NAMES), SECONDS)
def test_no_name_that_the_api_takes_changes_what_a_query_means(side: Side, seconds: str) -> None:
    """Names and thresholds are put into PromQL as they are: none has a character to escape."""
    own = RuntimeMetrics.model_validate(
        {
            "indicators": [
                {
                    "name": "own",
                    "total": "t{a='{{namespace}}', b='{{deployment}}', c='{{revision}}'}",
                    "good": "g{pod=~'{{pods}}', s='{{service}}', r='{{route}}', le=~'{{le}}'}",
                }
            ]
        }
    )
    made = resolve(indicator(name="own", thresholdSeconds=seconds), own, side)
    assert isinstance(made, Queries)
    assert made.total == f"t{{a='{side.namespace}', b='{side.deployment}', c='{side.revision}'}}"
    assert well_formed(made.total)
    assert well_formed(made.counted)
    values = re.findall(r"'([^']*)'", made.total + made.counted)
    assert len(values) == 7
    assert not any(set('"\\\n{}') & set(value) for value in values[:3] + values[4:6])
    assert re.fullmatch(values[3], f"{side.revision}-abc-12345")
