"""Drift of a stable revision: no block lost or counted twice, whatever dies in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.controllers.modeldeployment import drifts
from evenkeel.controllers.modeldeployment.conditions.drifted import drifted
from evenkeel.controllers.modeldeployment.conditions.monitored import monitored
from evenkeel.controllers.modeldeployment.conditions.situation import Situation
from evenkeel.controllers.modeldeployment.drift import Drift, began
from evenkeel.meta.conditions import Observation
from evenkeel.meta.refusal import Refused
from evenkeel.meta.times import timestamp
from evenkeel.outside.meters import (
    BLOCK,
    METER,
    BlockCounts,
    BlockQuestion,
    Cell,
    MeterQuestion,
    MeterSeen,
)
from evenkeel.outside.poll import Failure, Sighting
from evenkeel.rollout.state import RolloutState
from evenkeel.serving.observed import Pods
from hypothesis import given, settings
from hypothesis import strategies as st

DAY = timedelta(days=1)
NOW = datetime(2026, 2, 1, 9, tzinfo=UTC)
USED = MeterSeen("Used", "d1", counted=True)


def cell(label: str) -> Cell:
    return ("feature", "x", label)


def counts(end: int, *rows: int, digest: str = "d1") -> BlockCounts:
    reference = tuple((cell(label), f"range {label}", n) for label, n in (("0", 5000), ("1", 5000)))
    return BlockCounts(
        end, digest, reference, tuple((cell(str(n)), rows) for n, rows in enumerate(rows))
    )


class World:
    """A ModelDeployment's status as the API server keeps it, and what Prometheus says."""

    def __init__(self, **detection: Any) -> None:
        self.now = NOW
        self.status: dict[str, Any] = {"stable": {"revision": "fraud-1", "meter": True}}
        self.monitoring: dict[str, Any] | None = {"detection": detection}
        self.rows: tuple[int, ...] = (1000, 1000)
        self.digest = "d1"
        self.void = ""
        self.labels: tuple[int, int] | None = None
        self.seen: Sighting[object] = Sighting(USED)
        self.asked: list[int] = []
        self.events: list[str] = []

    @property
    def md(self) -> ModelDeployment:
        spec = {"model": {"uri": "s3://m/a", "format": {"name": "sklearn"}}}
        if self.monitoring is not None:
            spec["monitoring"] = self.monitoring
        meta = {"name": "fraud", "namespace": "shop", "uid": "0-1-2"}
        return ModelDeployment.model_validate(
            {"metadata": meta, "spec": spec, "status": self.status}
        )

    def reconcile(self, *, crash: bool = False) -> Drift:
        """Crash: the operator dies before it writes the status."""
        md = self.md
        evidence = drifts.begun(md, self.now)
        polls = drifts.polls(md, evidence, self.now)
        sightings: dict[str, Sighting[object]] = {}
        if METER in polls:
            sightings[METER] = self.seen
        if BLOCK in polls:
            question = polls[BLOCK].question
            assert isinstance(question, BlockQuestion)
            self.asked.append(question.end)
            told = counts(question.end, *self.rows, digest=self.digest)
            if self.void:
                told = BlockCounts(question.end, void=self.void)
            wanted = None if question.labels is None else self.labels
            sightings[BLOCK] = Sighting(replace(told, labels=wanted))
        found = drifts.observed(md, evidence, sightings, self.now)
        if not crash:
            self.events += [e.message for e in began(md.status, found.status)]
            if found.status is not None:
                self.status = {**self.status, "monitoring": found.status.wire()}
            else:
                self.status.pop("monitoring", None)
        return found

    def begin(self) -> None:
        """Until the first block begins, at midnight."""
        self.reconcile()
        self.now += DAY

    def days(self, number: int) -> None:
        for _ in range(number):
            self.now += DAY
            self.reconcile()

    def observed(self) -> dict[str, Observation]:
        found = self.reconcile()
        md = self.md
        situation = Situation(
            md=md,
            wanted=Refused("X", "not of interest"),
            rollout=RolloutState(md.status.stable, None, (), ()),
            pods=Pods(),
            children=(),
            now=self.now,
            monitoring=found.status,
            meters=found.meters,
        )
        return {o.type: o for o in (*monitored(situation), *drifted(situation))}


def test_the_first_block_is_whole_and_begins_with_the_next_day() -> None:
    w = World()
    assert w.reconcile().status is not None
    assert w.status["monitoring"]["until"] == "2026-02-02T00:00:00Z"
    assert w.asked == []
    w.now = datetime(2026, 2, 3, 0, 0, 59, tzinfo=UTC)
    found = w.reconcile()
    assert (w.asked, found.due) == ([], 1.0)
    w.now += timedelta(seconds=1)
    w.reconcile()
    assert w.asked == [int(datetime(2026, 2, 3, tzinfo=UTC).timestamp())]
    assert w.status["monitoring"]["until"] == "2026-02-03T00:00:00Z"
    assert (w.status["monitoring"]["blocks"], w.status["monitoring"]["void"]) == (1, 0)


def test_a_short_block_is_asked_about_after_as_long_again() -> None:
    w = World(blockSeconds=10)
    w.reconcile()
    w.now += timedelta(seconds=19)
    assert (w.reconcile().due, w.asked) == (1.0, [])
    w.now += timedelta(seconds=1)
    w.reconcile()
    assert w.asked == [int(NOW.timestamp()) + 10]


def test_without_a_meter_or_the_wish_there_is_no_evidence() -> None:
    w = World()
    w.status["stable"].pop("meter")
    assert w.reconcile() == Drift()
    assert w.observed()["Monitored"].reason == "AwaitingMeter"
    w = World()
    w.reconcile()
    w.monitoring = None
    assert w.reconcile() == Drift()
    assert w.observed() == {}


def test_drift_is_told_once_with_its_features_and_lasts() -> None:
    w = World()
    w.begin()
    w.days(4)
    assert w.observed()["Drifted"][1:3] == ("False", "NoDrift")
    w.rows = (400, 1600)
    w.days(3)
    found = w.observed()["Drifted"]
    assert found[1:3] == ("True", "Data")
    assert "Data since 2026-02-0" in found.message
    assert "x (" in found.message
    since = next(g for g in w.status["monitoring"]["groups"] if g["name"] == "Data")
    w.days(2)
    later = next(g for g in w.status["monitoring"]["groups"] if g["name"] == "Data")
    assert later["driftedSince"] == since["driftedSince"]
    assert w.events == ["Data of revision fraud-1: x"]


@given(st.lists(st.booleans(), min_size=3, max_size=8), st.integers(1, 3))
@settings(max_examples=20)
def test_a_crash_counts_no_block_twice_and_a_pause_loses_none(
    crashes: list[bool], pause: int
) -> None:
    w, plain = World(), World()
    w.reconcile()
    plain.reconcile()
    for crash in crashes:
        w.now += pause * DAY
        w.reconcile(crash=crash)
        for _ in range(len(crashes) * pause):
            w.reconcile()
        plain.days(pause)
    plain.reconcile()
    assert w.status == plain.status


def test_blocks_of_more_than_a_week_ago_are_void() -> None:
    w = World()
    w.begin()
    w.now += 20 * DAY
    w.reconcile()
    assert len(w.asked) == 1
    assert w.status["monitoring"]["void"] >= 11


def test_too_few_rows_tell_nothing() -> None:
    w = World(minRows=3000)
    w.begin()
    w.days(3)
    found = w.observed()["Drifted"]
    assert (found.status, found.reason) == ("Unknown", "AwaitingBlocks")
    assert "minRows 3000" in found.message


@pytest.mark.parametrize("change", ["revision", "terms", "profile"])
def test_it_begins_anew(change: str) -> None:
    w = World()
    w.begin()
    w.rows = (400, 1600)
    w.days(4)
    assert w.observed()["Drifted"].status == "True"
    if change == "revision":
        w.status["stable"] = {"revision": "fraud-2", "meter": True}
        w.reconcile()
    elif change == "terms":
        w.monitoring = {"detection": {"tolerance": "0.06"}}
        w.reconcile()
    else:
        w.digest = "d2"
        w.days(1)
        assert w.status["monitoring"]["blocks"] == 1
    assert w.observed()["Drifted"].status != "True"


def test_damaged_evidence_begins_anew() -> None:
    w = World()
    w.begin()
    w.days(2)
    w.status["monitoring"]["evidence"] = "1;nonsense"
    w.days(1)
    assert w.status["monitoring"]["evidence"].startswith("1;")
    assert "nonsense" not in w.status["monitoring"]["evidence"]


def test_a_bin_that_the_profile_has_not_makes_the_block_void() -> None:
    w = World()
    w.begin()
    w.rows = (10, 10, 10)
    w.days(1)
    assert "no bins" in w.status["monitoring"]["message"]


@pytest.mark.parametrize(
    ("seen", "status", "reason"),
    [
        (USED, "True", "Counting"),
        (MeterSeen(), "False", "MeterSilent"),
        (MeterSeen("Absent"), "False", "ProfileAbsent"),
        (MeterSeen("Broken", why="line 1"), "False", "ProfileBroken"),
        (MeterSeen("Used", "d", mismatched=True), "False", "ProfileMismatched"),
        (MeterSeen("Used", "d"), "Unknown", "NoData"),
    ],
)
def test_monitored_says_how_the_meters_count(seen: MeterSeen, status: str, reason: str) -> None:
    w = World()
    w.seen = Sighting(seen)
    assert w.observed()["Monitored"][1:3] == (status, reason)


def test_monitored_says_why_prometheus_cannot_be_asked() -> None:
    w = World()
    w.seen = Sighting(None, failure=Failure("SourceUnavailable", "p:9090 is down", NOW))
    found = w.observed()["Monitored"]
    assert found[1:] == ("Unknown", "SourceUnavailable", "p:9090 is down")


def test_a_new_process_knows_nothing_better() -> None:
    w = World()
    w.seen = Sighting()
    assert w.observed()["Monitored"].reason == "AwaitingReference"
    w.status["conditions"] = [
        {
            "type": "Monitored",
            "status": "True",
            "reason": "Counting",
            "message": "m",
            "lastTransitionTime": timestamp(NOW),
        }
    ]
    assert w.observed()["Monitored"].reason == "Counting"


def test_of_a_model_in_the_image_it_says_that_there_can_be_no_profile() -> None:
    w = World()
    w.status["stable"]["uri"] = "file:///opt/model"
    found = w.observed()["Monitored"]
    assert found.reason == "ProfileAbsent"
    assert "runtime's image" in found.message


def test_the_stable_revisions_pods_are_asked_for() -> None:
    w = World()
    polls = drifts.polls(w.md, drifts.begun(w.md, NOW), NOW)
    question = polls[METER].question
    assert isinstance(question, MeterQuestion)
    assert (question.namespace, question.pods[:8]) == ("shop", "fraud-1-")


FEEDBACK = {"feedback": {"keys": {"secretName": "k"}}}


def judged(**risk: Any) -> World:
    """One whose labels are judged."""
    w = World()
    w.monitoring = {**FEEDBACK, "risk": {"maxRatio": "0.2", **risk}}
    return w


def group(w: World, name: str) -> dict[str, Any]:
    found: dict[str, Any]
    found = next(g for g in w.status["monitoring"]["groups"] if g["name"] == name)
    return found


def test_labels_are_asked_for_where_they_are_judged() -> None:
    for w, labels in ((World(), None), (judged(), ("fraud", "fraud-1"))):
        w.begin()
        w.now += DAY
        question = drifts.polls(w.md, drifts.begun(w.md, w.now), w.now)[BLOCK].question
        assert isinstance(question, BlockQuestion)
        assert question.labels == labels


def test_too_many_bad_labels_are_risk_and_few_are_none() -> None:
    w = judged()
    w.begin()
    w.labels = (150, 1000)
    w.days(20)
    assert w.observed()["Drifted"][1:3] == ("False", "NoDrift")
    w.labels = (900, 1000)
    w.days(10)
    found = w.observed()["Drifted"]
    assert found[1:3] == ("True", "Risk")
    assert w.events == ["Risk of revision fraud-1"]
    assert group(w, "Risk")["driftedSince"] > "2026-02-22"


@pytest.mark.parametrize("why", ["no meter was scraped", "the profile was absent"])
def test_labels_are_judged_without_rows_and_without_a_profile(why: str) -> None:
    w = judged()
    w.begin()
    w.void, w.labels = why, (900, 1000)
    w.days(10)
    assert w.observed()["Drifted"][1:3] == ("True", "Risk")
    assert w.status["monitoring"]["void"] == 0
    assert why in w.status["monitoring"]["message"]


def test_values_are_judged_without_labels() -> None:
    w = judged()
    w.begin()
    w.rows = (400, 1600)
    w.days(10)
    assert w.observed()["Drifted"][1:3] == ("True", "Data")
    assert "0 labels, fewer than minLabels 100" in w.status["monitoring"]["message"]


def test_evidence_on_labels_outlives_another_profile_and_empty_blocks() -> None:
    w = judged()
    w.begin()
    w.labels = (900, 1000)
    w.days(10)
    since = group(w, "Risk")["driftedSince"]
    w.labels = None
    w.void = "no meter was scraped"
    w.days(2)
    w.void, w.digest = "", "d2"
    w.days(1)
    assert group(w, "Risk")["driftedSince"] == since
    assert w.status["monitoring"]["blocks"] == 1


@pytest.mark.parametrize("change", [{"maxRatio": "0.3"}, {"minLabels": 10}, None])
def test_another_limit_begins_the_evidence_anew(change: dict[str, Any] | None) -> None:
    w = judged()
    w.begin()
    w.labels = (900, 1000)
    w.days(10)
    w.monitoring = judged(**change).monitoring if change else FEEDBACK
    w.reconcile()
    assert "groups" not in w.status["monitoring"] or not w.status["monitoring"]["groups"]


def test_without_risk_the_evidence_of_before_goes_on() -> None:
    """As after an update of the operator to one that knows risk."""
    w = World()
    w.begin()
    w.days(2)
    terms = w.status["monitoring"]["terms"]
    w.monitoring = {**(w.monitoring or {}), **FEEDBACK}
    w.days(1)
    assert (w.status["monitoring"]["terms"], w.status["monitoring"]["blocks"]) == (terms, 3)


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([None, (0, 200), (190, 200)])), max_size=8)
)
@settings(max_examples=20)
def test_no_labels_are_folded_twice_after_a_crash(
    days: list[tuple[bool, tuple[int, int] | None]],
) -> None:
    w, plain = judged(), judged()
    w.begin()
    plain.begin()
    for crash, labels in days:
        w.labels = plain.labels = labels
        w.now += DAY
        if crash:
            w.reconcile(crash=True)
        w.reconcile()
        plain.days(1)
    assert w.status == plain.status
