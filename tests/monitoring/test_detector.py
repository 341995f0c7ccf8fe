"""Blocks become evidence, evidence alarms; kept as text, it goes on as if nothing had been."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import exp, log

import numpy as np
import pytest
from evenkeel.monitoring.columns import Bin, Block, Column, Kind, Labels
from evenkeel.monitoring.detector import Detection
from evenkeel.monitoring.settings import Settings, log_cap
from evenkeel.verdict.eprocess import MICRO
from hypothesis import given, settings
from hypothesis import strategies as st

SETTINGS = Settings(max_ratio=0.2)
Rows = Mapping[tuple[Kind, str], Mapping[str, int]]


def column(name: str, *counts: int, kind: Kind = "feature", missing: int = 0) -> Column:
    known = [Bin(str(at), f"range {at}", count) for at, count in enumerate(counts)]
    return Column(kind, name, (*known, Bin("other", "unseen", 0), Bin("missing", "", missing)))


COLUMNS = (
    column("colour", 5000, 3000, 2000, missing=100),
    column("size", *[1000] * 10),
    column("label", 6000, 4000, kind="prediction"),
)
AS_EVER: Rows = {
    ("feature", "colour"): {"0": 500, "1": 300, "2": 200, "missing": 10},
    ("feature", "size"): {str(at): 100 for at in range(10)},
    ("prediction", "label"): {"0": 600, "1": 400},
}
MOVED: Rows = {**AS_EVER, ("feature", "colour"): {"0": 200, "1": 300, "2": 500, "missing": 10}}


def begun(columns: tuple[Column, ...] = COLUMNS, settings: Settings = SETTINGS) -> Detection:
    return Detection.begun(columns, settings)


def after(detection: Detection, rows: Rows, blocks: int) -> Detection:
    for _ in range(blocks):
        detection = detection.fold(Block(rows))
    return detection


def drifted(detection: Detection) -> list[str]:
    return [group.name for group in detection.groups if group.drifted]


def test_nothing_is_shown_by_nothing_nor_by_what_was_always_so() -> None:
    assert drifted(begun()) == []
    found = after(begun(), AS_EVER, 100)
    assert drifted(found) == []
    assert all(group.log_statistic <= 0 for group in found.groups)
    assert [group.name for group in found.groups] == [
        "Data",
        "Prediction",
        "Missing",
        "Unseen",
        "Risk",
    ]


def test_one_odd_block_shows_nothing_and_two_do() -> None:
    for columns, rows in (
        (COLUMNS, MOVED),
        (COLUMNS[:1], {("feature", "colour"): {"2": 10**9}}),
        (tuple(column(f"c{i}", 5, 5) for i in range(200)), None),
    ):
        odd: Rows = rows or {("feature", f"c{i}"): {"0": 10**6} for i in range(200)}
        one = after(after(begun(columns), AS_EVER if rows is MOVED else {}, 5), odd, 1)
        assert drifted(one) == []
        if rows is not None:
            assert "Data" in drifted(after(one, odd, 1))


def test_a_drift_names_its_feature_and_bins_and_ends_when_it_ends() -> None:
    found = after(after(begun(), AS_EVER, 3), MOVED, 2)
    assert drifted(found) == ["Data"]
    worst = found.groups[0].features[0]
    assert (worst.kind, worst.name) == ("feature", "colour")
    assert [one.range for one in worst.bins] == ["range 0", "range 1", "range 2"]
    assert [one.before for one in worst.bins] == pytest.approx([0.5, 0.3, 0.2])
    assert worst.bins[2].now == pytest.approx(0.425, abs=0.01)
    assert worst.distance == pytest.approx(0.225, abs=0.01)
    assert found.groups[0].features[1].name == "size"
    longer = after(found, MOVED, 30)
    assert drifted(longer) == ["Data"]
    assert drifted(after(longer, AS_EVER, 3)) == []


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("Prediction", {("prediction", "label"): {"0": 200, "1": 800}}),
        ("Missing", {("feature", "size"): {**AS_EVER["feature", "size"], "missing": 300}}),
        ("Unseen", {("feature", "size"): {**AS_EVER["feature", "size"], "other": 100}}),
    ],
)
def test_each_group_shows_its_own(name: str, rows: Rows) -> None:
    assert drifted(after(begun(), {**AS_EVER, **rows}, 4)) == [name]


def test_bad_labels_beyond_the_limit_are_a_risk() -> None:
    within, beyond = Labels(200, 1000), Labels(600, 1000)
    found = begun()
    for _ in range(200):
        found = found.fold(Block({}, within))
    assert drifted(found) == []
    for _ in range(20):
        found = found.fold(Block({}, beyond))
    assert drifted(found) == ["Risk"]
    for _ in range(60):
        found = found.fold(Block({}, Labels(20, 1000)))
    assert drifted(found) == []
    assert "Risk" not in [g.name for g in begun(settings=Settings()).groups]


def test_one_block_of_labels_alone_is_no_risk() -> None:
    strict = replace(SETTINGS, max_ratio=1e-6)
    assert drifted(begun(settings=strict).fold(Block({}, Labels(10**6, 10**6)))) == []


def test_too_few_rows_or_labels_are_void() -> None:
    before = after(begun(), MOVED, 1)
    few: Rows = {("feature", "colour"): {"2": 150, "missing": 40}}
    for block in (Block({}), Block(few), Block({}, Labels(99, 99))):
        found = before.fold(block)
        assert (found.blocks, found.void) == (2, 1)
        assert found.state.statistics == before.state.statistics
    assert before.void == 0


def test_a_feature_that_is_absent_is_no_evidence_and_others_go_on() -> None:
    rows: Rows = {("feature", "colour"): MOVED["feature", "colour"]}
    found = after(begun(), rows, 3)
    assert drifted(found) == ["Data"]
    assert [one.name for one in found.groups[0].features] == ["colour"]
    assert found.void == 0


def test_the_same_blocks_are_the_same_evidence_when_steady() -> None:
    """A block that changes no number, since all are at their bounds, is not a void one."""
    found = after(begun(), MOVED, 50)
    assert found.void == 0


def test_columns_that_the_reference_lacks_are_passed_over() -> None:
    strange: Rows = {**AS_EVER, ("feature", "new"): {"0": 1000}}
    assert after(begun(), strange, 1) == after(begun(), AS_EVER, 1)


@pytest.mark.parametrize(
    ("rows", "labels", "words"),
    [
        ({("feature", "colour"): {"0": -1}}, None, "below 0"),
        ({("feature", "colour"): {"3": 1}}, None, "no bins"),
        ({}, Labels(200, 150), "bad labels"),
    ],
)
def test_counts_that_cannot_be_are_refused(rows: Rows, labels: Labels | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        begun().fold(Block(rows, labels))


@pytest.mark.parametrize(
    "columns",
    [
        (column("a", 1, 2), column("a", 1, 2)),
        (column("a", 1, -2),),
        (column("a", *[1] * 65),),
        tuple(column(f"a{i}", 1, 1) for i in range(273)),
        (Column("feature", "a", (Bin("0", "", 1), Bin("0", "", 1))),),
    ],
)
def test_a_reference_that_is_none_is_refused(columns: tuple[Column, ...]) -> None:
    with pytest.raises(ValueError, match="reference"):
        begun(columns)


@pytest.mark.parametrize(
    "change",
    [
        {"tolerance": 0.0},
        {"false_alarms_per_year": 0.0},
        {"block_seconds": 0},
        {"max_ratio": 1.0},
        {"min_rows": 0},
    ],
)
def test_settings_that_cannot_be_kept_to_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="no detector"):
        replace(SETTINGS, **change)


def test_a_reference_without_rows_has_no_groups() -> None:
    assert begun((column("a", 0, 0), column("b", 0, 0, 0)), Settings()).groups == ()
    assert begun((), Settings()).fold(Block({})).void == 1


def test_the_groups_that_there_are_share_the_bound() -> None:
    only = Detection.begun(
        (Column("feature", "a", (Bin("0", "", 5), Bin("1", "", 5))),), Settings()
    )
    assert [group.name for group in only.groups] == ["Data"]
    assert exp(only.groups[0].log_threshold) == pytest.approx(3650 / 0.9)
    assert exp(begun().groups[0].log_threshold) == pytest.approx(5 * 3650 / 0.9)


@pytest.mark.parametrize("threshold", [4.0, 52.0, 18251.0])
@pytest.mark.parametrize("members", [1, 50, 272])
def test_the_cap_keeps_one_block_from_an_alarm(threshold: float, members: int) -> None:
    """Even where the statistic was at 1 before, as it seldom is."""
    assert (1 + 1) * exp(log_cap(threshold, members)) <= threshold * (1 + 1e-9)


counts = st.integers(0, 800)
blocks = st.lists(
    st.builds(
        Block,
        st.fixed_dictionaries(
            {},
            optional={
                ("feature", "colour"): st.fixed_dictionaries(
                    {}, optional=dict.fromkeys(("0", "1", "2", "other", "missing"), counts)
                ),
                ("feature", "size"): st.fixed_dictionaries({"0": counts, "9": counts}),
                ("prediction", "label"): st.fixed_dictionaries({"0": counts, "1": counts}),
            },
        ),
        st.none() | st.builds(Labels, st.integers(0, 500), st.integers(500, 900)),
    ),
    max_size=8,
)


@settings(deadline=None)
@given(blocks)
def test_evidence_is_kept_in_a_text_and_goes_on(folded: list[Block]) -> None:
    found = again = begun()
    for block in folded:
        found = found.fold(block)
        again = Detection.from_text(again.to_text(), COLUMNS, SETTINGS).fold(block)
        assert again == found
        assert again.groups == found.groups


@settings(deadline=None)
@given(blocks, st.permutations(COLUMNS))
def test_the_order_of_columns_changes_nothing(folded: list[Block], columns: list[Column]) -> None:
    one, other = begun(), begun(tuple(columns))
    for block in folded:
        one = one.fold(block)
        other = other.fold(Block(dict(reversed(block.rows.items())), block.labels))
    assert one.to_text() == other.to_text()
    assert one.groups == other.groups


def test_the_text_is_bounded() -> None:
    random = np.random.default_rng(1)
    columns = tuple(column(f"feature {i}", *[10] * 64, missing=5) for i in range(256)) + tuple(
        column(f"p {i}", *[10] * 64, kind="prediction") for i in range(16)
    )
    found = begun(columns)
    for _ in range(3):
        found = found.fold(
            Block(
                {
                    (one.kind, one.name): {
                        b.label: int(random.integers(10**6, 10**7)) for b in one.bins
                    }
                    for one in columns
                },
                Labels(3, 700),
            )
        )
    assert len(found.to_text()) < 100_000
    assert Detection.from_text(found.to_text(), columns, SETTINGS) == found


TEXT = after(begun(), MOVED, 2).to_text()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        TEXT[:-30],
        TEXT + " 1",
        TEXT + ";1",
        TEXT.replace("1;", "2;", 1),
        TEXT.replace(";Data;", ";Data,Data;"),
        TEXT.replace(";Data;", ";Strange;"),
        TEXT.replace(";2;0;", ";2;3;"),
        TEXT.replace(";2;0;", ";two;0;"),
        ";".join([*TEXT.split(";")[:-1], "99999999999 1 1"]),
        ";".join([*TEXT.split(";")[:-1], "0 -1 1"]),
        ";".join([*TEXT.split(";")[:-1], "0 9999 2"]),
        ";".join([*TEXT.split(";")[:-1], "0 1"]),
    ],
)
def test_damaged_evidence_is_refused(text: str) -> None:
    assert text != TEXT
    with pytest.raises(ValueError, match=r"damaged|invalid literal|another format"):
        Detection.from_text(text, COLUMNS, SETTINGS)


def test_evidence_of_another_reference_or_tolerance_is_refused() -> None:
    for columns, changed in (
        (COLUMNS[:2], SETTINGS),
        ((column("colour", 5000, 3000, 2001), *COLUMNS[1:]), SETTINGS),
        (COLUMNS, replace(SETTINGS, tolerance=0.06)),
    ):
        with pytest.raises(ValueError, match="another"):
            Detection.from_text(TEXT, columns, changed)


def test_a_change_of_the_bound_keeps_the_evidence() -> None:
    strict = replace(SETTINGS, false_alarms_per_year=0.01)
    found = Detection.from_text(TEXT, COLUMNS, strict)
    assert found.state.statistics == after(begun(), MOVED, 2).state.statistics


def test_statistics_add_up_as_shiryaev_and_roberts_have_it() -> None:
    columns = (Column("feature", "a", (Bin("0", "", 500), Bin("1", "", 500))),)
    found = Detection.begun(columns, Settings())
    value, memory = 0.0, (0, 0)
    random = np.random.default_rng(1)
    chart = found.charts[0]
    for _ in range(20):
        zeros = int(random.binomial(300, 0.6))
        value = (value + 1) * min(
            exp(chart.log_cap), exp(chart.null.log_e((zeros, 300 - zeros), memory))
        )
        found = found.fold(Block({("feature", "a"): {"0": zeros, "1": 300 - zeros}}))
        memory = found.state.statistics[0].memory
        assert found.groups[0].log_statistic == pytest.approx(log(value), abs=100 / MICRO)


def test_what_others_judge_raises_the_threshold_as_groups_of_its_own_do() -> None:
    assert Settings(others=3).threshold(2) == Settings().threshold(5)
