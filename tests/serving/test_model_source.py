"""Which version is served, and that none passes by its gates or whoever decides."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from evenkeel.api.common import ModelFormat
from evenkeel.api.modeldeploymentstatus import ResolvedModel
from evenkeel.api.modelsource import ModelSource
from evenkeel.api.modelversion import ModelVersion
from evenkeel.meta.refusal import Refused
from evenkeel.serving.model_source import NEW, Past, Target, resolve

JSON = dict[str, Any]


def version(
    name: str,
    status: str | None,
    reason: str = "",
    age: int = 1,
    trained: str = "",
    known: str = "",
) -> ModelVersion:
    approved = {
        "type": "Approved",
        "status": status,
        "reason": reason or "Approved",
        "message": "the figures",
        "lastTransitionTime": "2026-01-31T09:00:00Z",
    }
    return ModelVersion.model_validate(
        {
            "metadata": {
                "name": name,
                "namespace": "shop",
                "creationTimestamp": f"2026-01-31T09:00:0{age}Z",
            },
            "spec": {
                "model": "fraud",
                "uri": f"s3://m/{name}",
                "format": {"name": "sklearn"},
                "trainedTime": trained or None,
            },
            "status": {
                "conditions": [approved] if status is not None else [],
                "trainedTime": known or None,
            },
        }
    )


def named(status: str | None, reason: str = "") -> Target | Refused:
    return resolve(ModelSource(version="v1"), [version("v1", status, reason)], 0)


def test_a_named_version_that_is_approved_is_served() -> None:
    target = named("True")
    assert isinstance(target, Target)
    assert (target.uri, target.version, target.model) == ("s3://m/v1", "v1", "fraud")


@pytest.mark.parametrize(
    ("status", "reason", "refusal"),
    [
        ("False", "GatesFailed", "VersionNotApproved"),
        ("False", "Denied", "VersionNotApproved"),
        ("Unknown", "AwaitingApproval", "AwaitingApproval"),
        (None, "", "AwaitingApproval"),
    ],
)
def test_naming_a_version_does_not_overrule_its_gates_or_who_decides(
    status: str | None, reason: str, refusal: str
) -> None:
    refused = named(status, reason)
    assert isinstance(refused, Refused)
    assert refused.reason == refusal
    assert ("the figures" in refused.message) == (refusal == "VersionNotApproved")


def test_following_serves_the_newest_approved_version() -> None:
    versions = [version("v1", "True"), version("v2", "True", age=2), version("v3", "False", age=3)]
    target = resolve(ModelSource(follow="fraud"), versions, 3)
    assert isinstance(target, Target)
    assert target.version == "v2"


@pytest.mark.parametrize(
    ("status", "reason", "remedy"),
    [("False", "GatesFailed", "train one"), ("Unknown", "AwaitingApproval", "decide on v1")],
)
def test_following_without_an_approved_version_says_what_to_do(
    status: str, reason: str, remedy: str
) -> None:
    refused = resolve(ModelSource(follow="fraud"), [version("v1", status, reason)], 1)
    assert isinstance(refused, Refused)
    assert refused.reason == "NoApprovedVersion"
    assert remedy in refused.message


MARCH, JUNE, OCTOBER = (f"2025-{month}-01T00:00:00Z" for month in ("03", "06", "10"))


def followed(*versions: ModelVersion, past: Past = NEW) -> str:
    """The version that is followed to, or the reason why there is none."""
    found = resolve(ModelSource(follow="fraud"), versions, len(versions), past)
    return found.reason if isinstance(found, Refused) else found.version


@pytest.mark.parametrize("field", ["trained", "known"])
def test_versions_are_ordered_by_their_training_not_by_their_creation(field: str) -> None:
    march, june = version("a", "True", age=3, **{field: MARCH}), version("b", "True", age=1)
    june = version("b", "True", age=1, **{field: JUNE})
    assert followed(march, june) == "b"
    assert followed(june, version("c", "True", age=2)) == "c", "created later than all of them"


def test_nobody_was_trained_after_its_creation() -> None:
    future = version("a", "True", age=1, trained="2099-01-01T00:00:00Z")
    assert followed(future, version("b", "True", age=5)) == "b"


def test_a_tie_is_not_decided_by_names() -> None:
    assert followed(version("a", "True"), version("b", "True")) == "OrderUnknown"
    assert followed(version("a", "True"), version("b", "Unknown", "AwaitingApproval")) == "a"
    told = version("a", "True", trained=MARCH), version("b", "True", trained=MARCH)
    assert followed(*told) == "b", "both say so themselves"
    older = version("a", "True"), version("b", "True"), version("c", "True", age=2)
    assert followed(*older) == "c"
    serving = Past(served={"c"})
    assert followed(*older, past=serving) == "c"


def test_the_first_to_be_served_waits_for_newer_ones_to_be_judged() -> None:
    versions = version("a", "True"), version("b", None, age=2)
    assert followed(*versions) == "AwaitingApproval"
    assert followed(*versions, past=Past(served={"a"})) == "a"
    tied = version("b", "True"), version("a", None)
    assert followed(*tied) == "AwaitingApproval", "a name does not tell which is newer"


def test_elders_of_what_serves_are_not_tried_though_it_is_gone() -> None:
    past = Past(gone=datetime(2026, 1, 31, 9, 0, 5, tzinfo=UTC))
    assert followed(version("a", "True", age=4), past=past) == "VersionNotFound"
    assert followed(version("a", "True", age=4), version("b", "True", age=6), past=past) == "b"


def test_what_was_taken_back_is_not_the_first_to_be_served() -> None:
    versions = version("a", "True"), version("b", "True", age=2)
    assert followed(*versions, past=Past(taken_back={"b"})) == "a"
    assert followed(*versions, past=Past(taken_back={"a", "b"})) == "NoApprovedVersion"


REGISTERED = ResolvedModel.model_validate(
    {
        "registry": "mlflow",
        "name": "fraud",
        "version": "3",
        "uri": "s3://m/3",
        "format": {"name": "mlflow"},
        "time": "2026-01-31T09:00:00Z",
    }
)


def of_registry(registered: ResolvedModel | Refused, **more: Any) -> Target | Refused:
    words = {"registry": "mlflow", "name": "fraud", "alias": "champion"}
    source = ModelSource.model_validate({"registry": words, **more})
    return resolve(source, [], 0, registered=registered)


def test_a_registered_model_is_served_by_its_version_and_format() -> None:
    target = of_registry(REGISTERED)
    assert isinstance(target, Target)
    assert (target.uri, target.version, target.number) == ("s3://m/3", "", "3")
    assert target.format == ModelFormat(name="mlflow")


def test_the_users_format_goes_before_the_registrys() -> None:
    target = of_registry(REGISTERED, format={"name": "sklearn"})
    assert isinstance(target, Target)
    assert target.format == ModelFormat(name="sklearn")


def test_what_the_registry_cannot_say_is_refused_in_its_words() -> None:
    refused = Refused("AliasNotFound", "its words")
    assert of_registry(refused) is refused
