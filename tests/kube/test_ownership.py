"""Whose an object is, and what is said about one that is another's."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import pytest
from evenkeel.kube.client import ApiError
from evenkeel.kube.ownership import Marks, Ownership
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.meta.resources import ResourceType

JSON = dict[str, Any]
MARKS = Marks("example.com/applied", "example.com/adopt", "example.com/owner")
TYPES = {"Widget": ResourceType("example.com", "v1", "widgets", "Widget")}
OWNER = {
    "apiVersion": "example.com/v1",
    "kind": "Shop",
    "name": "fraud",
    "uid": "own",
    "controller": True,
}
MANIFEST: JSON = {
    "apiVersion": "example.com/v1",
    "kind": "Widget",
    "metadata": {"name": "w", "namespace": "shop", "ownerReferences": [OWNER]},
}


class Api:
    """Has the objects by name, and notes what was asked for."""

    def __init__(self, *objects: JSON) -> None:
        self.objects = {o["metadata"]["name"]: o for o in objects}
        self.asked: list[str] = []

    async def get(self, type_: object, namespace: str, name: str) -> JSON:
        self.asked.append(name)
        if name not in self.objects:
            raise ApiError(404, "NotFound", "not found")
        return copy.deepcopy(self.objects[name])


def ownership(
    *objects: JSON, clock: Callable[[], float] = time.monotonic
) -> tuple[Ownership, Api, Store]:
    api, known = Api(*objects), Store(kept={"Widget": ()}, annotations=MARKS)
    return Ownership(api, known, TYPES, MARKS, clock), api, known  # type: ignore[arg-type]


def widget(owner: JSON | None = None, **meta: Any) -> JSON:
    owners = {"ownerReferences": [owner]} if owner else {}
    base = {"name": "w", "namespace": "shop", "uid": "u", "resourceVersion": "5"}
    return {"kind": "Widget", "metadata": {**base, **owners, **meta}}


APPLIED = {MARKS.applied: "fraud/0123"}
ADOPT = {MARKS.adopt: "fraud"}
FORMER = {**OWNER, "uid": "former"}
ANOTHER = {**OWNER, "name": "churn", "uid": "another"}

FREE = (
    widget(OWNER),
    widget(annotations=ADOPT),
    widget({**ANOTHER, "controller": False}, annotations=ADOPT),
    widget(annotations=APPLIED),
    widget(FORMER, annotations=APPLIED),
    widget(FORMER, labels={MARKS.owner: "fraud"}),
    widget(labels={MARKS.owner: "fraud"}),
)
FOREIGN = (
    widget(),
    widget(labels={"app.kubernetes.io/managed-by": "evenkeel"}),
    widget(annotations={MARKS.adopt: "churn"}),
    widget(annotations={MARKS.applied: "churn/0123"}),
    widget(ANOTHER),
    widget(ANOTHER, annotations=ADOPT),
    widget(ANOTHER, annotations=APPLIED),
    widget({**OWNER, "controller": False}),
    widget(FORMER),
    widget(FORMER, annotations=APPLIED, deletionTimestamp="2026-01-31T09:00:00Z"),
)


@pytest.mark.parametrize("found", FREE)
async def test_the_owners_own_and_what_it_may_take(found: JSON) -> None:
    whose, _, store = ownership(found)
    assert await whose.taken([MANIFEST]) == ()
    assert store.get(Key("Widget", "shop", "w")) is not None, "written at the version that was seen"


@pytest.mark.parametrize("found", FOREIGN)
async def test_what_is_another_s(found: JSON) -> None:
    whose, _, _ = ownership(found)
    (taken,) = await whose.taken([MANIFEST])
    assert taken.key == Key("Widget", "shop", "w")


async def test_an_absent_name_is_free() -> None:
    whose, api, _ = ownership()
    assert await whose.taken([MANIFEST]) == ()
    assert api.asked == ["w"]


async def test_what_is_known_as_its_own_is_not_asked_for() -> None:
    whose, api, store = ownership()
    store.put("Widget", widget(OWNER))
    assert await whose.taken([MANIFEST]) == ()
    assert api.asked == []


async def test_what_was_another_s_is_asked_for_anew_and_forgotten_when_it_is_gone() -> None:
    whose, api, store = ownership(widget(ANOTHER))
    assert await whose.taken([MANIFEST])
    del api.objects["w"]
    assert await whose.taken([MANIFEST]) == ()
    assert store.get(Key("Widget", "shop", "w")) is None


KEY = Key("Widget", "shop", "w")


@pytest.mark.parametrize("there", [(), (widget(ANOTHER),)])
async def test_what_is_not_to_be_had_is_not_asked_for_at_each_look(there: tuple[JSON, ...]) -> None:
    clock = [0.0]
    whose, api, _ = ownership(*there, clock=lambda: clock[0])
    for second in range(30):
        clock[0] = float(second)
        assert await whose.own(KEY, OWNER) is None
    assert len(api.asked) == 3
    api.objects["w"] = widget(OWNER, resourceVersion="6")
    clock[0] = 30.0
    assert await whose.own(KEY, OWNER)


async def test_another_owner_or_a_write_that_found_it_asks_at_once() -> None:
    whose, api, _ = ownership(clock=lambda: 0.0)
    assert await whose.own(KEY, OWNER) is None
    api.objects["w"] = widget(ANOTHER)
    assert await whose.own(KEY, ANOTHER), "a namesake that was made anew has another UID"
    api.objects["w"] = widget(OWNER, resourceVersion="6")
    assert await whose.refreshed(KEY)
    assert await whose.own(KEY, OWNER)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            widget(),
            "Widget w exists and was made by another: delete it, choose another name, or hand it "
            "over with the annotation example.com/adopt: fraud",
        ),
        (
            widget(labels={"app.kubernetes.io/managed-by": "Helm"}),
            "Widget w exists and belongs to Helm: delete it, choose another name, or hand it over "
            "with the annotation example.com/adopt: fraud",
        ),
        (
            widget(ANOTHER),
            "Widget w exists and belongs to Shop churn: delete it, or choose another name",
        ),
        (
            widget(FORMER),
            "Widget w still belongs to a deleted Shop fraud; the garbage collector removes it",
        ),
    ],
)
async def test_what_is_said(found: JSON, said: str) -> None:
    whose, _, _ = ownership(found)
    assert [str(t) for t in await whose.taken([MANIFEST])] == [said]


@pytest.mark.parametrize("found", FREE)
def test_what_is_handed_over_is_no_child_before_it_is_taken(found: JSON) -> None:
    whose, _, _ = ownership()
    handed_over = MARKS.adopt in (found["metadata"].get("annotations") or {})
    assert whose.belongs(found, OWNER) is not handed_over
    assert whose.may_write(found, MANIFEST)


async def test_other_answers_are_errors() -> None:
    whose, api, _ = ownership()

    async def refuse(*_: object) -> JSON:
        raise ApiError(403, "Forbidden", "no")

    api.get = refuse  # type: ignore[assignment,method-assign]
    with pytest.raises(ApiError):
        await whose.taken([MANIFEST])


def test_what_has_no_owner_is_told_by_its_labels() -> None:
    """It outlives what made it."""
    whose, _, _ = ownership()
    record = {"kind": "Widget", "metadata": {"name": "w", "labels": {"run": "r", "model": "m"}}}
    assert whose.may_write(widget(labels={"run": "r", "model": "m", "more": "x"}), record)
    assert not whose.may_write(widget(labels={"run": "another", "model": "m"}), record)
    assert not whose.may_write(widget(), record)
