"""What a registry is told of its versions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from evenkeel.api import ModelDeployment
from evenkeel.api.modelregistry import ModelRegistry
from evenkeel.meta.refusal import Refused
from evenkeel.outside.mlflow import Missing, Tag, Tagged
from evenkeel.outside.poll import Failure, Sighting
from evenkeel.registries.tags import LONGEST, Telling, questions, telling

JSON = dict[str, Any]
NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
TIME = "2026-01-31T09:00:00Z"


def registry(*, write: bool = True) -> ModelRegistry:
    spec = {"mlflow": {"url": "http://mlflow:5000"}, "secretName": "mlflow", "writeTags": write}
    return ModelRegistry.model_validate({"metadata": {"name": "mlflow"}, "spec": spec})


def of(version: int, name: str = "fraud", registry: str = "mlflow") -> JSON:
    return {
        "revision": f"fraud-{version}",
        "registered": {"registry": registry, "name": name, "version": str(version)},
    }


def ended(version: int, outcome: str = "Promoted", message: str = "3/900", **more: str) -> JSON:
    found = {**of(version, **more), "outcome": outcome, "reason": "Why"}
    return {**found, "message": message, "time": TIME}


def told(write: bool = True, **status: Any) -> dict[str, str]:
    """By model and version the tag's value."""
    words = {"registry": "mlflow", "name": "fraud", "alias": "champion"}
    md = ModelDeployment.model_validate(
        {
            "metadata": {"name": "fraud", "namespace": "shop"},
            "spec": {"model": {"registry": words}},
            "status": status,
        }
    )
    found: dict[str, str] = {}
    for poll in questions(md, registry(write=write)).values():
        assert (poll.url, poll.secret) == ("http://mlflow:5000", "mlflow")
        tag = poll.question
        assert isinstance(tag, Tag)
        assert tag.key == "evenkeel.dev/rollout.shop.fraud"
        found[f"{tag.name} {tag.version}"] = tag.value
    return found


def test_how_rollouts_ended_and_which_goes_on() -> None:
    canary = {**of(3), "startTime": TIME, "stageTime": TIME}
    history = [ended(2, "RolledBack"), ended(1)]
    assert told(stable=of(1), canary=canary, history=history) == {
        "fraud 1": f"Promoted at {TIME}, revision fraud-1: Why: 3/900",
        "fraud 2": f"RolledBack at {TIME}, revision fraud-2: Why: 3/900",
        "fraud 3": f"Progressing since {TIME}, revision fraud-3",
    }


def test_the_first_revision_serves_without_a_trial() -> None:
    assert told(stable=of(1)) == {"fraud 1": "Promoted, revision fraud-1: it serves"}


def test_another_revision_of_what_serves_says_nothing_of_it() -> None:
    found = told(stable=of(1), history=[ended(1, "RolledBack")])
    assert found == {"fraud 1": "Promoted, revision fraud-1: it serves"}


def test_versions_of_others_are_left_alone() -> None:
    """Of a registry that the spec named before, of no registry, and those of long ago."""
    history = [ended(4, registry="other"), {**ended(5), "registered": None}, ended(6, name="spam")]
    history += [ended(7)]
    assert set(told(history=history)) == {"spam 6"}


def test_nothing_is_told_unasked() -> None:
    assert told(write=False, stable=of(1)) == {}


def test_a_long_verdict_is_cut() -> None:
    (value,) = told(history=[ended(1, message="x" * 2048)]).values()
    assert len(value) == LONGEST


DENIED = Failure("SourceAccessDenied", "answered 403", NOW)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([], Telling(None, 0, 0)),
        ([Sighting(Tagged(), NOW, NOW), Sighting()], Telling(None, 1, 2)),
        (
            [Sighting(Tagged(), NOW, NOW), Sighting(failure=DENIED)],
            Telling(Refused("SourceAccessDenied", "answered 403"), 1, 2),
        ),
        (
            [Sighting(Missing("RegisteredVersionNotFound", "gone"), NOW, NOW)],
            Telling(Refused("RegisteredVersionNotFound", "gone"), 0, 1),
        ),
    ],
)
def test_what_the_answers_come_to(seen: list[Sighting[object]], expected: Telling) -> None:
    assert telling(seen) == expected
