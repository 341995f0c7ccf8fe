"""A version that was restored keeps its place, its gates' result and where it was taken back."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from evenkeel.api.modelversion import ModelVersion, ModelVersionStatus
from evenkeel.api.record import annotation
from evenkeel.api.version_order import age
from evenkeel.meta.conditions import find
from evenkeel.meta.plan import Plan
from evenkeel.versions.plan import VersionSnapshot, plan_version

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
CREATED, AGAIN = "2026-01-31T08:59:00Z", "2026-02-28T09:00:00Z"
GATES = [
    {"name": "good", "metric": "accuracy", "min": "0.8"},
    {"name": "not-worse", "metric": "accuracy", "champion": {}},
]
Json = dict[str, Any]


def version(name: str = "new", accuracy: str = "0.9", **spec: Any) -> Json:
    return {
        "metadata": {"name": name, "generation": 1, "creationTimestamp": CREATED},
        "spec": {
            "model": "elec",
            "uri": "s3://m/1",
            "format": {"name": "sklearn"},
            "metrics": [{"name": "accuracy", "value": accuracy}],
            "gates": GATES,
            **spec,
        },
    }


def promoted(name: str, accuracy: str, time: str) -> Json:
    rollout = {"deployment": "prod", "revision": "r", "outcome": "Promoted", "time": time}
    return {**version(name, accuracy), "status": {"rollouts": [rollout]}}


def plan(obj: Json, *siblings: Json) -> Plan:
    others = tuple(map(ModelVersion.model_validate, siblings))
    return plan_version(VersionSnapshot(ModelVersion.model_validate(obj), others, NOW))


def after(obj: Json, done: Plan, rollouts: tuple[Json, ...] = ()) -> Json:
    metadata = {**obj["metadata"], "annotations": dict(done.annotations)}
    return {**obj, "metadata": metadata, "status": {**done.status.wire(), "rollouts": rollouts}}


def again(obj: Json) -> Json:
    return {"metadata": {**obj["metadata"], "creationTimestamp": AGAIN}, "spec": obj["spec"]}


def condition(done: Plan, type_: str) -> tuple[str, str]:
    assert isinstance(done.status, ModelVersionStatus)
    found = find(done.status.conditions, type_)
    assert found is not None
    return found.status, found.reason


@pytest.mark.parametrize(("accuracy", "result"), [("0.9", "True"), ("0.7", "False")])
def test_its_gates_come_to_the_same_result_without_telling_it_again(
    accuracy: str, result: str
) -> None:
    old = promoted("old", "0.85", "2026-01-01T00:00:00Z")
    subject = version(accuracy=accuracy, champion="old")
    first = plan(subject, old)
    better = promoted("better", "0.99", "2026-01-30T00:00:00Z")
    second = plan(again(after(subject, first)), old, better)
    assert condition(first, "Approved")[0] == condition(second, "Approved")[0] == result
    assert first.events
    assert not second.events


def test_a_version_made_without_a_champion_is_compared_with_none_later() -> None:
    better = promoted("better", "0.99", "2026-01-30T00:00:00Z")
    assert condition(plan(version(champion=""), better), "Validated") == ("True", "GatesPassed")
    assert condition(plan(version(), better), "Validated") == ("False", "GatesFailed")


def test_it_waits_for_a_champion_that_is_yet_to_be_restored() -> None:
    subject = version(champion="old")
    waiting = plan(subject)
    for type_ in ("Validated", "Approved", "Ready"):
        assert condition(waiting, type_) == ("Unknown", "ChampionMissing")
    assert waiting.requeue_after == 10
    assert not waiting.events
    done = plan(after(subject, waiting), version("old", "0.95"))
    assert condition(done, "Validated") == ("False", "GatesFailed")
    absolute = version(champion="old", gates=GATES[:1])
    assert condition(plan(absolute), "Validated") == ("True", "GatesPassed")


def test_versions_without_times_keep_the_order_of_their_first_creation() -> None:
    made = []
    for n, name in enumerate(("c", "a", "b")):
        subject = version(name)
        subject["metadata"]["creationTimestamp"] = f"2026-01-31T08:59:0{n}Z"
        made.append(again(after(subject, plan(subject))))
    for order in permutations(made):
        settled = [after(obj, plan(obj)) for obj in order]
        for objects in (order, settled):
            models = map(ModelVersion.model_validate, objects)
            assert [m.metadata.name for m in sorted(models, key=age)] == ["c", "a", "b"]


def test_it_remembers_where_it_was_taken_back() -> None:
    back = {"deployment": "prod", "revision": "r", "outcome": "RolledBack", "time": CREATED}
    subject = after(version(), plan(version()), (back,))
    settled = after(subject, plan(subject), (back,))
    restored = after(again(settled), plan(again(settled)))
    status = ModelVersion.model_validate(restored).status
    assert not status.rollouts
    assert [(r.deployment, r.revision) for r in status.rolled_back] == [("prod", "r")]
    once_more = after(restored, plan(restored), ({**back, "outcome": "Promoted"},))
    forgiven = plan(once_more)
    assert isinstance(forgiven.status, ModelVersionStatus)
    assert forgiven.status.rolled_back == ()


def test_a_record_gives_neither_approval_nor_a_promotion() -> None:
    forged = version(accuracy="0.1", gates=GATES[:1])
    approved = {
        "type": "Approved",
        "status": "True",
        "reason": "Approved",
        "lastTransitionTime": CREATED,
    }
    text = {"conditions": [approved], "rollouts": [], "gates": [], "trainedTime": CREATED}
    forged["metadata"]["annotations"] = annotation(text)
    assert condition(plan(forged), "Approved") == ("False", "GatesFailed")
