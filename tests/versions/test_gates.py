"""Gates pass only what was measured and is good enough."""

from __future__ import annotations

from typing import Any

import pytest
from evenkeel.api.common import ChampionComparison, Gate, Metric, Slice
from evenkeel.versions.gates import Figures, evaluate
from hypothesis import given, settings
from hypothesis import strategies as st

SMALL = st.decimals(-100, 100, places=3)


def metrics(**values: str) -> tuple[Metric, ...]:
    return tuple(Metric.model_construct(name=n, value=v) for n, v in values.items())


def part(name: str, samples: int, **values: str) -> Slice:
    return Slice(name=name, samples=samples, metrics=metrics(**values))


def figures(*slices: Slice, version: str = "new", **values: str) -> Figures:
    return Figures(version, metrics(**values), slices)


def judge(
    candidate: Figures, production: Figures | None = None, /, **gate: Any
) -> tuple[bool, str]:
    spec = Gate.model_validate({"name": "g", "metric": "accuracy", **gate})
    (result,) = evaluate([spec], candidate, production)
    return result.passed, result.message


@pytest.mark.parametrize(
    ("value", "gate", "expected"),
    [
        ("0.90", {"min": "0.9"}, (True, "accuracy 0.90 >= min 0.9")),
        ("0.8999", {"min": "0.9"}, (False, "accuracy 0.8999 < min 0.9")),
        ("0.3", {"max": "0.30"}, (True, "accuracy 0.3 <= max 0.30")),
        ("0.31", {"min": "0.1", "max": "0.3"}, (False, "accuracy 0.31 >= min 0.1, > max 0.3")),
        ("-1", {"min": "-2"}, (True, "accuracy -1 >= min -2")),
    ],
)
def test_bounds_are_inclusive_and_exact(
    value: str, gate: dict[str, str], expected: tuple[bool, str]
) -> None:
    assert judge(figures(accuracy=value), **gate) == expected


def test_a_missing_metric_fails() -> None:
    assert judge(figures(auc="0.9"), min="0") == (False, "metric accuracy is missing")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-inf", "sNaN", "", "good", "1e"])
@pytest.mark.parametrize("gate", [{"min": "-9"}, {"max": "9"}, {"champion": {}}])
def test_what_is_no_number_fails(value: str, gate: dict[str, Any]) -> None:
    passed, message = judge(figures(accuracy=value), **gate)
    assert not passed
    assert message == f"metric accuracy is not a number: {value!r}"


def test_without_a_champion_the_comparison_passes_and_says_so() -> None:
    assert judge(figures(accuracy="0.1"), champion={}) == (
        True,
        "accuracy 0.1 has no champion in production to compare with",
    )


@pytest.mark.parametrize(
    ("value", "comparison", "passed"),
    [
        ("0.90", {}, True),
        ("0.899", {}, False),
        ("0.89", {"maxRegression": "0.01"}, True),
        ("0.889", {"maxRegression": "0.01"}, False),
        ("0.91", {"maxRegression": "-0.02"}, False),
        ("0.92", {"maxRegression": "-0.02"}, True),
        ("0.90", {"better": "Lower"}, True),
        ("0.91", {"better": "Lower"}, False),
        ("0.91", {"better": "Lower", "maxRegression": "0.01"}, True),
    ],
)
def test_the_champion_sets_the_bar(value: str, comparison: dict[str, str], passed: bool) -> None:
    champion = figures(version="old", accuracy="0.9")
    found, message = judge(figures(accuracy=value), champion, champion=comparison)
    assert found is passed
    assert "champion old 0.9" in message


def test_a_champion_without_the_metric_cannot_be_compared_with() -> None:
    passed, message = judge(figures(accuracy="1"), figures(version="old"), champion={})
    assert not passed
    assert "champion old: metric accuracy is missing; leave the comparison out" in message


def test_a_slice_is_compared_with_the_champion_s_same_slice() -> None:
    champion = figures(part("day", 9, accuracy="0.99"), part("night", 9, accuracy="0.7"))
    candidate = figures(part("night", 9, accuracy="0.8"))
    assert judge(candidate, champion, slice="night", champion={})[0]
    passed, message = judge(candidate, figures(version="old"), slice="night", champion={})
    assert (passed, "no such slice" in message) == (False, True)


def test_every_slice_is_judged_but_small_ones() -> None:
    candidate = figures(
        part("day", 500, accuracy="0.9"),
        part("night", 400, accuracy="0.7"),
        part("eclipse", 3, accuracy="0"),
    )
    passed, message = judge(candidate, slice="*", minSamples=100, min="0.8")
    assert (passed, message) == (False, "slice night: accuracy 0.7 < min 0.8")
    assert judge(candidate, slice="*", minSamples=100, min="0.7")[0]


@pytest.mark.parametrize(
    ("name", "slices", "message"),
    [
        ("*", (), "the training reported no slices"),
        ("night", (part("day", 9, accuracy="1"),), "the training reported no slice night"),
        ("*", (part("day", 9, accuracy="1"),), "slice day has 9 records, fewer than minSamples 10"),
        ("day", (part("day", 9, accuracy="1"),), "slice day has 9 records, fewer than"),
        ("*", (part("day", 99, accuracy="1"), part("dusk", 99)), "slice dusk: metric accuracy is"),
    ],
)
def test_what_was_not_shown_fails(name: str, slices: tuple[Slice, ...], message: str) -> None:
    passed, text = judge(figures(*slices), slice=name, minSamples=10, min="0")
    assert not passed
    assert text.startswith(message)


def test_a_long_message_fits_the_status() -> None:
    many = figures(*(part(f"slice-{i:0100}", 9, accuracy="0") for i in range(64)))
    passed, message = judge(many, slice="*", min="1")
    assert (passed, len(message)) == (False, 1024)


@settings(deadline=None)
@given(candidate=SMALL, champion=SMALL, slack=SMALL, better=st.sampled_from(["Higher", "Lower"]))
def test_a_worse_figure_never_passes_where_a_better_one_fails(
    candidate: Any, champion: Any, slack: Any, better: str
) -> None:
    def passes(value: Any) -> bool:
        rule = {"better": better, "maxRegression": str(slack)}
        return judge(figures(accuracy=str(value)), figures(accuracy=str(champion)), champion=rule)[
            0
        ]

    improved = candidate + 1 if better == "Higher" else candidate - 1
    assert passes(improved) or not passes(candidate)


def test_the_champion_may_be_judged_on_the_same_data_by_the_training_itself() -> None:
    """After a drift the figure that the champion was validated with says nothing any more."""
    gate = Gate(
        name="better",
        metric="accuracy",
        champion=ChampionComparison(reported_as="champion_accuracy"),
    )
    champion = Figures("elec-1", [Metric(name="accuracy", value="0.90")], ())
    reported = [
        Metric(name="accuracy", value="0.75"),
        Metric(name="champion_accuracy", value="0.63"),
    ]
    (passed,) = evaluate([gate], Figures("elec-2", reported, ()), champion)
    assert passed.passed
    assert "0.63" in passed.message
    (silent,) = evaluate([gate], Figures("elec-2", reported[:1], ()), champion)
    assert not silent.passed
    assert "champion_accuracy is missing" in silent.message
