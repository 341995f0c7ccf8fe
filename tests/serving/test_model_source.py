"""Which version is served, and that none passes by its gates or whoever decides."""

from __future__ import annotations

from typing import Any

import pytest
from evenkeel.api.modeldeployment import ModelSource
from evenkeel.api.modelversion import ModelVersion
from evenkeel.meta.refusal import Refused
from evenkeel.serving.model_source import Target, resolve

JSON = dict[str, Any]


def version(name: str, status: str | None, reason: str = "", age: int = 1) -> ModelVersion:
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
            "spec": {"model": "fraud", "uri": f"s3://m/{name}", "format": {"name": "sklearn"}},
            "status": {"conditions": [approved] if status is not None else []},
        }
    )


def named(status: str | None, reason: str = "") -> Target | Refused:
    return resolve(ModelSource(version="v1"), [version("v1", status, reason)], (), 0)


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
    target = resolve(ModelSource(follow="fraud"), versions, (), 3)
    assert isinstance(target, Target)
    assert target.version == "v2"


@pytest.mark.parametrize(
    ("status", "reason", "remedy"),
    [("False", "GatesFailed", "train one"), ("Unknown", "AwaitingApproval", "decide on v1")],
)
def test_following_without_an_approved_version_says_what_to_do(
    status: str, reason: str, remedy: str
) -> None:
    refused = resolve(ModelSource(follow="fraud"), [version("v1", status, reason)], (), 1)
    assert isinstance(refused, Refused)
    assert refused.reason == "NoApprovedVersion"
    assert remedy in refused.message
