"""What a ModelRegistry says of itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from evenkeel.api.modelregistry import ModelRegistry, ModelRegistryStatus
from evenkeel.outside.mlflow import Reach, Reached
from evenkeel.outside.poll import Failure, Poll, Sighting
from evenkeel.registries.plan import plan_registry, question

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
REGISTRY = ModelRegistry.model_validate(
    {
        "metadata": {"name": "mlflow", "namespace": "shop", "generation": 2},
        "spec": {"mlflow": {"url": "http://mlflow:5000"}},
    }
)
ANSWERS: Sighting[object] = Sighting(Reached(), NOW, NOW)


def planned(seen: Sighting[object], registry: ModelRegistry = REGISTRY) -> ModelRegistryStatus:
    status = plan_registry(registry, seen, NOW + timedelta(hours=1)).status
    assert isinstance(status, ModelRegistryStatus)
    return status


def failing(reason: str) -> Sighting[object]:
    return Sighting(Reached(), NOW, NOW, Failure(reason, "http://mlflow:5000: its words", NOW))


def told(status: ModelRegistryStatus) -> list[tuple[str, str, str]]:
    return [(c.type, c.status, c.reason) for c in status.conditions]


def test_the_question() -> None:
    assert question(REGISTRY) == Poll("mlflow", "http://mlflow:5000", Reach(), 30.0)


def test_it_waits_for_the_first_answer_and_is_ready_with_it() -> None:
    assert told(planned(Sighting())) == [
        ("Ready", "Unknown", "AwaitingRegistry"),
        ("Reconciling", "True", "AwaitingRegistry"),
    ]
    status = planned(ANSWERS)
    assert told(status) == [("Ready", "True", "Reachable")]
    assert status.observed_generation == 2


@pytest.mark.parametrize(
    "reason", ["SourceAccessDenied", "SourceNotAllowed", "SourceNotUnderstood", "SourceNotFound"]
)
def test_what_a_person_must_mend_is_false_in_the_servers_words(reason: str) -> None:
    status = planned(failing(reason))
    assert told(status) == [("Ready", "False", reason), ("Stalled", "True", reason)]
    assert status.conditions[0].message == "http://mlflow:5000: its words"


def test_an_outage_may_end_by_itself() -> None:
    assert told(planned(failing("SourceUnavailable")))[0] == (
        "Ready",
        "Unknown",
        "SourceUnavailable",
    )


@pytest.mark.parametrize("seen", [ANSWERS, failing("SourceAccessDenied")])
def test_a_restart_writes_nothing_until_there_is_an_answer(seen: Sighting[object]) -> None:
    before = plan_registry(REGISTRY, seen, NOW).status
    assert planned(Sighting(), REGISTRY.model_copy(update={"status": before})) == before


def test_an_edit_asks_anew() -> None:
    before = plan_registry(REGISTRY, ANSWERS, NOW).status
    meta = REGISTRY.metadata.model_copy(update={"generation": 3})
    edited = REGISTRY.model_copy(update={"metadata": meta, "status": before})
    assert told(planned(Sighting(), edited))[0][1] == "Unknown"
