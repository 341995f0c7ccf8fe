"""What a registry is asked to have of a ModelVersion, and what comes of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from evenkeel.api.modelregistry import ModelRegistry
from evenkeel.api.modelversion import ModelVersion
from evenkeel.outside.mlflow import Enrolled, Enrolment
from evenkeel.outside.poll import Failure, Sighting
from evenkeel.registries.registration import Found, found, question

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
SINCE = datetime(2026, 1, 31, 8, tzinfo=UTC)
URL = "https://mlflow.example.com/ml"
LOGGED = "m-" + "c0" * 16
UNSEEN: Sighting[object] = Sighting()


def registry(**spec: Any) -> ModelRegistry:
    told = {"mlflow": {"url": URL}, "secretName": "mlflow", **spec}
    return ModelRegistry.model_validate({"metadata": {"name": "mlflow"}, "spec": told})


def version(status: dict[str, Any] | None = None, **spec: Any) -> ModelVersion:
    return ModelVersion.model_validate(
        {
            "metadata": {"name": "fraud-1a", "namespace": "shop"},
            "spec": {
                "model": "fraud",
                "uri": "s3://models/fraud/1",
                "format": {"name": "sklearn"},
                "registration": {"registry": "mlflow", "name": "Fraud"},
                **spec,
            },
            "status": status or {},
        }
    )


def asked(subject: ModelVersion, **spec: Any) -> Enrolment:
    poll = question(subject, registry(**spec))
    assert (poll.url, poll.secret, poll.interval) == (URL, "mlflow", 30.0)
    assert isinstance(poll.question, Enrolment)
    return poll.question


def test_what_is_asked() -> None:
    cause = {"type": "Manual", "message": "by ada"}
    subject = version(trainingRun="fraud-run", dataRevision="d1", codeRevision="c1", cause=cause)
    mlflow = {"url": URL, "workspace": "team-a"}
    assert asked(subject, mlflow=mlflow) == Enrolment(
        "Fraud",
        mark=("evenkeel.dev/model-version", "shop/fraud-1a"),
        sources=("s3://models/fraud/1",),
        tags=(
            ("evenkeel.dev/model", "fraud"),
            ("evenkeel.dev/training-run", "fraud-run"),
            ("evenkeel.dev/data-revision", "d1"),
            ("evenkeel.dev/code-revision", "c1"),
        ),
        description="ModelVersion fraud-1a of namespace shop: manual (by ada)",
        workspace="team-a",
    )


def test_the_question_stays_the_same() -> None:
    """Whatever becomes of the version: it is one question, asked once."""
    status = {"rollouts": [], "observedGeneration": 3}
    assert asked(version(status)) == asked(version())


@pytest.mark.parametrize(
    ("uri", "sources"),
    [
        (
            f"s3://mlflow/1/models/{LOGGED}/artifacts",
            (f"s3://mlflow/1/models/{LOGGED}/artifacts", f"models:/{LOGGED}"),
        ),
        (
            f"mlflow+{URL}/api/2.0/mlflow-artifacts/artifacts/1/models/{LOGGED}/artifacts",
            (f"models:/{LOGGED}", f"mlflow-artifacts:/1/models/{LOGGED}/artifacts"),
        ),
        (
            "mlflow+https://other/api/2.0/mlflow-artifacts/artifacts/1/m",
            ("mlflow+https://other/api/2.0/mlflow-artifacts/artifacts/1/m",),
        ),
        ("s3://mlflow/models/m-1/artifacts", ("s3://mlflow/models/m-1/artifacts",)),
    ],
)
def test_ways_to_call_the_artefacts(uri: str, sources: tuple[str, ...]) -> None:
    assert asked(version(uri=uri)).sources == sources


def test_what_the_server_keeps_of_a_run_names_it() -> None:
    run = "c0" * 16
    uri = f"mlflow+{URL}/api/2.0/mlflow-artifacts/artifacts/1/{run}/artifacts/model"
    found = asked(version(uri=uri))
    assert (found.sources, found.run_id) == ((f"mlflow-artifacts:/1/{run}/artifacts/model",), run)
    assert asked(version(uri=f"s3://mlflow/1/{run}/artifacts/model")).run_id == ""


def test_a_model_that_was_logged_there_is_registered_as_that() -> None:
    run = {"registry": "mlflow", "runID": "r1", "modelID": "m-1"}
    found = asked(version(mlflow=run))
    assert (found.sources, found.run_id) == (("models:/m-1", "s3://models/fraud/1"), "r1")
    elsewhere = asked(version(mlflow={**run, "registry": "other"}))
    assert (elsewhere.sources, elsewhere.run_id) == (("s3://models/fraud/1",), "")


def outcome(
    seen: Sighting[object] = UNSEEN, *, there: bool = True, status: dict[str, Any] | None = None
) -> tuple[str, str, str]:
    """Status and reason of the condition, and the number of the version."""
    known: Found = found(version(status), registry() if there else None, seen, NOW)
    number = known.registered.version if known.registered is not None else ""
    assert known.observation.type == "Registered"
    return known.observation.status, known.observation.reason, number


REGISTERED = {
    "registered": {
        "registry": "mlflow",
        "name": "Fraud",
        "version": "7",
        "time": "2026-01-01T00:00:00Z",
    }
}
DOWN = Failure("SourceUnavailable", "mlflow answered 503", SINCE)


def test_once_the_registry_has_it() -> None:
    assert outcome(Sighting(Enrolled("7"), SINCE, NOW)) == ("True", "Registered", "7")
    known = found(version(), registry(), Sighting(Enrolled("7"), SINCE, NOW), NOW).registered
    assert known is not None
    assert known.wire() == {
        "registry": "mlflow",
        "name": "Fraud",
        "version": "7",
        "time": "2026-01-31T08:00:00Z",
    }


@pytest.mark.parametrize("there", [True, False])
def test_that_stays_whatever_the_registry_does(there: bool) -> None:
    seen: Sighting[object] = Sighting(failure=DOWN)
    assert outcome(seen, there=there, status=REGISTERED) == ("True", "Registered", "7")


def test_why_it_is_not() -> None:
    assert outcome() == ("Unknown", "AwaitingRegistry", "")
    assert outcome(there=False) == ("False", "RegistryNotFound", "")
    assert outcome(Sighting(failure=DOWN)) == ("False", "SourceUnavailable", "")


def test_a_new_leader_knows_nothing_better_yet() -> None:
    told = {
        "type": "Registered",
        "status": "False",
        "reason": "SourceUnavailable",
        "lastTransitionTime": "2026-01-31T08:00:00Z",
    }
    assert outcome(status={"conditions": [told]}) == ("False", "SourceUnavailable", "")
