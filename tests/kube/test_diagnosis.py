"""What refused requests mean, and that the log does not repeat itself."""

from __future__ import annotations

import logging

import pytest
from evenkeel.api.resources import OWN
from evenkeel.kube import diagnosis
from evenkeel.kube.client import ApiError
from evenkeel.kube.diagnosis import Repeated, diagnose, refusal
from evenkeel.meta.resources import POD

SCHEDULE = OWN["RetrainSchedule"]


def test_a_missing_crd_is_named() -> None:
    found = diagnose(SCHEDULE, ApiError(404, "NotFound", "404 page not found"))
    assert "install the CustomResourceDefinition retrainschedules.evenkeel.dev" in found.message
    assert found.lasts


@pytest.mark.parametrize(
    ("status", "message", "says"),
    [
        (404, "404 page not found", "install the CustomResourceDefinition retrainschedules"),
        (404, 'namespaces "ml" not found', 'namespaces "ml" not found'),
        (403, "exceeded quota", "exceeded quota"),
    ],
)
def test_what_was_not_created_says_why(status: int, message: str, says: str) -> None:
    assert says in refusal(SCHEDULE, ApiError(status, "", message))


def test_a_missing_right_is_named() -> None:
    said = 'pods is forbidden: User "u" cannot list resource "pods" in API group ""'
    found = diagnose(POD, ApiError(403, "Forbidden", said))
    assert 'cannot list resource "pods"' in found.message
    assert found.lasts


def test_no_answer_concerns_all_kinds_alike() -> None:
    fault = ApiError(0, "NoAnswer", "cannot connect to 10.0.0.1:443")
    assert diagnose(POD, fault) == diagnose(SCHEDULE, fault)
    assert not diagnose(POD, fault).lasts


def test_other_faults_pass() -> None:
    found = diagnose(POD, ApiError(500, "InternalError", "etcd"))
    assert "pods" in found.message
    assert not found.lasts


def test_a_fault_is_logged_when_it_begins_and_once_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(diagnosis.time, "monotonic", lambda: now)
    faults = Repeated(logging.getLogger("test"))
    for at, message in [(0, "a"), (1, "a"), (59, "a"), (61, "a"), (62, "b"), (63, "b"), (64, "a")]:
        now = 1000.0 + at
        faults.warn(message)
    assert caplog.messages == ["a", "a", "b", "a"]
