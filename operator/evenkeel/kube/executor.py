"""Carries out a plan: the only place that writes to the cluster.

Writes that would change nothing are left out, so that a quiet cluster sees none.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from evenkeel.kube.client import ApiError, Client
from evenkeel.kube.store import Store
from evenkeel.kube.trim import OWNS_REPLICAS, applied_digest
from evenkeel.meta.objects import Key, Manifest, Ref
from evenkeel.meta.plan import Plan, StatusPatch
from evenkeel.meta.resources import ResourceType

log = logging.getLogger(__name__)

JSON = dict[str, Any]


Wrote = Callable[[str, JSON, Key | None], None]
"""Told of a written status or a created object: its kind, the object, and the key whose plan knows
of the write already."""


class Superseded(Exception):
    """The planned object is gone or was written by another; plan again from what is there."""


class Executor:
    """Writes plans with the client's field manager and remembers what it has applied.

    The watch does not report these writes again, since their answers are in the store already.
    types: where the kinds of all plans live.
    """

    def __init__(
        self, client: Client, store: Store, types: Mapping[str, ResourceType], wrote: Wrote
    ) -> None:
        self._client = client
        self._store = store
        self._types = types
        self._wrote = wrote
        self._applied: dict[Key, tuple[str, str, str]] = {}

    async def run(
        self, key: Key, owner: JSON, plan: Plan, durable: Callable[[], None] = lambda: None
    ) -> None:
        """Writes the plan in its order. Raises ApiError, or Superseded.

        durable: called once the status holds what was planned, whatever becomes of the rest.
        """
        for manifest in plan.creates:
            await self._create(manifest)
        await self._status(key, owner, plan)
        durable()
        for patch in plan.status_patches:
            await self._patch_status(patch)
        for ref in plan.adopts:
            await self._adopt(key, owner, ref)
        for manifest in plan.applies:
            await self._apply(manifest)
        for ref, replicas in plan.scales:
            await self._scale(ref, replicas)
        for ref in plan.deletes:
            await self._delete(ref)
        await self._annotate(key, plan.annotations)

    async def _create(self, manifest: Manifest) -> None:
        type_ = self._types[manifest["kind"]]
        meta = manifest["metadata"]
        key = Key(manifest["kind"], meta.get("namespace", ""), meta["name"])
        if self._store.get(key) is not None:
            return
        try:
            created = await self._client.create(type_, key.namespace, manifest)
        except ApiError as error:
            if error.status != 409 or error.reason != "AlreadyExists":
                raise
            created = await self._client.get(type_, key.namespace, key.name)
        self._store.put(key.kind, created)
        self._wrote(key.kind, created, None)

    async def _status(self, key: Key, owner: JSON, plan: Plan) -> None:
        status = _own(plan.status.wire(), plan)
        if _own(owner.get("status", {}), plan) == status:
            return
        body = {
            "apiVersion": self._types[key.kind].api_version,
            "kind": key.kind,
            "metadata": {
                "name": key.name,
                "namespace": key.namespace,
                "uid": owner["metadata"]["uid"],
                "resourceVersion": owner["metadata"]["resourceVersion"],
            },
            "status": status,
        }
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
        manifest, manager = patch
        meta = manifest["metadata"]
        key = Key(manifest["kind"], meta["namespace"], meta["name"])
        if self._store.get(key) is None:
            return
        written = await self._client.apply(
            self._types[key.kind],
            key.namespace,
            key.name,
            manifest,
            subresource="status",
            manager=manager,
        )
        self._store.put(key.kind, written)
        self._wrote(key.kind, written, None)

    async def _apply(self, manifest: Manifest) -> None:
        meta = manifest["metadata"]
        key = Key(manifest["kind"], meta["namespace"], meta["name"])
        text = _digest(manifest)
        known = self._store.get(key)
        if known is not None and self._applied.get(key) == (
            text,
            known["metadata"]["uid"],
            applied_digest(known),
        ):
            return
        if known is not None and known.get(OWNS_REPLICAS) and "replicas" not in manifest["spec"]:
            # An autoscaler takes over. A field that nobody applies any more falls back to its
            # default, so another manager holds it first.
            ref = Ref(manifest["apiVersion"], key.kind, key.namespace, key.name)
            await self._set_replicas(ref, known["spec"]["replicas"])
        written = await self._client.apply(self._types[key.kind], key.namespace, key.name, manifest)
        self._store.put(key.kind, written)
        now = self._store.get(key)
        if now is not None:
            self._applied[key] = (text, now["metadata"]["uid"], applied_digest(now))

    async def _adopt(self, key: Key, owner: JSON, ref: Ref) -> None:
        known = self._store.get(Key(ref.kind, ref.namespace, ref.name))
        if known is None or known["metadata"].get("uid") != ref.uid:
            raise Superseded(f"{ref.kind} {ref.name} is not what was planned for")
        reference = {
            "apiVersion": self._types[key.kind].api_version,
            "kind": key.kind,
            "name": key.name,
            "uid": owner["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
        # At its version: the garbage collector may be about to delete it, and somebody else to
        # adopt it. Owners that are gone are replaced.
        meta = {
            "uid": ref.uid,
            "resourceVersion": known["metadata"]["resourceVersion"],
            "ownerReferences": [reference],
        }
        try:
            written = await self._client.merge(
                self._types[ref.kind], ref.namespace, ref.name, {"metadata": meta}
            )
        except ApiError as error:
            if error.status in (404, 409):
                raise Superseded(str(error)) from error
            raise
        self._store.put(ref.kind, written)

    async def _scale(self, ref: Ref, replicas: int) -> None:
        known = self._store.get(Key(ref.kind, ref.namespace, ref.name))
        if known is not None and known["spec"].get("replicas") == replicas:
            return
        await self._set_replicas(ref, replicas)

    async def _set_replicas(self, ref: Ref, replicas: int) -> None:
        body = {
            "apiVersion": ref.api_version,
            "kind": ref.kind,
            "metadata": {"name": ref.name, "namespace": ref.namespace},
            "spec": {"replicas": replicas},
        }
        written = await self._client.apply(
            self._types[ref.kind],
            ref.namespace,
            ref.name,
            body,
            manager=f"{self._client.field_manager}-scale",
        )
        self._store.put(ref.kind, written)

    async def _annotate(self, key: Key, wanted: Mapping[str, str]) -> None:
        known = self._store.get(key)
        if known is None or not wanted:
            return
        meta = known["metadata"]
        if wanted.items() <= (meta.get("annotations") or {}).items():
            return
        body = {
            "apiVersion": self._types[key.kind].api_version,
            "kind": key.kind,
            "metadata": {
                "name": key.name,
                "namespace": key.namespace,
                "uid": meta["uid"],
                "annotations": dict(wanted),
            },
        }
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
        try:
            await self._client.delete(self._types[ref.kind], ref.namespace, ref.name, ref.uid)
        except ApiError as error:
            if error.status == 409:
                raise Superseded(str(error)) from error
            raise
        key = Key(ref.kind, ref.namespace, ref.name)
        self._store.remove(key, ref.uid)
        self._applied.pop(key, None)

    def forget(self, key: Key) -> None:
        """Drops what is remembered of a deleted object."""
        self._applied.pop(key, None)


def _own(status: JSON, plan: Plan) -> JSON:
    """The fields of a status that the plan's own writer answers for."""
    return {k: v for k, v in status.items() if k not in plan.shared_status}


def _digest(manifest: JSON) -> str:
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
