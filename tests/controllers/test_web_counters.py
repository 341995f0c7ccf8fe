"""What web APIs have told of a trial becomes looks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.controllers.looks.trial import Trial
from evenkeel.controllers.looks.wanted import Told, Wanted
from evenkeel.controllers.modeldeployment.wanted_looks import wanted_looks
from evenkeel.controllers.modeldeployment.web_counters import LEAST_INTERVAL, polls, told
from evenkeel.meta.refusal import Refused
from evenkeel.outside.counters import Counters, CountersQuestion
from evenkeel.outside.poll import Failure, Sighting
from evenkeel.verdict.samples import Look, Reading, Unobserved

from tests.controllers.test_looks import deployment

START = datetime(2026, 1, 31, 9, tzinfo=UTC)
CANARY, STABLE = "web:refunds:canary", "web:refunds:stable"
REFUNDS = {"name": "refunds", "web": {"url": "https://h/{{revision}}?k=1", "bad": "/bad"}}


def on_trial(**canary: Any) -> ModelDeployment:
    return deployment("fraud", "shop", REFUNDS, **canary)


def seen(total: int, bad: int, seconds: float = 0.0) -> Sighting[object]:
    asked = START + timedelta(seconds=seconds)
    return Sighting(Counters(total, bad), START, asked)


def look(md: ModelDeployment, **sightings: Sighting[object]) -> Look | Unobserved | None:
    named = {f"web:refunds:{role}": sighting for role, sighting in sightings.items()}
    return told(md, named)["refunds"].seen


def wanted(md: ModelDeployment, known: dict[str, Told]) -> Wanted:
    runtime = Refused("RuntimeNotFound", "there is none")
    found = wanted_looks(md, runtime, frozenset(), {}, known)
    assert found is not None
    return found


def test_both_sides_are_asked_by_their_own_addresses() -> None:
    found = polls(on_trial())
    assert {name: (poll.kind, poll.url) for name, poll in found.items()} == {
        CANARY: ("counters", "https://h/fraud-canary"),
        STABLE: ("counters", "https://h/fraud-stable"),
    }
    assert {poll.question for poll in found.values()} == {CountersQuestion("k=1", "/total", "/bad")}
    assert {poll.interval for poll in found.values()} == {LEAST_INTERVAL}


def test_in_probation_the_former_revision_is_not_asked() -> None:
    md = on_trial(stage="Probation")
    assert polls(md).keys() == {CANARY}
    found = look(md, canary=seen(10, 1))
    assert isinstance(found, Look)
    assert (len(found.canary), found.stable) == (1, {})


def test_without_a_trial_nothing_is_asked() -> None:
    md = on_trial()
    without = md.model_copy(update={"status": md.status.model_copy(update={"canary": None})})
    assert (polls(without), told(without, {})) == ({}, {})


def test_each_sides_counters_have_the_time_of_their_answer() -> None:
    found = look(on_trial(), canary=seen(100, 5, 3.0), stable=seen(900, 9, 1.0))
    at = START.timestamp()
    assert found == Look(
        {"web": Reading(100, 5, at + 3, at + 3, good=False)},
        {"web": Reading(900, 9, at + 1, at + 1, good=False)},
        at + 3,
    )


def test_one_side_alone_is_no_look_yet() -> None:
    assert look(on_trial(), canary=seen(1, 0), stable=Sighting()) is None


def test_a_failure_of_either_side_is_told_of_it() -> None:
    failure = Failure("SourceUnavailable", "https://h answered 500", START)
    failing: Sighting[object] = Sighting(Counters(1, 0), START, START, failure)
    assert look(on_trial(), canary=seen(1, 0), stable=failing) == Unobserved(
        "SourceUnavailable", "counters of the stable: https://h answered 500", unanswered=True
    )


def test_a_failure_keeps_the_evidence_and_is_undecided() -> None:
    md, ids = on_trial(), iter("abc")
    trial = Trial(wanted(md, {}))

    def want(found: Look | Unobserved | None) -> None:
        trial.want(wanted(md, {"refunds": Told(found)}), ids, 0.0, START.timestamp())

    want(None)
    assert trial.seen() == {}
    for second in range(0, 60, 5):
        number = 1000 + 100 * second
        want(look(md, canary=seen(number, 0, second), stable=seen(number, 0, second + 0.5)))
    known = trial.tallies["refunds"].evidence.canary_total
    assert known > 1000
    want(Unobserved("SourceUnavailable", "down"))
    assert trial.tallies["refunds"].fault == Unobserved("SourceUnavailable", "down")
    assert trial.tallies["refunds"].evidence.canary_total == known
    want(look(md, canary=seen(9000, 0, 65), stable=seen(9000, 0, 65.5)))
    assert trial.tallies["refunds"].fault is None
    assert trial.tallies["refunds"].evidence.canary_total > known


def test_an_address_without_the_revision_tells_nothing() -> None:
    md = deployment("fraud", "shop", {"name": "refunds", "web": {"url": "https://h/c"}})
    assert polls(md) == {}
    found = wanted(md, told(md, {})).asked["refunds"]
    assert isinstance(found, Unobserved)
    assert "web asks the same of both revisions" in found.message
