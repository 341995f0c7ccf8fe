"""Kinds with one more field, so that a test can add to the API what a seam is for."""

from __future__ import annotations

import types
from copy import copy
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from evenkeel.meta.model import Model
from pydantic import Field, create_model
from pydantic.alias_generators import to_snake

M = TypeVar("M", bound=Model)


def extended(model: type[M], path: str, field: Any, description: str = "A new field.") -> type[M]:
    """A subclass of the model with one more optional field somewhere below it.

    path: names on the wire with [] for a list's items, such as "spec.triggers.[].every". field: the
    new field's type. The models on the way are derived likewise, with their rules, class variables
    and limits. Raises KeyError for a path that the model lacks.
    """
    head, _, rest = path.partition(".")
    if not rest:
        new = Annotated[field | None, Field(description=description)]
        return _derived(model, {to_snake(head): (new, None)})
    name = next((n for n, f in model.model_fields.items() if head in (n, f.alias)), None)
    if name is None:
        raise KeyError(f"{model.__name__} has no field {head}")
    info = copy(model.model_fields[name])
    old = _model_in(info.annotation)
    below = extended(old, rest.removeprefix("[]."), field, description)
    info.annotation = _replaced(info.annotation, old, below)
    if isinstance(info.default, old):
        info.default = below.model_validate(info.default.wire())
    return _derived(model, {name: (info.annotation, info)})


def _derived(model: type[M], fields: dict[str, Any]) -> type[M]:
    return create_model(
        model.__name__, __base__=model, __module__=__name__, __doc__=model.__doc__, **fields
    )


def _model_in(annotation: Any) -> type[Model]:
    """The model in X, X | None, tuple[X, ...] and the like."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    for part in get_args(annotation):
        try:
            return _model_in(part)
        except KeyError:
            continue
    raise KeyError(f"no model in {annotation}")


def _replaced(annotation: Any, old: type[Model], new: type[Model]) -> Any:
    if annotation is old:
        return new
    parts = tuple(_replaced(part, old, new) for part in get_args(annotation))
    if not parts:
        return annotation
    if get_origin(annotation) in (Union, types.UnionType):
        return Union[parts]  # noqa: UP007 - of parts that are known only here
    if get_origin(annotation) is Annotated:
        return Annotated[(parts[0], *annotation.__metadata__)]
    return get_origin(annotation)[parts]
