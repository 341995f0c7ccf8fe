"""Which rule of admission speaks when several hold a run back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from evenkeel.api.retrainschedule import RetrainSchedule
from evenkeel.retraining.admission import RULES, Failures, Request, first_block

from tests.support.retraining import schedule

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)


def deleted(schedule: RetrainSchedule) -> RetrainSchedule:
    meta = schedule.metadata.model_copy(update={"deletion_timestamp": "2026-01-31T09:00:00Z"})
    return schedule.model_copy(update={"metadata": meta})


def test_the_rules_speak_in_their_order() -> None:
    spec = {"cooldownSeconds": 60, "budget": {"runs": 1, "perSeconds": 3600}}
    everything = Request(
        schedule=deleted(schedule(suspend=True, **spec)),
        starts={"r": NOW - timedelta(seconds=10)},
        active=["r"],
        failures=Failures(1, NOW),
        unusable="training.podTemplate is wrong",
        now=NOW,
        restored_until=NOW + timedelta(seconds=60),
    )
    request, reasons = everything, []
    for relief in (
        {"schedule": schedule(suspend=True, **spec)},
        {"unusable": None},
        {"schedule": schedule(**spec)},
        {"restored_until": NOW},
        {"failures": Failures(0, None)},
        {"starts": {"r": NOW - timedelta(seconds=60)}},
        {"starts": {}},
        {"active": []},
    ):
        block = first_block(request)
        assert block is not None
        reasons.append((block.reason, block.until is not None, block.stalled, block.alerts_wait))
        request = replace(request, **relief)
    assert reasons == [
        ("Terminating", False, False, False),
        ("InvalidTemplate", False, True, True),
        ("Suspended", False, False, False),
        ("Restoring", True, False, True),
        ("BackingOff", True, False, True),
        ("CoolingDown", True, False, True),
        ("BudgetExhausted", True, False, True),
        ("Active", False, False, True),
    ]
    assert first_block(request) is None
    assert len(RULES) == len(reasons)
