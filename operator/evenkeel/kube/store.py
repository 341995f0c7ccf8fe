"""What an operator knows of the cluster: objects by kind and key, with an index by label.

One watch a kind feeds it; the answers to the operator's own writes are put in at once, so that a
plan never misses what was just created.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator
from types import MappingProxyType
from typing import Any

from evenkeel.kube.parsed import Parsed
from evenkeel.kube.trim import Kept, Slims, Trim
from evenkeel.meta.objects import Key

JSON = dict[str, Any]

BURIALS = 4096
"""How many deletions are remembered; answers to writes arrive within far fewer."""


class Store:
    """Objects as last seen. Not thread-safe: one event loop owns it.

    indexed: the labels by which `labelled` finds objects. kept: the fields of their specs that
    are read, by kind; objects of other kinds are kept whole. slims: what is kept of kinds with
    very many objects. manager: the field manager of the operator's own writes. annotations: those
    that are kept.
    """

    def __init__(
        self,
        *,
        indexed: Iterable[str] = (),
        kept: Kept = MappingProxyType({}),
        slims: Slims = MappingProxyType({}),
        manager: str = "",
        annotations: Iterable[str] = (),
    ) -> None:
        self._indexed_labels = tuple(indexed)
        self._slims = slims
        self._trim = Trim(kept, slims, manager, annotations)
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
        """The objects of a kind with that label, ordered by name. Raises LookupError for a label
        that is not indexed."""
        if label not in self._indexed_labels:
            raise LookupError(f"the store has no index of the label {label}")
        names = self._index.get((kind, namespace, label, value), ())
        return [self._objects[kind][namespace, name] for name in sorted(names)]

    def count(self, kind: str) -> int:
        """How many objects of the kind are known."""
        return len(self._objects[kind])

    def keys(self, kind: str) -> list[Key]:
        """The keys of a kind."""
        return [Key(kind, *pair) for pair in self._objects[kind]]

    def put(self, kind: str, obj: JSON, *, proven: bool = False) -> bool:
        """Takes the object unless a newer version is known; says whether anything changed.

        Of a slim kind nothing has changed unless something has that is kept. proven: it was just
        read by name, so that a reported deletion was the loss of the selected label.
        """
        meta = obj["metadata"]
        pair = (meta.get("namespace", ""), meta["name"])
        known = self._objects[kind].get(pair)
        if not proven and version_of(obj) <= self._buried.get(meta.get("uid", ""), -1):
            return False
        if known is not None:
            if known["metadata"].get("uid") == meta.get("uid") and version_of(known) >= version_of(
                obj
            ):
                return False
            self._forget(kind, pair, known)
        obj = self._trim(kind, obj)
        self._objects[kind][pair] = obj
        for label, value in self._indexed(obj):
            self._index[kind, pair[0], label, value].add(pair[1])
        return kind not in self._slims or known is None or not _alike(known, obj)

    def remove(self, key: Key, uid: str = "", version: int = 0) -> JSON | None:
        """Forgets the object (only the one with that UID, if given) and returns it.

        version: the one at which it was gone, if known; later ones of the same UID are taken.
        """
        pair = (key.namespace, key.name)
        known = self._objects[key.kind].get(pair)
        held = known["metadata"].get("uid", "") if known is not None else ""
        if known is not None and held == uid and 0 < version < version_of(known):
            # It has lost the selected label meanwhile, and was written again.
            return None
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

    def _indexed(self, obj: JSON) -> Iterator[tuple[str, str]]:
        own = obj["metadata"].get("labels") or {}
        for label in self._indexed_labels:
            if label in own:
                yield label, own[label]


def _alike(known: JSON, obj: JSON) -> bool:
    """Whether two versions of an object differ in nothing else."""
    version = obj["metadata"].get("resourceVersion")
    aged = {**known, "metadata": {**known["metadata"], "resourceVersion": version}}
    return aged == obj


def version_of(obj: JSON) -> int:
    """The object's resourceVersion as a number."""
    # Comparable since Kubernetes 1.35 by contract (KEP-5504), and numeric with etcd always.
    return int(obj["metadata"].get("resourceVersion") or 0)
