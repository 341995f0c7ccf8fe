"""What the operator knows of the cluster: objects by kind and key, with two indexes.

One watch a kind feeds it; the answers to the operator's own writes are put in at once, so that a
plan never misses what was just created.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from evenkeel.api import labels
from evenkeel.kube.parsed import Parsed
from evenkeel.kube.trim import trimmed

JSON = dict[str, Any]


class Key(NamedTuple):
    """Identifies an object of a kind; the namespace of a cluster-scoped object is empty."""

    kind: str
    namespace: str
    name: str


BURIALS = 4096
"""How many deletions are remembered; answers to writes arrive within far fewer."""

INDEXED_LABELS = (labels.DEPLOYMENT, labels.SCHEDULE, labels.MODEL, labels.RUN)


class Store:
    """Objects as last seen. Not thread-safe: one event loop owns it."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[tuple[str, str], JSON]] = defaultdict(dict)
        self._index: dict[tuple[str, str, str, str], set[str]] = defaultdict(set)
        # By UID the version up to which an object is gone: the answer to a write may arrive after
        # the watch has reported the deletion. An object that merely lost the selected label is
        # reported as deleted too, and comes back with a later version.
        self._buried: OrderedDict[str, int] = OrderedDict()
        self.parse = Parsed()

    def get(self, key: Key) -> JSON | None:
        """The object, if it is known."""
        return self._objects[key.kind].get((key.namespace, key.name))

    def all(self, kind: str, namespace: str | None = None) -> Iterator[JSON]:
        """All objects of a kind, of one namespace or of all."""
        for (space, _), obj in self._objects[kind].items():
            if namespace is None or space == namespace:
                yield obj

    def labelled(self, kind: str, namespace: str, label: str, value: str) -> list[JSON]:
        """The objects of a kind with that label, ordered by name."""
        names = self._index.get((kind, namespace, label, value), ())
        return [self._objects[kind][namespace, name] for name in sorted(names)]

    def count(self, kind: str) -> int:
        """How many objects of the kind are known."""
        return len(self._objects[kind])

    def keys(self, kind: str) -> list[Key]:
        """The keys of a kind."""
        return [Key(kind, *pair) for pair in self._objects[kind]]

    def put(self, kind: str, obj: JSON) -> bool:
        """Takes the object unless a newer version is known; says whether anything changed."""
        meta = obj["metadata"]
        pair = (meta.get("namespace", ""), meta["name"])
        known = self._objects[kind].get(pair)
        if version_of(obj) <= self._buried.get(meta.get("uid", ""), -1):
            return False
        if known is not None:
            if known["metadata"].get("uid") == meta.get("uid") and version_of(known) >= version_of(
                obj
            ):
                return False
            self._forget(kind, pair, known)
        obj = trimmed(kind, obj)
        self._objects[kind][pair] = obj
        for label, value in self._indexed(obj):
            self._index[kind, pair[0], label, value].add(pair[1])
        return True

    def remove(self, key: Key, uid: str = "", version: int = 0) -> JSON | None:
        """Forgets the object (only the one with that UID, if given) and returns it.

        version: the one at which it was gone, if known; later ones of the same UID are taken.
        """
        pair = (key.namespace, key.name)
        known = self._objects[key.kind].get(pair)
        held = known["metadata"].get("uid", "") if known is not None else ""
        if buried := uid or held:
            last = max(version, self._buried.pop(buried, 0))
            if known is not None and held == buried:
                last = max(last, version_of(known))
            self._buried[buried] = last
            while len(self._buried) > BURIALS:
                self._buried.popitem(last=False)
        if known is None or (uid and held != uid):
            return None
        self._forget(key.kind, pair, known)
        return known

    def _forget(self, kind: str, pair: tuple[str, str], known: JSON) -> None:
        del self._objects[kind][pair]
        for label, value in self._indexed(known):
            entry = (kind, pair[0], label, value)
            self._index[entry].discard(pair[1])
            if not self._index[entry]:
                del self._index[entry]

    @staticmethod
    def _indexed(obj: JSON) -> Iterator[tuple[str, str]]:
        own = obj["metadata"].get("labels") or {}
        for label in INDEXED_LABELS:
            if label in own:
                yield label, own[label]


def version_of(obj: JSON) -> int:
    """The object's resourceVersion as a number."""
    # Comparable since Kubernetes 1.35 by contract (KEP-5504), and numeric with etcd always.
    return int(obj["metadata"].get("resourceVersion") or 0)
