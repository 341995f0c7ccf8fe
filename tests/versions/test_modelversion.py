"""A version's gates are judged once; approval follows them, and a denial overrules all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from evenkeel.api.modelversion import ModelVersion, ModelVersionStatus
from evenkeel.meta.conditions import find
from evenkeel.meta.plan import Plan
from evenkeel.versions.plan import VersionSnapshot, plan_version

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
GATE = {"name": "good", "metric": "accuracy", "min": "0.8", "champion": {}}


def version(
    name: str = "new", accuracy: str = "0.9", promoted: str | None = None, **spec: Any
) -> ModelVersion:
    rollout = {"deployment": "prod", "revision": "r1", "outcome": "Promoted", "time": promoted}
    return ModelVersion.model_validate(
        {
            "metadata": {"name": name, "namespace": "ml", "generation": 1},
            "spec": {
                "model": "elec",
                "uri": "s3://m/1",
                "format": {"name": "sklearn"},
                "metrics": [{"name": "accuracy", "value": accuracy}],
                "gates": [GATE],
                **spec,
            },
            "status": {"rollouts": [rollout] if promoted else []},
        }
    )


OLD = version("old", "0.85", promoted="2026-01-01T00:00:00Z")


def plan(subject: ModelVersion, *siblings: ModelVersion, now: datetime = NOW) -> Plan:
    snapshot = VersionSnapshot(subject, siblings, now)
    first = plan_version(snapshot)
    assert plan_version(snapshot) == first
    return first


def after(subject: ModelVersion, done: Plan, **spec: Any) -> ModelVersion:
    """The version with the plan's status, and with a changed spec."""
    wire = subject.wire()
    status = {**done.status.wire(), "rollouts": wire["status"]["rollouts"]}
    return ModelVersion.model_validate(
        {"metadata": wire["metadata"], "spec": {**wire["spec"], **spec}, "status": status}
    )


def conditions(done: Plan) -> dict[str, tuple[str, str]]:
    assert isinstance(done.status, ModelVersionStatus)
    return {c.type: (c.status, c.reason) for c in done.status.conditions}


def test_passed_gates_approve_automatically() -> None:
    done = plan(version(), OLD)
    assert conditions(done) == {
        "Validated": ("True", "GatesPassed"),
        "Approved": ("True", "AutomaticallyApproved"),
        "Ready": ("True", "Approved"),
    }
    assert isinstance(done.status, ModelVersionStatus)
    assert (done.status.champion, done.status.gates[0].passed) == ("old", True)
    assert [(e.reason, e.message) for e in done.events] == [
        ("Approved", "1 of 1 passed; approved automatically after the gates")
    ]
    assert done.requeue_after is None


def test_a_failed_gate_stalls_the_version_and_no_person_can_approve_it() -> None:
    done = plan(version(accuracy="0.84"), OLD)
    assert conditions(done) == {
        "Validated": ("False", "GatesFailed"),
        "Approved": ("False", "GatesFailed"),
        "Ready": ("False", "GatesFailed"),
        "Stalled": ("True", "GatesFailed"),
    }
    assert [e.reason for e in done.events] == ["GateFailed"]
    tried = plan(after(version(accuracy="0.84"), done, approval={"decision": "Approved"}), OLD)
    assert conditions(tried)["Approved"] == ("False", "GatesFailed")


def test_gates_are_judged_once_whoever_is_champion_later() -> None:
    first = plan(version(), OLD)
    better = version("better", "0.99", promoted="2026-01-30T00:00:00Z")
    later = plan(after(version(), first), OLD, better, now=NOW + timedelta(days=1))
    assert later.status == first.status
    assert later.events == ()


def test_the_version_is_not_its_own_champion() -> None:
    own = version(promoted="2026-01-30T00:00:00Z")
    done = plan(own, own)
    assert isinstance(done.status, ModelVersionStatus)
    assert done.status.champion is None
    assert "no champion in production" in done.status.gates[0].message


def test_without_gates_a_version_is_valid() -> None:
    assert conditions(plan(version(gates=[])))["Validated"] == ("True", "NoGates")


def test_manual_approval_waits_for_a_person() -> None:
    manual = version(approval={"mode": "Manual"})
    waiting = plan(manual)
    assert conditions(waiting) == {
        "Validated": ("True", "GatesPassed"),
        "Approved": ("Unknown", "AwaitingApproval"),
        "Ready": ("Unknown", "AwaitingApproval"),
        "Reconciling": ("True", "AwaitingApproval"),
    }
    decided = {"mode": "Manual", "decision": "Approved", "by": "ada", "comment": "looks good"}
    done = plan(after(manual, waiting, approval=decided))
    assert conditions(done)["Ready"] == ("True", "Approved")
    assert [(e.reason, e.message) for e in done.events] == [
        ("Approved", "approved by ada: looks good")
    ]
    assert "-> approved by ada: looks good" in done.status.wire()["lineage"]


@pytest.mark.parametrize("mode", ["Automatic", "Manual"])
def test_a_denial_overrules_even_an_approval_that_was_given(mode: str) -> None:
    first = plan(version())
    denied = {"mode": mode, "decision": "Denied", "by": "ada", "comment": "biased"}
    done = plan(after(version(), first, approval=denied))
    assert conditions(done) == {
        "Validated": ("True", "GatesPassed"),
        "Approved": ("False", "Denied"),
        "Ready": ("False", "Denied"),
        "Stalled": ("True", "Denied"),
    }
    assert [(e.reason, e.message) for e in done.events] == [("Denied", "denied by ada: biased")]


def test_lineage_grows_with_the_rollout_whose_list_is_left_to_its_writer() -> None:
    done = plan(version(promoted="2026-01-31T10:00:00Z"))
    assert "ModelDeployment prod: Promoted" in done.status.wire()["lineage"]
    assert done.shared_status == ("rollouts", "performance")
    assert done.status.wire()["rollouts"] == []


def test_times_of_conditions_move_only_with_their_status() -> None:
    first = plan(version())
    later = plan(after(version(), first), now=NOW + timedelta(hours=1))
    assert isinstance(later.status, ModelVersionStatus)
    validated = find(later.status.conditions, "Validated")
    assert validated is not None
    assert validated.last_transition_time == "2026-01-31T09:00:00Z"
