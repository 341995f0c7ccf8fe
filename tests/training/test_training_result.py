"""The trainer's report is taken as it is meant, or refused with the reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from evenkeel.api.common import Metric
from evenkeel.meta.model import Model
from evenkeel.training.result import InvalidResult, parse_result
from hypothesis import given, settings
from hypothesis import strategies as st

GOOD: dict[str, Any] = {"uri": "s3://models/elec/7", "format": {"name": "sklearn"}}


def report(**more: Any) -> str:
    return json.dumps({**GOOD, **more})


def refusal(message: str) -> str:
    with pytest.raises(InvalidResult) as refused:
        parse_result(message)
    return str(refused.value)


def values(metrics: tuple[Metric, ...]) -> dict[str, str]:
    return {m.name: m.value for m in metrics}


def test_a_complete_report() -> None:
    slice_ = {"name": "night", "samples": 800, "metrics": {"accuracy": 0.9}}
    result = parse_result(
        report(
            format={"name": "sklearn", "version": "1"},
            digest="sha256:" + "0" * 64,
            metrics={"accuracy": 0.93, "records": 100, "bias": "-0.50"},
            slices=[slice_],
            dataRevision="d1",
            codeRevision="c1",
        )
    )
    assert values(result.metrics) == {"accuracy": "0.93", "records": "100", "bias": "-0.50"}
    assert result.slices[0].samples == 800
    assert values(result.slices[0].metrics) == {"accuracy": "0.9"}
    assert (result.data_revision, result.code_revision) == ("d1", "c1")


@pytest.mark.parametrize(
    "uri",
    [
        "pvc://claim/m",
        "file:///m",
        "s3://b/m",
        "gs://b",
        "https://h:8/m?x=1",
        "hf://o/m",
        "oci://r/m:1",
    ],
)
def test_uris(uri: str) -> None:
    assert parse_result(report(uri=uri)).uri == uri


def test_metrics_as_the_api_lists_them_and_null_as_nothing() -> None:
    result = parse_result(report(metrics=[{"name": "auc", "value": 0.5}], digest=None))
    assert (values(result.metrics), result.digest) == ({"auc": "0.5"}, None)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0.1", "0.1"),
        ("1e-3", "0.001"),
        ("1E+3", "1000"),
        ("-0.0", "0"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("1.2345678901234567e-20", "0.000000000000000000012345678901"),
        ("1e-400", "0"),
        ("-12345678901234567890123456789.5", "-12345678901234567890123456789.5"),
    ],
)
def test_numbers_become_decimals_of_at_most_32_characters(number: str, text: str) -> None:
    result = parse_result(report(metrics={"m": 0}).replace('"m": 0', f'"m": {number}'))
    assert values(result.metrics) == {"m": text}


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e28, max_value=1e28))
def test_every_float_is_kept_to_ten_digits_or_thirty_decimals(number: float) -> None:
    (metric,) = parse_result(report(metrics={"m": number})).metrics
    assert len(metric.value) <= 32
    assert float(metric.value) == pytest.approx(number, rel=1e-10, abs=1e-28)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("", "left no termination message; write one JSON object to /dev/termination-log"),
        (" \n", "left no termination message"),
        ("done", "is not JSON"),
        ("{" * 4000, "is not JSON"),
        ("[1]", "is not a JSON object"),
        ("null", "is not a JSON object"),
        (report() + report(), "is not JSON"),
        (report(metrics={f"metric-{i}": i for i in range(400)})[:4096], "cut at 4096 bytes"),
        (report(metrics={"m": float("nan")}), "NaN is not a number"),
        (report(metrics={"m": float("inf")}), "Infinity is not a number"),
        (report(metrics={"m": "nan"}), 'metrics.m must be a number, not "nan"'),
        (report(metrics={"m": True}), "metrics.m must be a number, not true"),
        (report(metrics={"m": None}), "metrics.m must be a number, not null"),
        (report(metrics={"m": [1]}), "metrics.m must be a number"),
        (report(metrics={"m": 1e300}), "metrics.m is too large"),
        (report(metrics=5), "metrics must be an object such as"),
        (report(metrics=[{"name": "m"}]), "metrics must be an object such as"),
        (report(metrics=[{"name": "m", "value": 1}] * 2), "metrics has 'm' twice"),
        (report(metrics={"": 1}), "metrics.0.name"),
        (report(metrics={f"m{i}": i for i in range(65)}), "metrics"),
        (report(slices={"a": 1}), "slices must be a list"),
        (report(slices=[1]), "slices[0] must be an object"),
        (report(slices=[{"name": "a", "samples": 1.5}]), "slices[0].samples must be a whole"),
        (report(slices=[{"name": "a", "samples": -1}]), "slices[0].samples must be a whole"),
        (report(slices=[{"name": "a"}, {"name": "a"}]), "slices has 'a' twice"),
        (report(slices=[{"samples": 1}]), "slices.0.name"),
        (report(metric={"m": 1}), "unknown field 'metric'; it may have uri, format, digest"),
        (report(slices=[{"name": "a", "metric": {}}]), "slices[0] has the unknown field 'metric'"),
        (report(format="sklearn"), 'format must be an object, such as {"name": "sklearn"}'),
        (report(format={}), "format.name"),
        (json.dumps({"format": {"name": "x"}}), "uri: Field required"),
        (report(uri=7), "uri"),
        (report(digest="md5:0"), "digest"),
        ('{"uri": "s3://a/b", "uri": "s3://a/c"}', "a JSON object has 'uri' twice"),
        (report(uri="ftp://a/b"), "uri 'ftp://a/b' cannot be served: uri must begin with pvc://"),
        (report(uri="/models/a"), "must begin with pvc://"),
        (report(uri="pvc://claim"), "write pvc://CLAIM/PATH"),
        (report(uri="file://models/a"), "file:///PATH"),
        (report(uri="s3:///a"), "a bucket's"),
        (report(uri="http://a/b:///c"), "a bucket's"),
        (report(uri="s3://a b/c"), "a blank may stand in a path only"),
        (report(uri="models:/elec/7"), "only an MLflow server knows"),
        (report(uri="s3://a/\ud800"), "is not JSON"),
    ],
)
def test_what_is_refused_names_its_cause(message: str, reason: str) -> None:
    assert reason in refusal(message)


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["uri", "format", "metrics", "slices", "name", "samples"])
                | st.text(),
                inner,
            )
        ),
        max_leaves=20,
    )
)
def test_no_report_raises_anything_else(data: Any) -> None:
    for message in (json.dumps(data), json.dumps({**GOOD, "metrics": data, "slices": data})):
        try:
            result = parse_result(message)
        except InvalidResult:
            continue
        assert isinstance(result, Model)
