"""However many versions a model has, a reconcile finds the ones that matter at the same cost."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modelsource import ModelSource
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.record import RECORD
from evenkeel.api.version_order import age
from evenkeel.controllers import kinds, modelversion
from evenkeel.controllers.kind import Context
from evenkeel.controllers.known_versions import OF_MODEL, followed, number_of, promoted_last
from evenkeel.controllers.modeldeployment.observe import _runtime, _versions
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.meta.refusal import Refused
from evenkeel.serving.model_source import Past, Target, resolve
from evenkeel.versions.champion import champion
from hypothesis import given
from hypothesis import strategies as st

JSON = dict[str, Any]


def version(number: int, approval: str, promoted: int | None, deleted: bool = False) -> JSON:
    approved = {
        "type": "Approved",
        "status": {"Approved": "True", "Denied": "False"}.get(approval, "Unknown"),
        "reason": approval,
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    rollout = {
        "deployment": "prod",
        "revision": "r",
        "outcome": "Promoted" if promoted else "RolledBack",
        "time": f"2026-01-{promoted or 1:02}T00:00:00Z",
    }
    meta: JSON = {
        "name": f"v{number}",
        "namespace": "shop",
        "uid": f"u{number}",
        "resourceVersion": str(number + 1),
        "creationTimestamp": f"2026-01-01T00:00:{number % 7:02}Z",
    }
    if deleted:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {
        "metadata": meta,
        "spec": {"model": "fraud", "uri": f"s3://m/{number}", "format": {"name": "sklearn"}},
        "status": {"conditions": [approved] if approval else [], "rollouts": [rollout]},
    }


def store(versions: list[JSON]) -> Store:
    filled = Store(indexed=kinds.indexed(), indices=kinds.indices())
    for one in versions:
        filled.put("ModelVersion", one)
    return filled


VERSIONS = st.lists(
    st.tuples(
        st.sampled_from(["Approved", "Denied", "AwaitingApproval", ""]),
        st.none() | st.integers(1, 9),
        st.booleans(),
    ),
    max_size=8,
).map(lambda drawn: [version(n, *one) for n, one in enumerate(drawn)])


def _same(few: Target | Refused, every: Target | Refused) -> bool:
    """Which of several versions a message names may differ."""
    if isinstance(few, Refused) and isinstance(every, Refused):
        return few.reason == every.reason
    return few == every


@given(VERSIONS, st.sets(st.integers(0, 7)), st.sets(st.integers(0, 7)))
def test_what_is_followed_is_what_all_versions_together_say(
    versions: list[JSON], served: set[int], taken_back: set[int]
) -> None:
    known, source = store(versions), ModelSource(follow="fraud")
    every = [ModelVersion.model_validate(v) for v in versions]
    past = Past({f"v{n}" for n in served}, {f"v{n}" for n in taken_back - served})
    names = {*past.served, *past.taken_back}
    few = [ModelVersion.model_validate(v) for v in followed(known, "shop", "fraud", len(names))]
    few += [v for v in every if v.metadata.name in names and v not in few]
    number = sum(v.metadata.deletion_timestamp is None for v in every)
    assert number_of(known, "shop", "fraud") == number
    assert _same(resolve(source, few, number, past), resolve(source, every, number, past))


@given(VERSIONS)
def test_the_champion_is_among_the_last_that_were_promoted(versions: list[JSON]) -> None:
    known = store(versions)
    every = [ModelVersion.model_validate(v) for v in versions]
    few = promoted_last(known, "shop", "fraud")
    assert champion(few, "fraud") == champion(every, "fraud")
    for but in every:
        others = [v for v in every if v != but]
        assert champion([v for v in few if v != but], "fraud") == champion(others, "fraud")


TIMES = st.sampled_from(
    [
        None,
        "no time",
        "2025-12-31T23:59:59Z",
        "2025-12-31T23:59:59.5Z",
        "2026-01-01T01:00:00+02:00",
        "2026-01-01T00:00:02.000001Z",
        "2026-12-31T00:00:00Z",
    ]
)
RECORDS = st.none() | TIMES.map(lambda told: json.dumps({"trainedTime": told}))


@given(st.lists(st.tuples(TIMES, TIMES, RECORDS, st.booleans()), max_size=6))
def test_the_index_has_the_order_of_the_versions(
    drawn: list[tuple[str | None, str | None, str | None, bool]],
) -> None:
    versions = []
    for number, (spec, status, record, written) in enumerate(drawn):
        made = version(number, "Approved", None)
        made["spec"] |= {"trainedTime": spec} if spec else {}
        made["status"] |= {"trainedTime": status} if status else {}
        made["status"] |= {"observedGeneration": 1} if written else {}
        made["metadata"] |= {"annotations": {RECORD: record}} if record else {}
        versions.append(made)
    ordered = sorted((ModelVersion.model_validate(v) for v in versions), key=age)
    found = store(versions).found(OF_MODEL, "ModelVersion", "shop", "fraud")
    assert [v["metadata"]["name"] for v in found] == [v.metadata.name for v in ordered]


def test_no_model_is_made_of_what_a_watch_brings(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    known = store([])
    monkeypatch.setattr(ModelVersion, "model_validate", made.append)
    for approval in ("Approved", "AwaitingApproval", ""):
        known.put("ModelVersion", version(len(approval), approval, 1))
    assert known.number(OF_MODEL, "ModelVersion", "shop", "fraud") == 3
    assert not made


def steps(of: Callable[[], object]) -> int:
    """How many instructions of Python something takes."""
    count = 0

    def step(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return step

    of()  # What is remembered from the first time on is not counted.
    before = sys.gettrace()
    sys.settrace(step)
    try:
        of()
    finally:
        sys.settrace(before)
    return count


def _reconciled(known: Store) -> object:
    key = Key("ModelVersion", "shop", "v0")
    context = Context(None, known, None, None, None, None, None, None)  # type: ignore[arg-type]
    return asyncio.run(modelversion.reconcile(context, key, known.get(key) or {}, None))


def _observed(known: Store) -> object:
    deployment = ModelDeployment.model_validate(
        {
            "metadata": {"name": "prod", "namespace": "shop"},
            "spec": {"model": {"follow": "fraud"}},
        }
    )
    return _versions(known, deployment), _runtime(known, deployment, None)


def _concerned(known: Store) -> object:
    changed = known.get(Key("ModelVersion", "shop", "v0")) or {}
    return list(kinds.concerned(kinds.by_name(), known, "ModelVersion", changed))


@pytest.mark.parametrize("work", [_reconciled, _observed, _concerned])
@pytest.mark.parametrize("approval", ["Approved", "AwaitingApproval", ""])
def test_a_hundred_siblings_or_thousands_cost_the_same(
    work: Callable[[Store], object], approval: str
) -> None:
    few, many = (
        store([version(n, approval, n % 9 + 1) for n in range(number)]) for number in (100, 5000)
    )
    assert steps(lambda: work(many)) <= steps(lambda: work(few)) * 1.1
