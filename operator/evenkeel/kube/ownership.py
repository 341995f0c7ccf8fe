"""Whose an object is: nothing is written to one that another made.

An object is the owner's if it is controlled by it (ownerReferences, by UID). One that nobody
controls may be taken if its own annotation hands it over. One that was made for an owner of that
name, whose end it has outlived (kubectl delete --cascade=orphan, a restore, the garbage collector's
delay), may be taken as well.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from evenkeel.kube.client import ApiError, Client
from evenkeel.kube.lru import Lru
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key, Manifest, Taken
from evenkeel.meta.owners import controller_of, left_behind
from evenkeel.meta.resources import ResourceType

JSON = dict[str, Any]

MANAGED_BY = "app.kubernetes.io/managed-by"

ANEW = 10.0
"""Seconds until an object that was not to be had is asked for again."""
MISSED = 4096


class Marks(NamedTuple):
    """Annotations, and a label. applied: what was applied last, and for whom. adopt: on an object
    of somebody else, the name of the owner that it is handed over to. owner: the label by which
    children name their owner."""

    applied: str
    adopt: str
    owner: str


class NameTaken(ApiError):
    """An object of that name is another's; the message says whose, and what to do."""

    def __init__(self, taken: Iterable[Taken]) -> None:
        super().__init__(409, "NameTaken", "; ".join(map(str, taken)))


class Ownership:
    """Looks at the objects that have the names of planned ones. clock: seconds that only grow."""

    def __init__(
        self,
        client: Client,
        store: Store,
        types: Mapping[str, ResourceType],
        marks: Marks,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.marks = marks
        self._client = client
        self._store = store
        self._types = types
        self._clock = clock
        # By key whose it was not, and until when that is taken to be so.
        self._missed: Lru[Key, tuple[str, float]] = Lru(MISSED)

    async def taken(self, manifests: Iterable[Manifest]) -> tuple[Taken, ...]:
        """Those of other owners. Asks for what the store does not know. Raises ApiError."""
        found = await asyncio.gather(*(self._taken(manifest) for manifest in manifests))
        return tuple(t for t in found if t is not None)

    async def _taken(self, manifest: Manifest) -> Taken | None:
        key = key_of(manifest)
        known = self._store.get(key)
        if known is not None and self.may_write(known, manifest):
            return None
        found = await self.refreshed(key)
        if found is None or self.may_write(found, manifest):
            return None
        return self.whose(manifest, found)

    async def own(self, key: Key, owner: Mapping[str, Any]) -> JSON | None:
        """The object as the store keeps it, if it is there and that owner's, also where it has
        lost the labels by which it is watched. Raises ApiError.

        One that is not is asked for again after ANEW seconds, however often a trial looks; or as
        soon as a write finds it there.
        """
        missed = self._missed.get(key)
        if missed is not None and missed[0] == owner["uid"] and self._clock() < missed[1]:
            return None
        found = await self.refreshed(key)
        if found is not None and self.belongs(found, owner):
            return found
        self._missed.put(key, (owner["uid"], self._clock() + ANEW))
        return None

    async def refreshed(self, key: Key) -> JSON | None:
        """The object as it is now, and as the store keeps it. Raises ApiError."""
        try:
            found = await self._client.get(self._types[key.kind], key.namespace, key.name)
        except ApiError as error:
            if error.status != 404:
                raise
            self._store.remove(key)
            return None
        self._missed.drop(key)
        self._store.put(key.kind, found, proven=True)
        return self._store.get(key)

    def may_write(self, obj: JSON, manifest: Manifest) -> bool:
        """Whether the object belongs to the manifest's owner, or is handed over to it."""
        owner = _controller(manifest)
        if owner is None:
            return _labelled_alike(obj, manifest)
        annotations = obj["metadata"].get("annotations") or {}
        handed_over = annotations.get(self.marks.adopt) == owner["name"]
        if handed_over and _controller(obj) is None:
            return True
        return self.belongs(obj, owner)

    def belongs(self, obj: JSON, owner: Mapping[str, Any]) -> bool:
        """Whether the object is that owner's, or was made for one of its name that is gone.

        owner: as an owner reference has it.
        """
        meta, uid, name = obj["metadata"], owner["uid"], owner["name"]
        if controlled_by(obj, uid):
            return True
        if meta.get("deletionTimestamp") or not left_behind(
            meta, owner["apiVersion"], owner["kind"], name, uid
        ):
            return False
        made_for = (meta.get("annotations") or {}).get(self.marks.applied, "").rpartition("/")[0]
        return name in (made_for, (meta.get("labels") or {}).get(self.marks.owner))

    def controls(self, manifest: Manifest, obj: JSON) -> bool:
        """Whether the manifest's owner controls the object already."""
        owner = _controller(manifest)
        return owner is None or controlled_by(obj, owner["uid"])

    def whose(self, manifest: Manifest, found: JSON) -> Taken:
        """Whose the object is that has the manifest's name."""
        owner, controller = _controller(manifest) or {}, _controller(found)
        if controller is None:
            labels = found["metadata"].get("labels") or {}
            hand_over = f"{self.marks.adopt}: {owner['name']}" if owner else ""
            return Taken(key_of(manifest), labels.get(MANAGED_BY, ""), hand_over=hand_over)
        former = all(controller.get(p) == owner.get(p) for p in ("apiVersion", "kind", "name"))
        return Taken(key_of(manifest), f"{controller['kind']} {controller['name']}", former)

    def mark(self, manifest: Manifest, digest: str) -> str:
        """The value of the annotation `applied`."""
        return f"{(_controller(manifest) or {}).get('name', '')}/{digest}"


def key_of(manifest: Manifest) -> Key:
    """What the manifest is called."""
    meta = manifest["metadata"]
    return Key(manifest["kind"], meta.get("namespace", ""), meta["name"])


def controlled_by(obj: JSON, uid: str) -> bool:
    """Whether the object of that UID controls it."""
    controller = _controller(obj)
    return controller is not None and controller.get("uid") == uid


def _controller(obj: JSON) -> Mapping[str, Any] | None:
    return controller_of(obj["metadata"])


def _labelled_alike(obj: JSON, manifest: Manifest) -> bool:
    """Of what has no owner, since it outlives whatever made it."""
    own = obj["metadata"].get("labels") or {}
    return (manifest["metadata"].get("labels") or {}).items() <= own.items()
