"""Each write names the very object, and the version of it, that the plan was made from."""

from __future__ import annotations

from typing import Any

import pytest
from evenkeel.kube.client import ApiError
from evenkeel.kube.executor import ABSENT, Executor, NotOffered, Superseded
from evenkeel.kube.ownership import Marks, NameTaken, Ownership
from evenkeel.kube.store import Store
from evenkeel.meta.model import Model
from evenkeel.meta.objects import Key, Manifest, Ref
from evenkeel.meta.plan import Plan, StatusPatch
from evenkeel.meta.resources import ResourceType

JSON = dict[str, Any]
MARKS = Marks("example.com/applied", "example.com/adopt", "example.com/owner")
TYPES = {kind: ResourceType("example.com", "v1", f"{kind}s", kind) for kind in ("Shop", "Widget")}
SHOP = Key("Shop", "ns", "fraud")
WIDGET = Key("Widget", "ns", "w")
OWNER = {"apiVersion": "example.com/v1", "kind": "Shop", "name": "fraud", "uid": "own"}


class Status(Model):
    count: int = 1


def obj(key: Key, version: int, uid: str = "u", **meta: Any) -> JSON:
    base = {"name": key.name, "namespace": key.namespace, "uid": uid}
    return {
        "apiVersion": "example.com/v1",
        "kind": key.kind,
        "metadata": {**base, "resourceVersion": str(version), **meta},
        "spec": {},
        "status": {},
    }


def owned(version: int, **meta: Any) -> JSON:
    return obj(WIDGET, version, ownerReferences=[{**OWNER, "controller": True}], **meta)


def manifest() -> Manifest:
    owner = {**OWNER, "controller": True}
    meta = {"name": "w", "namespace": "ns", "ownerReferences": [owner]}
    return {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": meta,
        "spec": {"color": "red"},
    }


class Api:
    """Answers each write with the next version, or refuses those of a Widget."""

    field_manager = "tests"

    def __init__(self, refusal: ApiError | None = None, found: JSON | None = None) -> None:
        self.refusal, self.found = refusal, found
        self.sent: list[tuple[str, str, JSON]] = []
        self.replicas: list[int | None] = []

    async def apply(
        self, type_: ResourceType, namespace: str, name: str, body: JSON, **_: str
    ) -> JSON:
        meta = body["metadata"]
        guard = {k: meta[k] for k in ("uid", "resourceVersion") if k in meta}
        self.sent.append(("apply", type_.kind, guard))
        if type_.kind == "Widget":
            self.replicas.append(body["spec"].get("replicas"))
        if self.refusal is not None and type_.kind == "Widget":
            raise self.refusal
        return {**body, "metadata": {"uid": "u", **meta, "resourceVersion": "100"}}

    async def merge(self, type_: ResourceType, namespace: str, name: str, body: JSON) -> JSON:
        self.sent.append(("merge", type_.kind, {}))
        assert self.refusal is not None
        raise self.refusal

    async def create(self, type_: ResourceType, namespace: str, body: JSON) -> JSON:
        self.sent.append(("create", type_.kind, {}))
        if self.refusal is not None:
            raise self.refusal
        return {**body, "metadata": {**body["metadata"], "uid": "u", "resourceVersion": "100"}}

    async def delete(
        self, type_: ResourceType, namespace: str, name: str, uid: str, version: str
    ) -> None:
        self.sent.append(("delete", type_.kind, {"uid": uid, "resourceVersion": version}))

    async def get(self, type_: ResourceType, namespace: str, name: str) -> JSON:
        if self.found is None:
            raise ApiError(404, "NotFound", "not found")
        return self.found


class World:
    def __init__(self, *known: JSON, **api: Any) -> None:
        self.store = Store(kept={"Widget": ("replicas",)}, annotations=MARKS, manager="tests")
        self.shop = obj(SHOP, 3, "own")
        for one in (self.shop, *known):
            self.store.put(one["kind"], one)
        self.api: Any = Api(**api)
        ownership = Ownership(self.api, self.store, TYPES, MARKS)
        self.executor = Executor(self.api, self.store, TYPES, ownership, lambda *_: None)

    async def run(self, **plan: Any) -> None:
        await self.executor.run(SHOP, self.shop, Plan(status=Status(), **plan))

    def writes(self, kind: str = "Widget") -> list[tuple[str, JSON]]:
        return [(verb, guard) for verb, of, guard in self.api.sent if of == kind]


async def test_what_is_not_there_is_made_or_nothing() -> None:
    w = World()
    await w.run(applies=(manifest(),))
    assert w.writes() == [("apply", {"resourceVersion": ABSENT})]


async def test_what_is_there_is_written_at_its_version() -> None:
    w = World(owned(7))
    await w.run(applies=(manifest(),))
    assert w.writes() == [("apply", {"uid": "u", "resourceVersion": "7"})]


async def test_replicas_others_status_and_deletions_as_well() -> None:
    w = World(owned(7))
    ref = Ref("example.com/v1", "Widget", "ns", "w", "u")
    patch = StatusPatch({**manifest(), "metadata": {"name": "w", "namespace": "ns"}}, "of-shop")
    await w.run(scales=((ref, 3),))
    assert w.writes() == [("apply", {"uid": "u", "resourceVersion": "7"})]
    await w.run(status_patches=(patch,), deletes=(ref,))
    at_100 = {"uid": "u", "resourceVersion": "100"}
    assert w.writes()[1:] == [("apply", at_100), ("delete", at_100)]


async def test_what_an_autoscaler_will_own_begins_with_its_number() -> None:
    w = World()
    ref = Ref("example.com/v1", "Widget", "ns", "w")
    for _ in range(2):
        await w.run(applies=(manifest(),), scales=((ref, 0),))
    assert w.writes() == [("apply", {"resourceVersion": ABSENT})]
    assert w.api.replicas == [0]


async def test_what_is_being_deleted_is_not_written() -> None:
    w = World(owned(7, deletionTimestamp="2026-01-31T09:00:00Z"))
    await w.run(applies=(manifest(),))
    assert w.writes() == []


@pytest.mark.parametrize("known", [(), (owned(7),)])
async def test_after_a_lost_race_all_is_planned_anew_from_what_is_there(
    known: tuple[JSON, ...],
) -> None:
    w = World(*known, refusal=ApiError(409, "Conflict", "modified"), found=owned(9))
    with pytest.raises(Superseded):
        await w.run(applies=(manifest(),))
    found = w.store.get(WIDGET)
    assert found is not None
    assert found["metadata"]["resourceVersion"] == "9"


async def test_what_is_another_s_is_never_written() -> None:
    w = World(obj(WIDGET, 7))
    with pytest.raises(NameTaken, match="Widget w exists"):
        await w.run(applies=(manifest(),))
    assert w.writes() == []


async def test_what_exists_already_counts_as_created_if_it_is_its_own() -> None:
    exists = ApiError(409, "AlreadyExists", "exists")
    w = World(refusal=exists, found=owned(9))
    await w.run(creates=(manifest(),))
    assert w.store.get(WIDGET) is not None


async def test_what_another_has_created_does_not() -> None:
    """Planned anew with it, since the plan may know better; else it is told."""
    exists = ApiError(409, "AlreadyExists", "exists")
    w = World(refusal=exists, found=obj(WIDGET, 9))
    with pytest.raises(Superseded):
        await w.run(creates=(manifest(),))
    with pytest.raises(NameTaken):
        await w.run(creates=(manifest(),))
    assert w.writes("Shop") == [], "the status tells of nothing that was not done"


@pytest.mark.parametrize("last", [False, True])
async def test_a_status_that_decides_nothing_may_follow(last: bool) -> None:
    w = World()
    await w.run(applies=(manifest(),), status_last=last)
    kinds = [kind for _, kind, _ in w.api.sent]
    assert kinds == (["Widget", "Shop"] if last else ["Shop", "Widget"])


async def test_what_is_offered_is_made_once_and_left_where_it_is() -> None:
    for refusal in (None, ApiError(409, "AlreadyExists", "it is there")):
        w = World(refusal=refusal)
        await w.run(offers=(manifest(),))
        await w.run(offers=(manifest(),))
        assert w.writes() == [("create", {})]
        assert w.store.get(WIDGET) is None, "it is never looked at"


async def test_what_is_refused_of_offers_stops_nothing_and_is_told_once() -> None:
    w = World(refusal=ApiError(403, "Forbidden", "exceeded quota"))
    removed = Ref("example.com/v1", "Widget", "ns", "old", "u")
    with pytest.raises(NotOffered, match=r"Widget w: .*exceeded quota"):
        await w.run(offers=(manifest(),), deletes=(removed,))
    assert [verb for verb, _ in w.writes()] == ["delete", "create"]
    await w.run(offers=(manifest(),))
    assert len(w.writes()) == 2


async def test_what_is_refused_beside_holds_nothing_up() -> None:
    w = World(refusal=ApiError(403, "Forbidden", "exceeded quota"))
    removed = Ref("example.com/v1", "Widget", "ns", "old", "u")
    with pytest.raises(ApiError, match="exceeded quota"):
        await w.run(beside=(manifest(),), deletes=(removed,))
    assert [verb for verb, _ in w.writes()] == ["delete", "apply"]


async def test_a_mark_that_is_refused_holds_nothing_up() -> None:
    w = World(owned(7), refusal=ApiError(403, "Forbidden", "denied by a policy"))
    marked, removed = (Ref("example.com/v1", "Widget", "ns", n, "u") for n in ("w", "old"))
    with pytest.raises(ApiError, match="denied by a policy"):
        await w.run(marks=((marked, {"metadata": {}}),), deletes=(removed,))
    assert [verb for verb, _ in w.writes()] == ["merge", "delete"]


async def test_an_api_server_that_fails_is_offered_it_again() -> None:
    w = World(refusal=ApiError(503, "ServiceUnavailable", "later"))
    for _ in range(2):
        with pytest.raises(ApiError, match="later"):
            await w.run(offers=(manifest(),))
    assert len(w.writes()) == 2
