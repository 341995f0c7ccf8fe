"""Carries out a plan: the only place that writes to the cluster.

Writes that would change nothing are left out, so that a quiet cluster sees none.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from evenkeel.kube.applied import covers
from evenkeel.kube.client import ApiError, Client
from evenkeel.kube.diagnosis import refusal
from evenkeel.kube.lru import Lru
from evenkeel.kube.memory import Contested, Memory
from evenkeel.kube.ownership import NameTaken, Ownership, key_of
from evenkeel.kube.store import Store
from evenkeel.kube.trim import OWNED, OWNS_REPLICAS
from evenkeel.meta.objects import Key, Manifest, Ref
from evenkeel.meta.owners import owner_reference
from evenkeel.meta.plan import Plan, StatusPatch
from evenkeel.meta.resources import ResourceType

JSON = dict[str, Any]


Wrote = Callable[[str, JSON, Key | None], None]
"""Told of a written status or a created object: its kind, the object, and the key whose plan knows
of the write already."""


NONE: Mapping[Key, int] = MappingProxyType({})
ABSENT = "1"
"""A resourceVersion that no object has: applied with it, an object is made or the write is refused
(409), so that none is taken over that came between look and write."""


class Superseded(Exception):
    """The planned object is gone or was written by another; plan again from what is there."""


class NotCreated(ApiError):
    """A creation was refused; nothing of the plan is written."""


class NotOffered(ApiError):
    """What may be made was refused; all else of the plan is written."""


OFFERED_AGAIN = 300.0
"""Seconds until an object is offered again that is still wanted: it may have been deleted."""
OFFERS = 4096


class Executor:
    """Writes plans with the client's field manager and remembers what it has applied.

    The watch does not report these writes again, since their answers are in the store already.
    Each write names the version of the object that the plan was made from, so that one that comes
    late (of a process that no longer leads, say) undoes nothing.
    types: where the kinds of all plans live.
    """

    def __init__(
        self,
        client: Client,
        store: Store,
        types: Mapping[str, ResourceType],
        ownership: Ownership,
        wrote: Wrote,
    ) -> None:
        self._client = client
        self._store = store
        self._types = types
        self._ownership = ownership
        self._wrote = wrote
        self._memories: dict[Key, Memory] = defaultdict(Memory)
        self._offered: Lru[Key, float] = Lru(OFFERS)

    async def run(
        self, key: Key, owner: JSON, plan: Plan, durable: Callable[[], None] = lambda: None
    ) -> tuple[Contested, ...]:
        """Writes the plan in its order, but for what another operator writes, too.

        durable: called once the status holds what was planned, whatever becomes of the rest.
        Raises ApiError (NotCreated, NameTaken, NotOffered), or Superseded.
        """
        for manifest in plan.creates:
            await self._create(manifest)
        contested: tuple[Contested, ...] = ()
        refused: list[ApiError] = []
        if plan.status_last:
            contested = await self._others(key, owner, plan, refused)
        await self._status(key, owner, plan)
        durable()
        if not plan.status_last:
            contested = await self._others(key, owner, plan, refused)
        await self._annotate(key, plan.annotations)
        for manifest in plan.offers:
            await self._offer(manifest)
        contested = (*contested, *await self._applied(key, plan.beside))
        if refused:
            raise refused[0]
        return contested

    async def _others(
        self, key: Key, owner: JSON, plan: Plan, refused: list[ApiError]
    ) -> tuple[Contested, ...]:
        """refused: takes the refusals that are raised once all else is written."""
        for patch in plan.status_patches:
            await self._patch_status(patch)
        for ref, labels in plan.relabels:
            await self._relabel(ref, labels)
        for ref in plan.adopts:
            await self._adopt(key, owner, ref)
        first = {Key(r.kind, r.namespace, r.name): number for r, number in plan.scales}
        contested = await self._applied(key, plan.applies, first)
        for ref, replicas in plan.scales:
            await self._scale(ref, replicas)
        for ref, change in plan.patches:
            await self._merge(ref, change)
        for ref, change in plan.marks:
            try:
                await self._merge(ref, change)
            except ApiError as error:
                if not 400 <= error.status < 500 or error.status == 429:
                    raise
                refused.append(error)
        for ref in plan.deletes:
            await self._delete(ref)
            self._memories[key].forget(Key(ref.kind, ref.namespace, ref.name))
        return contested

    async def _applied(
        self, key: Key, manifests: Iterable[Manifest], first: Mapping[Key, int] = NONE
    ) -> tuple[Contested, ...]:
        """first: the number of replicas with which those begin that are made now."""
        memory = self._memories[key]
        found = [await self._apply(memory, m, first.get(key_of(m))) for m in manifests]
        return tuple(c for c in found if c is not None)

    async def _create(self, manifest: Manifest) -> None:
        key = key_of(manifest)
        known = self._store.get(key)
        if known is not None:
            self._require(known, manifest)
            return
        try:
            created = await self._client.create(self._types[key.kind], key.namespace, manifest)
        except ApiError as error:
            if error.status != 409 or error.reason != "AlreadyExists":
                said = refusal(self._types[key.kind], error)
                raise NotCreated(error.status, error.reason, said, error.retry_after) from error
            created = await self._client.get(self._types[key.kind], key.namespace, key.name)
            if not self._ownership.may_write(created, manifest):
                self._store.put(key.kind, created)
                raise Superseded(str(error)) from error
        self._store.put(key.kind, created)
        self._wrote(key.kind, created, None)

    async def _offer(self, manifest: Manifest) -> None:
        key, now = key_of(manifest), time.monotonic()
        if now < (self._offered.get(key) or 0.0):
            return
        try:
            await self._client.create(self._types[key.kind], key.namespace, manifest)
        except ApiError as error:
            if not 400 <= error.status < 500 or error.status == 429:
                raise
            self._offered.put(key, now + OFFERED_AGAIN)
            if error.status != 409:
                said = f"{key.kind} {key.name}: {refusal(self._types[key.kind], error)}"
                raise NotOffered(error.status, error.reason, said) from error
        self._offered.put(key, now + OFFERED_AGAIN)

    def _require(self, known: JSON, manifest: Manifest) -> None:
        if not self._ownership.may_write(known, manifest):
            raise NameTaken([self._ownership.whose(manifest, known)])

    async def _status(self, key: Key, owner: JSON, plan: Plan) -> None:
        status = _own(plan.status.wire(), plan)
        if _own(owner.get("status", {}), plan) == status:
            return
        at = {p: owner["metadata"][p] for p in ("uid", "resourceVersion")}
        body = {**self._identity(key, **at), "status": status}
        try:
            written = await self._client.apply(
                self._types[key.kind], key.namespace, key.name, body, subresource="status"
            )
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            committed = await self._committed(key, status, plan) if error.status == 409 else None
            if committed is None:
                raise Superseded(str(error)) from error
            written = committed
        self._store.put(key.kind, written)
        self._wrote(key.kind, written, key)

    def _identity(self, key: Key, **meta: Any) -> JSON:
        """The body of an apply, but for what it sets."""
        return {
            "apiVersion": self._types[key.kind].api_version,
            "kind": key.kind,
            "metadata": {"name": key.name, "namespace": key.namespace, **meta},
        }

    async def _committed(self, key: Key, status: JSON, plan: Plan) -> JSON | None:
        """The object if the conflict was with this very write, whose first answer was lost.

        To plan again would count anew what has been counted.
        """
        try:
            found = await self._client.get(self._types[key.kind], key.namespace, key.name)
        except ApiError:
            return None
        return found if _own(found.get("status", {}), plan) == status else None

    async def _patch_status(self, patch: StatusPatch) -> None:
        manifest = patch.manifest
        key = key_of(manifest)
        if self._store.get(key) is None:
            return
        await self._write(key, manifest, patch.manager, subresource="status")
        known = self._store.get(key)
        if known is not None:
            self._wrote(key.kind, known, None)

    async def _relabel(self, ref: Ref, labels: dict[str, str]) -> None:
        body = {"metadata": {"uid": ref.uid, "labels": labels}}
        written = await self._client.merge(self._types[ref.kind], ref.namespace, ref.name, body)
        self._store.put(ref.kind, written)

    async def _apply(
        self, memory: Memory, manifest: Manifest, replicas: int | None
    ) -> Contested | None:
        """Writes what differs; replicas: the number with which it begins if it is made now."""
        key, text = key_of(manifest), _digest(manifest)
        mark = self._ownership.mark(manifest, text)
        known = self._store.get(key)
        if known is not None:
            self._require(known, manifest)
            if known["metadata"].get("deletionTimestamp"):
                return None
            if self._stands(memory, known, manifest, mark):
                return None
            if wait := memory.wait(key, mark, self._mark_of(known)):
                return Contested(key, wait)
        if known is not None and known.get(OWNS_REPLICAS) and "replicas" not in manifest["spec"]:
            # An autoscaler takes over. A field that nobody applies any more falls back to its
            # default, so another manager holds it first.
            ref = Ref(manifest["apiVersion"], key.kind, key.namespace, key.name)
            await self._set_replicas(ref, known["spec"]["replicas"])
        body = self._marked(manifest, mark)
        if known is None and replicas is not None:
            # Without a number it would begin with the default's one pod.
            body = {**body, "spec": {**body["spec"], "replicas": replicas}}
        await self._write(key, body)
        now = self._store.get(key)
        if now is not None:
            memory.keep(key, mark, self._mark_of(now), now)
        return None

    def _stands(self, memory: Memory, known: JSON, manifest: Manifest, mark: str) -> bool:
        """Whether the object is as it would be applied, by memory or by what it carries."""
        if not self._ownership.controls(manifest, known):
            return False
        key, found = key_of(manifest), self._mark_of(known)
        if memory.has(key, mark, found, known):
            return True
        if found != mark or not covers(known.get(OWNED, ""), manifest):
            return False
        memory.keep(key, mark, found, known)
        return True

    def _mark_of(self, known: JSON) -> str:
        annotations = known["metadata"].get("annotations") or {}
        return str(annotations.get(self._ownership.marks.applied, ""))

    def _marked(self, manifest: Manifest, mark: str) -> Manifest:
        meta = manifest["metadata"]
        annotations = {**meta.get("annotations", {}), self._ownership.marks.applied: mark}
        return {**manifest, "metadata": {**meta, "annotations": annotations}}

    async def _adopt(self, key: Key, owner: JSON, ref: Ref) -> None:
        known = self._store.get(Key(ref.kind, ref.namespace, ref.name))
        if known is None or known["metadata"].get("uid") != ref.uid:
            raise Superseded(f"{ref.kind} {ref.name} is not what was planned for")
        version, uid = self._types[key.kind].api_version, owner["metadata"]["uid"]
        reference = owner_reference(version, key.kind, key.name, uid)
        # At its version: the garbage collector may be about to delete it, and somebody else to
        # adopt it. Owners that are gone are replaced.
        meta = {
            "uid": ref.uid,
            "resourceVersion": known["metadata"]["resourceVersion"],
            "ownerReferences": [reference],
        }
        await self._merge(ref, {"metadata": meta})

    async def _scale(self, ref: Ref, replicas: int) -> None:
        known = self._store.get(Key(ref.kind, ref.namespace, ref.name))
        if known is not None and known["spec"].get("replicas") != replicas:
            await self._set_replicas(ref, replicas)

    async def _merge(self, ref: Ref, change: JSON) -> None:
        body = {"metadata": {"uid": ref.uid}, **change}
        try:
            written = await self._client.merge(self._types[ref.kind], ref.namespace, ref.name, body)
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            raise Superseded(str(error)) from error
        self._store.put(ref.kind, written)

    async def _set_replicas(self, ref: Ref, replicas: int) -> None:
        key = Key(ref.kind, ref.namespace, ref.name)
        body = {**self._identity(key), "spec": {"replicas": replicas}}
        await self._write(key, body, f"{self._client.field_manager}-scale")

    async def _write(
        self, key: Key, body: Manifest, manager: str = "", *, subresource: str = ""
    ) -> None:
        """Applies to the very object that is known, or makes it."""
        known = self._store.get(key)
        guard = {"resourceVersion": ABSENT}
        if known is not None:
            guard = {k: known["metadata"][k] for k in ("uid", "resourceVersion")}
        try:
            written = await self._client.apply(
                self._types[key.kind],
                key.namespace,
                key.name,
                {**body, "metadata": {**body["metadata"], **guard}},
                subresource=subresource,
                manager=manager,
            )
        except ApiError as error:
            if error.status != 409:
                raise
            # Where the watch does not see it (it lost its label, or is another's), nobody else
            # would tell.
            await self._ownership.refreshed(key)
            raise Superseded(str(error)) from error
        self._store.put(key.kind, written)

    async def _annotate(self, key: Key, wanted: Mapping[str, str]) -> None:
        known = self._store.get(key)
        if known is None or not wanted:
            return
        meta = known["metadata"]
        if wanted.items() <= (meta.get("annotations") or {}).items():
            return
        body = self._identity(key, uid=meta["uid"], annotations=dict(wanted))
        try:
            written = await self._client.apply(
                self._types[key.kind],
                key.namespace,
                key.name,
                body,
                manager=f"{self._client.field_manager}-record",
            )
        except ApiError as error:
            if error.status in (404, 409):
                raise Superseded(str(error)) from error
            raise
        self._store.put(key.kind, written)

    async def _delete(self, ref: Ref) -> None:
        key = Key(ref.kind, ref.namespace, ref.name)
        meta = (self._store.get(key) or {}).get("metadata", {})
        version = meta.get("resourceVersion", "") if meta.get("uid") == ref.uid else ""
        try:
            await self._client.delete(
                self._types[ref.kind], ref.namespace, ref.name, ref.uid, version
            )
        except ApiError as error:
            if error.status == 409:
                raise Superseded(str(error)) from error
            raise
        self._store.remove(key, ref.uid)

    def forget(self, key: Key) -> None:
        """Drops what is remembered of a deleted object's children."""
        self._memories.pop(key, None)


def _own(status: JSON, plan: Plan) -> JSON:
    """The fields of a status that the plan's own writer answers for."""
    return {k: v for k, v in status.items() if k not in plan.shared_status}


def _digest(manifest: JSON) -> str:
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
