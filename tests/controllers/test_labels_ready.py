"""What a user is told of the server for labels."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from evenkeel.api.modeldeploymentstatus import ModelDeploymentStatus
from evenkeel.controllers.modeldeployment.conditions.labels_ready import (
    AWAITED,
    awaited,
    labels_ready,
)
from evenkeel.controllers.modeldeployment.conditions.situation import Situation
from evenkeel.meta.conditions import Observation
from evenkeel.meta.objects import Ref
from evenkeel.meta.refusal import Refused
from evenkeel.rollout.state import RolloutState
from evenkeel.serving.observed import Child, Pods
from evenkeel.serving.processes import Process

from tests.support.serving_examples import model_deployment

NOW = datetime(2026, 2, 1, 9, tzinfo=UTC)
STABLE = ModelDeploymentStatus.model_validate({"stable": {"revision": "fraud-1"}}).stable
REF = Ref("apps/v1", "Deployment", "shop", "fraud-feedback")
MODELS = Child(Ref("apps/v1", "Deployment", "shop", "fraud-1"), "fraud-1", Pods(ready=2))
KEYS: dict[str, Any] = {"feedback": {"keys": {"secretName": "k"}}}


def observed(pods: Pods | None, monitoring: dict[str, Any]) -> tuple[Observation, ...]:
    situation = Situation(
        md=model_deployment(monitoring=monitoring),
        wanted=Refused("X", "not of interest"),
        rollout=RolloutState(STABLE, None, (), ()),
        pods=Pods(),
        children=(MODELS,) if pods is None else (MODELS, Child(REF, pods=pods)),
        now=NOW,
    )
    return labels_ready(situation)


def told(pods: Pods | None, monitoring: dict[str, Any] = KEYS) -> tuple[str, str] | None:
    """Status and reason."""
    found = observed(pods, monitoring)
    return (found[0].status, found[0].reason) if found else None


def running(seconds: float, **more: Any) -> Pods:
    return Pods(1, processes=(Process("p", started=NOW.timestamp() - seconds, **more),))


@pytest.mark.parametrize(
    ("pods", "status", "reason"),
    [
        (None, "Unknown", "FeedbackStarting"),
        (Pods(1), "Unknown", "FeedbackStarting"),
        (running(AWAITED - 1), "Unknown", "FeedbackStarting"),
        (running(AWAITED), "False", "KeysMissing"),
        (running(AWAITED, leaving=True), "Unknown", "FeedbackStarting"),
        (Pods(1, diagnosis="Unschedulable: no node"), "False", "FeedbackUnavailable"),
        (Pods(1, ready=1), "True", "LabelsTaken"),
    ],
)
def test_it_says_what_is_missing(pods: Pods | None, status: str, reason: str) -> None:
    assert told(pods) == (status, reason)


def test_a_claim_that_cannot_be_attached_is_looked_for_where_it_is_told() -> None:
    (found,) = observed(Pods(1), {"feedback": {**KEYS["feedback"], "claimName": "elec-labels"}})
    assert "kubectl describe pod -l evenkeel.dev/feedback=fraud" in found.message
    assert "elec-labels" in found.message


def test_without_feedback_there_is_nothing_to_tell() -> None:
    assert told(Pods(1, ready=1), {}) is None


def test_a_server_that_runs_is_looked_at_again_once_it_should_be_ready() -> None:
    assert awaited(running(4), NOW.timestamp()) == AWAITED - 4
    assert awaited(running(60), NOW.timestamp()) == 0
    assert awaited(running(4, ready=True), NOW.timestamp()) is None
    assert awaited(Pods(), NOW.timestamp()) is None
