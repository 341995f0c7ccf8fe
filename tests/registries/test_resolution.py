"""What is served of a registry, whatever it says, loses or fails to say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from evenkeel.api.modeldeploymentstatus import ResolvedModel
from evenkeel.api.modelregistry import ModelRegistry
from evenkeel.api.modelsource import ModelSource
from evenkeel.meta.refusal import Refused
from evenkeel.outside.mlflow import Missing, Registered, Which
from evenkeel.outside.poll import Failure, Poll, Sighting
from evenkeel.registries.resolution import REMEDIES, Resolution, question, resolve

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
REGISTRY = ModelRegistry.model_validate(
    {
        "metadata": {"name": "mlflow", "namespace": "shop"},
        "spec": {
            "mlflow": {"url": "http://mlflow:5000", "workspace": "team-a"},
            "secretName": "mlflow",
            "intervalSeconds": 20,
        },
    }
)
TWO = Registered(
    "2", "models:/m-2", "s3://m/2", "run-2", ("python_function", "sklearn"), True, "c0ffee"
)
THREE = Registered("3", "models:/m-3", "s3://m/3", "run-3", ("python_function",), True)
DOWN = Failure("SourceUnavailable", "http://mlflow:5000: cannot connect", NOW)


def source(text: str = "alias: champion", more: str = "{}") -> ModelSource:
    registry = {"registry": "mlflow", "name": "fraud", **yaml.safe_load(text)}
    return ModelSource.model_validate({"registry": registry, **yaml.safe_load(more)})


def seen(answer: object = None, failure: Failure | None = None) -> Sighting[object]:
    since = None if answer is None else NOW
    return Sighting(answer, since, since, failure)


def resolved(
    answer: object = None,
    failure: Failure | None = None,
    *,
    known: ResolvedModel | None = None,
    wanted: ModelSource | None = None,
    registry: ModelRegistry | None = REGISTRY,
    now: datetime = NOW,
) -> Resolution:
    return resolve(wanted or source(), registry, known, seen(answer, failure), now)


def model(found: Resolution) -> ResolvedModel:
    assert isinstance(found.model, ResolvedModel), found
    return found.model


KNOWN = model(resolved(TWO))


def test_the_question_is_the_aliass() -> None:
    assert question(source(), REGISTRY) == Poll(
        "mlflow",
        "http://mlflow:5000",
        Which("fraud", alias="champion", workspace="team-a"),
        20.0,
        "mlflow",
    )


def test_a_format_of_the_users_spares_the_question_for_flavors() -> None:
    asked: Any = question(source("version: '3'", "format: {name: sklearn}"), REGISTRY).question
    assert (asked.version, asked.alias, asked.flavors) == ("3", "", False)


def test_the_version_of_the_alias_with_all_that_is_shown_of_it() -> None:
    found = resolved(TWO)
    assert found.trouble is None
    assert model(found).wire() == {
        "registry": "mlflow",
        "name": "fraud",
        "alias": "champion",
        "version": "2",
        "runID": "run-2",
        "codeRevision": "c0ffee",
        "source": "models:/m-2",
        "uri": "s3://m/2",
        "format": {"name": "mlflow"},
        "flavors": ["python_function", "sklearn"],
        "signed": True,
        "secretName": "mlflow",
        "workspace": "team-a",
        "time": "2026-01-31T09:00:00Z",
    }


def test_a_moved_alias_is_another_version() -> None:
    found = model(resolved(THREE, known=KNOWN))
    assert (found.version, found.uri) == ("3", "s3://m/3")


def test_what_is_told_again_keeps_its_time() -> None:
    """Or a restart of the operator would write each status."""
    sight: Sighting[object] = Sighting(TWO, NOW + timedelta(days=1), NOW + timedelta(days=1))
    assert resolve(source(), REGISTRY, KNOWN, sight, NOW).model is KNOWN


def test_the_users_format_goes_before_the_flavors() -> None:
    wanted = source(more="format: {name: sklearn, version: '1'}")
    answer = TWO.__class__("2", "s", "s3://m/2")
    found = model(resolved(answer, wanted=wanted))
    assert (found.format.name, found.signed) == ("sklearn", None)


BOTHERS = [
    *(Missing(reason, "its words") for reason in REMEDIES),
    Registered("3", "models:/m-3", "file:///mlruns/3", "", ("python_function",)),
    Registered("3", "models:/m-3", "s3://m/3", "", ("onnx",)),
]


@pytest.mark.parametrize("answer", BOTHERS, ids=str)
def test_what_was_resolved_stays_whatever_the_registry_says(answer: object) -> None:
    found = resolved(answer, known=KNOWN)
    assert found.model is KNOWN
    assert found.trouble is not None
    # Cause before remedy.
    assert ";" in found.trouble.message
    if isinstance(answer, Missing):
        assert found.trouble.reason == answer.reason
        assert "ModelRegistry mlflow: its words; " in found.trouble.message


@pytest.mark.parametrize("answer", BOTHERS, ids=str)
def test_without_anything_resolved_it_is_refused(answer: object) -> None:
    found = resolved(answer)
    assert isinstance(found.model, Refused)
    assert found.model == found.trouble


def test_a_registry_that_is_down_takes_nothing_away() -> None:
    for answer in (None, TWO):
        found = resolved(answer, DOWN, known=KNOWN)
        assert found.model is KNOWN
        assert found.trouble == Refused(DOWN.reason, DOWN.message)
    # It moved the alias, and went down before the status had it.
    assert model(resolved(THREE, DOWN, known=KNOWN)).version == "3"
    assert isinstance(resolved(None, DOWN).model, Refused)


def test_after_a_restart_what_was_resolved_stays_without_a_word_on_the_registry() -> None:
    assert resolved(known=KNOWN) == Resolution(KNOWN, None, asked=False)


def test_before_the_first_answer_it_waits() -> None:
    found = resolved()
    assert isinstance(found.model, Refused)
    assert (found.model.reason, found.trouble, found.asked) == ("AwaitingRegistry", None, False)


def test_without_a_registry() -> None:
    found = resolved(registry=None, known=KNOWN)
    assert found.model is KNOWN
    assert found.trouble is not None
    assert found.trouble.reason == "RegistryNotFound"
    assert isinstance(resolved(registry=None).model, Refused)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("alias: champion", True),
        ("alias: shadow", False),
        ("version: '2'", True),
        ("version: '3'", False),
        ("{alias: champion, name: spam}", False),
        ("{alias: champion, registry: other}", False),
    ],
)
def test_what_was_resolved_of_other_words_is_not_served_as_if_it_were_theirs(
    text: str, same: bool
) -> None:
    found = resolved(None, DOWN, known=KNOWN, wanted=source(text))
    assert (found.model is KNOWN) == same
