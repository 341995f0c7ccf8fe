"""Objects as models, parsed once a version: runtimes and versions are read again and again."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, TypeVar

from evenkeel.meta.model import Model

KEPT = 4096

M = TypeVar("M", bound=Model)


class Parsed:
    """A bounded memory of parsed objects, by UID and resourceVersion."""

    def __init__(self) -> None:
        self._models: OrderedDict[str, tuple[str, Model]] = OrderedDict()

    def __call__(self, model: type[M], obj: dict[str, Any]) -> M:
        """The object as that model. Raises pydantic's ValidationError."""
        meta = obj["metadata"]
        uid, version = meta.get("uid", ""), meta.get("resourceVersion", "")
        known = self._models.get(uid)
        if known is not None and known[0] == version and isinstance(known[1], model):
            self._models.move_to_end(uid)
            return known[1]
        made = model.model_validate(obj)
        if uid and version:
            self._models[uid] = (version, made)
            self._models.move_to_end(uid)
            if len(self._models) > KEPT:
                self._models.popitem(last=False)
        return made
