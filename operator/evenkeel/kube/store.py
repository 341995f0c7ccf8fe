"""What an operator knows of the cluster: objects by kind and key, and by indices.

One watch a kind feeds it; the answers to the operator's own writes are put in at once, so that a
plan never misses what was just created.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from types import MappingProxyType
from typing import Any

from evenkeel.kube.echoes import Echoes
from evenkeel.kube.index import Index, Indices, by_label
from evenkeel.kube.parsed import Parsed
from evenkeel.kube.trim import Kept, Slims, Trim
from evenkeel.meta.objects import Key

JSON = dict[str, Any]

BURIALS = 4096
"""How many deletions are remembered; answers to writes arrive within far fewer."""


class Store:
    """Objects as last seen. Not thread-safe: one event loop owns it.

    indexed: the labels by which `labelled` finds objects. indices: what else `found` finds them
    by. kept: the fields of their specs that are read, by kind; objects of other kinds are kept
    whole. slims: what is kept of kinds with very many objects. manager: the field manager of the
    operator's own writes. annotations: those that are kept.
    """

    def __init__(
        self,
        *,
        indexed: Iterable[str] = (),
        indices: Iterable[Index] = (),
        kept: Kept = MappingProxyType({}),
        slims: Slims = MappingProxyType({}),
        manager: str = "",
        annotations: Iterable[str] = (),
    ) -> None:
        self._indices = Indices((*map(by_label, indexed), *indices))
        self._slims = slims
        self._trim = Trim(kept, slims, manager, annotations)
        # By kind, namespace and name.
        self._objects: dict[str, dict[str, dict[str, JSON]]] = defaultdict(dict)
        # By UID the version up to which an object is gone: the answer to a write may arrive after
        # the watch has reported the deletion. An object that merely lost the selected label is
        # reported as deleted too, and comes back with a later version.
        self._buried: OrderedDict[str, int] = OrderedDict()
        self._echoes = Echoes()
        self.parse = Parsed()

    def get(self, key: Key) -> JSON | None:
        """The object, if it is known."""
        return self._objects[key.kind].get(key.namespace, {}).get(key.name)

    def all(self, kind: str, namespace: str | None = None) -> Iterator[JSON]:
        """All objects of a kind, of one namespace or of all."""
        spaces = self._objects[kind]
        if namespace is not None:
            return iter(spaces.get(namespace, {}).values())
        return chain.from_iterable(space.values() for space in spaces.values())

    def labelled(self, kind: str, namespace: str, label: str, value: str) -> list[JSON]:
        """The objects of a kind with that label, ordered by name. Raises LookupError for a label
        that is not indexed."""
        return list(self.found(label, kind, namespace, value))

    def found(self, index: str, kind: str, namespace: str, value: str) -> Iterator[JSON]:
        """The objects that an index has under the value, one after the other in its order.
        Raises LookupError for an index that there is not."""
        space = self._objects[kind].get(namespace, {})
        places = self._indices.find(index, kind, namespace, value)
        return (space[name] for _, name in places)

    def from_last(self, index: str, kind: str, namespace: str, value: str) -> Iterator[JSON]:
        """The same from the last to the first."""
        space = self._objects[kind].get(namespace, {})
        places = self._indices.find(index, kind, namespace, value)
        return (space[name] for _, name in reversed(places))

    def number(self, index: str, kind: str, namespace: str, value: str) -> int:
        """How many objects an index has under the value."""
        return len(self._indices.find(index, kind, namespace, value))

    def count(self, kind: str) -> int:
        """How many objects of the kind are known."""
        return sum(map(len, self._objects[kind].values()))

    def keys(self, kind: str, namespace: str | None = None) -> list[Key]:
        """The keys of a kind, of one namespace or of all."""
        spaces = self._objects[kind]
        chosen = spaces if namespace is None else (namespace,)
        return [Key(kind, space, name) for space in chosen for name in spaces.get(space, ())]

    def knows(self, kind: str, report: bytes) -> bool:
        """Whether a watch's report, a line of JSON, surely brings what was put in before."""
        return self._echoes.knows(kind, report)

    def put(self, kind: str, obj: JSON, *, proven: bool = False) -> bool:
        """Takes the object unless a newer version is known; says whether anything changed.

        Of a slim kind nothing has changed unless something has that is kept. proven: it was just
        read by name, so that a reported deletion was the loss of the selected label.
        """
        meta = obj["metadata"]
        namespace, name = meta.get("namespace", ""), meta["name"]
        known = self._objects[kind].get(namespace, {}).get(name)
        if not proven and version_of(obj) <= self._buried.get(meta.get("uid", ""), -1):
            return False
        same = known is not None and known["metadata"].get("uid") == meta.get("uid")
        if known is not None and same and version_of(known) >= version_of(obj):
            return False
        kept = self._trim(kind, obj)
        if kept is None:
            return False
        self._objects[kind].setdefault(namespace, {})[name] = kept
        self._indices.change(kind, known, kept)
        self._echoes.took(kind, meta.get("resourceVersion", ""))
        return kind not in self._slims or known is None or not _alike(known, kept)

    def remove(self, key: Key, uid: str = "", version: int = 0) -> JSON | None:
        """Forgets the object (only the one with that UID, if given) and returns it.

        version: the one at which it was gone, if known; later ones of the same UID are taken.
        """
        known = self.get(key)
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
        space = self._objects[key.kind][key.namespace]
        del space[key.name]
        if not space:
            del self._objects[key.kind][key.namespace]
        self._indices.change(key.kind, known, None)
        return known


def _alike(known: JSON, obj: JSON) -> bool:
    """Whether two versions of an object differ in nothing else."""
    version = obj["metadata"].get("resourceVersion")
    aged = {**known, "metadata": {**known["metadata"], "resourceVersion": version}}
    return aged == obj


def version_of(obj: JSON) -> int:
    """The object's resourceVersion as a number."""
    # Comparable since Kubernetes 1.35 by contract (KEP-5504), and numeric with etcd always.
    return int(obj["metadata"].get("resourceVersion") or 0)
