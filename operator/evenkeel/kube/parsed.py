"""Objects as models, parsed once a version: runtimes and versions are read again and again."""

from __future__ import annotations

from typing import Any, TypeVar

from evenkeel.kube.lru import Lru
from evenkeel.meta.model import Model

KEPT = 4096

M = TypeVar("M", bound=Model)


class Parsed:
    """A bounded memory of parsed objects, by UID and resourceVersion."""

    def __init__(self) -> None:
        self._models: Lru[str, tuple[str, Model]] = Lru(KEPT)

    def __call__(self, model: type[M], obj: dict[str, Any]) -> M:
        """The object as that model. Raises pydantic's ValidationError."""
        meta = obj["metadata"]
        uid, version = meta.get("uid", ""), meta.get("resourceVersion", "")
        known = self._models.get(uid)
        if known is not None and known[0] == version and isinstance(known[1], model):
            return known[1]
        made = model.model_validate(obj)
        if uid and version:
            self._models.put(uid, (version, made))
        return made
