"""Drift of a stable revision: no block lost or counted twice, whatever dies in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.monitoringstatus import MonitoringStatus
from evenkeel.controllers.modeldeployment import drifts
from evenkeel.controllers.modeldeployment.conditions.drifted import drifted
from evenkeel.controllers.modeldeployment.conditions.monitored import awaited, monitored
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
    Learning,
    MeterQuestion,
    MeterSeen,
)
from evenkeel.outside.poll import Failure, Sighting
from evenkeel.rollout.state import RolloutState
from evenkeel.serving.observed import Pods
from evenkeel.serving.processes import Process
from hypothesis import example, given, settings
from hypothesis import strategies as st

DAY = timedelta(days=1)
NOW = datetime(2026, 2, 1, 9, tzinfo=UTC)
USED = MeterSeen("Used", "d1", counted=True)
PARTS = ("1", "", "Data", "0 0 0", "3", "9" * 30, "9" * 4000, "-5", "1 1 1", "x")
"""Of kept evidence that somebody has had a hand in."""


def cell(label: str) -> Cell:
    return ("feature", "x", label)


def counts(
    end: int,
    *rows: int,
    digest: str = "d1",
    bins: tuple[str, ...] = ("0", "1"),
    source: str = "trainer",
) -> BlockCounts:
    reference = tuple((cell(label), f"range {label}", 5000) for label in bins)
    found = tuple((cell(str(n)), rows) for n, rows in enumerate(rows))
    return BlockCounts(end, digest, reference, found, source=source)


class World:
    """A ModelDeployment's status as the API server keeps it, and what Prometheus says."""

    def __init__(self, **detection: Any) -> None:
        self.now = NOW
        self.status: dict[str, Any] = {"stable": {"revision": "fraud-1", "meter": True}}
        self.monitoring: dict[str, Any] | None = {"detection": detection}
        self.rows: tuple[int, ...] = (1000, 1000)
        self.digest, self.source = "d1", "trainer"
        self.bins = ("0", "1")
        self.void = ""
        self.labels: tuple[int, int] | None = None
        self.seen: Sighting[object] = Sighting(USED)
        self.pods = Pods(1, 1)
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

    def answer(self, end: int) -> Sighting[object]:
        """What Prometheus says of the block that ends then."""
        said = counts(end, *self.rows, digest=self.digest, bins=self.bins, source=self.source)
        if self.void:
            said = BlockCounts(end, void=self.void)
        judged = "risk" in (self.monitoring or {})
        return Sighting(replace(said, labels=self.labels if judged else None))

    def reconcile(
        self, *, crash: bool = False, brings: Callable[[int], Sighting[object]] | None = None
    ) -> Drift:
        """Crash: the operator dies before it writes the status. brings: what is known of the block
        instead of the answer."""
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
            sightings[BLOCK] = (brings or self.answer)(question.end)
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
        situation = self.situation()
        return {o.type: o for o in (*monitored(situation), *drifted(situation))}

    def situation(self) -> Situation:
        found = self.reconcile()
        md = self.md
        return Situation(
            md=md,
            wanted=Refused("X", "not of interest"),
            rollout=RolloutState(md.status.stable, None, (), ()),
            pods=self.pods,
            children=(),
            now=self.now,
            monitoring=found.status,
            meters=found.meters,
        )


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


class Changing(World):
    """Each block has other rows."""

    def answer(self, end: int) -> Sighting[object]:
        share = 1 + end // 86400 % 7
        return Sighting(counts(end, 250 * share, 2000 - 250 * share))


LOST: Sighting[object] = Sighting()
DOWN: Sighting[object] = Sighting(None, failure=Failure("SourceUnavailable", "down", NOW))
FAULTS: dict[str, Callable[[World], Drift]] = {
    "answered": lambda w: w.reconcile(),
    "crashed": lambda w: w.reconcile(crash=True),
    "lost": lambda w: w.reconcile(brings=lambda end: LOST),
    "down": lambda w: w.reconcile(brings=lambda end: DOWN),
    "of the block before": lambda w: w.reconcile(brings=lambda end: w.answer(end - 86400)),
    "of the block after": lambda w: w.reconcile(brings=lambda end: w.answer(end + 86400)),
}


@given(st.lists(st.sampled_from([*FAULTS]), max_size=30), st.integers(1, 7))
def test_whatever_happens_between_the_blocks_the_evidence_is_that_of_a_straight_run(
    steps: list[str], days: int
) -> None:
    w, plain = Changing(), Changing()
    w.begin()
    plain.begin()
    plain.days(days)
    w.now += days * DAY
    for step in steps:
        FAULTS[step](w)
    for _ in range(days):
        w.reconcile()
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


@pytest.mark.parametrize(
    ("source", "shown"), [("trainer", "Profile"), ("learned", "Learned"), ("", "Profile")]
)
def test_the_status_says_what_is_compared_with(source: str, shown: str) -> None:
    w = World()
    w.source = source
    w.begin()
    w.days(1)
    assert w.status["monitoring"]["reference"] == {"digest": "d1", "rows": 10000, "source": shown}


def test_what_is_learned_in_less_than_a_block_is_told() -> None:
    w = World()
    w.seen = Sighting(MeterSeen("Absent", learning=Learning(40)))
    told = w.observed()["Monitored"].message
    assert "40 % of 10000 rows in 86400 s at least" in told
    assert "learn for as long" not in told
    w.monitoring = {"detection": {"blockSeconds": 604800}}
    assert "learn for as long" in w.observed()["Monitored"].message


def test_who_does_not_fit_what_was_learned_is_told_so() -> None:
    w = World()
    w.seen = Sighting(MeterSeen("Used", "d", uncounted="mismatched", source="learned"))
    found = w.observed()["Monitored"]
    assert found.reason == "ProfileMismatched"
    assert "learn anew" in found.message


@pytest.mark.parametrize(
    ("found", "hint"),
    [
        (Learning(100), "none can be made of the rows: see the meter's log"),
        (Learning(100, "{}"), "delete a ConfigMap of that name that is not of it"),
    ],
)
def test_a_reference_that_does_not_come_says_where_to_look(found: Learning, hint: str) -> None:
    w = World()
    w.seen = Sighting(MeterSeen("Absent", learning=found))
    assert hint in w.observed()["Monitored"].message


def test_a_model_in_the_image_has_a_reference_that_is_learned() -> None:
    w = World()
    w.status["stable"]["uri"] = "file:///opt/model"
    w.seen = Sighting(MeterSeen("Absent", learning=Learning(10)))
    assert w.observed()["Monitored"].reason == "LearningReference"


def test_damaged_evidence_begins_anew() -> None:
    w = World()
    w.begin()
    w.days(2)
    w.status["monitoring"]["evidence"] = "1;nonsense"
    w.days(1)
    assert "cannot be read, so the evidence began anew" in w.status["monitoring"]["message"]
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
        (MeterSeen("Absent", learning=Learning(40)), "Unknown", "LearningReference"),
        (MeterSeen("Absent", learning=Learning(100, "{}")), "Unknown", "LearningReference"),
        (MeterSeen("Used", "d", counted=True, source="learned"), "True", "Counting"),
        (MeterSeen("Broken", why="line 1"), "False", "ProfileBroken"),
        (MeterSeen("Used", "d", uncounted="mismatched"), "False", "ProfileMismatched"),
        (MeterSeen("Used", "d", uncounted="too_large"), "False", "BodiesTooLarge"),
        (MeterSeen("Used", "d", uncounted="unknown"), "False", "BodiesUnknown"),
        (MeterSeen("Used", "d", uncounted="unreadable"), "False", "BodiesUnreadable"),
        (MeterSeen("Used", "d", uncounted="skipped"), "False", "BodiesSkipped"),
        (MeterSeen("Used", "d", counted=True, uncounted="unknown"), "False", "BodiesUnknown"),
        (MeterSeen("Used", "d"), "Unknown", "NoData"),
    ],
)
def test_monitored_says_how_the_meters_count(seen: MeterSeen, status: str, reason: str) -> None:
    w = World()
    w.seen = Sighting(seen)
    assert w.observed()["Monitored"][1:3] == (status, reason)


def test_meters_are_silent_once_pods_have_been_ready_for_a_scrape_and_a_question() -> None:
    w = World()
    w.seen = Sighting(MeterSeen())
    w.pods = Pods(1, 0)
    assert w.observed()["Monitored"][1:3] == ("Unknown", "AwaitingMetrics")
    assert awaited(w.situation()) is None, "who knows when one is ready"
    w.pods = Pods(2, 1, processes=(Process("a", ready=NOW.timestamp()), Process("b")))
    w.now += timedelta(seconds=119)
    assert w.observed()["Monitored"][1:3] == ("Unknown", "AwaitingMetrics")
    assert awaited(w.situation()) == 1.0
    w.now += timedelta(seconds=1)
    assert w.observed()["Monitored"][1:3] == ("False", "MeterSilent")
    assert awaited(w.situation()) is None
    w.seen = Sighting(USED)
    w.now -= timedelta(seconds=60)
    assert awaited(w.situation()) is None


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
    w.monitoring = {"profile": {"learn": {"rows": 0}}}
    found = w.observed()["Monitored"]
    assert found.reason == "ProfileAbsent"
    assert "runtime's image" in found.message


def test_the_stable_revisions_pods_are_asked_for() -> None:
    w = World()
    polls = drifts.polls(w.md, drifts.begun(w.md, NOW), NOW)
    question = polls[METER].question
    assert isinstance(question, MeterQuestion)
    assert (question.namespace, question.pods[:8]) == ("shop", "fraud-1-")


@pytest.mark.parametrize("until", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_a_time_that_a_wrong_clock_wrote_does_not_stop_it(until: str) -> None:
    w = World()
    w.begin()
    w.days(2)
    w.status["monitoring"]["until"] = until
    w.days(9)
    for _ in range(9):
        w.reconcile()
    assert w.status["monitoring"]["until"] == timestamp(w.now.replace(hour=0))


def test_labels_that_no_meter_writes_make_the_block_void() -> None:
    w = World()
    w.begin()
    w.bins = ("0", "9" * 5000)
    w.days(1)
    assert (w.status["monitoring"]["blocks"], w.status["monitoring"]["void"]) == (1, 1)


@example([(2, "9" * 4000)])
@example([(2, "9" * 4300), (3, "9" * 4299)])
@given(st.lists(st.tuples(st.integers(0, 9), st.one_of(st.sampled_from(PARTS), st.text()))))
def test_whatever_the_kept_evidence_is_it_goes_on_within_the_apis_bounds(
    changes: list[tuple[int, str]],
) -> None:
    w = World()
    w.begin()
    w.days(2)
    known = w.status["monitoring"]["evidence"]
    parts = known.split(";")
    for at, part in changes:
        parts[at % len(parts)] = part
    w.status["monitoring"]["evidence"] = ";".join(parts)
    w.days(2)
    found = w.status["monitoring"]
    MonitoringStatus.model_validate(found)
    assert found["blocks"] == 4
    assert len(found["evidence"].split(";")) == len(known.split(";"))


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
