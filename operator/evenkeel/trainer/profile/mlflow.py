"""What a signature of MLflow tells of a profile: names, types, order, and what is optional."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from evenkeel.trainer.profile.document import InvalidProfile
from evenkeel.trainer.profile.profiler import PREDICTION, Expected, Profiler

_KINDS = {
    **dict.fromkeys(("integer", "long", "float", "double"), "number"),
    "string": "text",
    **dict.fromkeys(("boolean", "datetime", "binary"), ""),
}


def from_mlflow_signature(signature: Any, **options: Any) -> Profiler:
    """A profile's skeleton, which rows of the training data fill:

        skeleton = from_mlflow_signature(infer_signature(train_x, model.predict(train_x)))
        skeleton.add(train_x, model.predict(train_x))
        skeleton.profile().save(folder_of_the_model)

    A signature has no counts, so that `profile()` refuses to make one before there are rows.
    signature: a ModelSignature, or `signature` of an MLmodel file. Columns must have what the
    signature says; an optional one that is absent is missing in all rows of the chunk. Columns of
    lists or objects are left out, with a warning. options: bins, categories, tensor, output_tensor,
    only, as of `profile`. Raises InvalidProfile.
    """
    plain = signature.to_dict() if hasattr(signature, "to_dict") else signature
    if not isinstance(plain, Mapping) or not plain.get("inputs"):
        raise InvalidProfile(
            "the signature has no inputs: log the model with signature=infer_signature(...), or "
            "give the training data to profile(...)"
        )
    features = _expected(plain["inputs"], "inputs")
    if not features:
        raise InvalidProfile("no column of the signature's inputs is a number or a text")
    predictions = _expected(plain["outputs"], "outputs") if plain.get("outputs") else []
    return Profiler(features=features, predictions=predictions, source="mlflow", **options)


def _expected(schema: Any, part: str) -> list[Expected]:
    try:
        specs = json.loads(schema) if isinstance(schema, str) else schema
        if not isinstance(specs, Sequence) or not all(isinstance(s, Mapping) for s in specs):
            raise ValueError("it is no list of columns")
        if any(spec["type"] == "tensor" for spec in specs):
            return _tensors(specs, part)
        return _columns(specs, part)
    except (KeyError, TypeError, ValueError) as problem:
        if isinstance(problem, InvalidProfile):
            raise
        raise InvalidProfile(f"{part} of the signature cannot be read: {problem!r:.200}") from None


def _columns(specs: Sequence[Mapping[str, Any]], part: str) -> list[Expected]:
    """Those without a name are known by their position."""
    found = []
    for index, spec in enumerate(specs):
        alone = PREDICTION if part == "outputs" and len(specs) == 1 else str(index)
        name, kind = str(spec.get("name", alone)), spec["type"]
        if kind not in _KINDS:
            told = f"the column {name!r:.80} is left out: the signature says {kind!r:.80}"
            warnings.warn(told, stacklevel=4)
            continue
        position = index if "name" not in spec and part == "inputs" else None
        required = bool(spec.get("required", True))
        found.append(Expected(name, _KINDS[kind], required, column=position))
    return found


def _tensors(specs: Sequence[Mapping[str, Any]], part: str) -> list[Expected]:
    """Of one number or text a row each, or one matrix without a name."""
    found = []
    for spec in specs:
        shape, dtype = list(spec["tensor-spec"]["shape"]), str(spec["tensor-spec"]["dtype"])
        kind = "number" if dtype.startswith(("int", "uint", "float")) else ""
        width = 1 if len(shape) == 1 else shape[1] if len(shape) == 2 else 0
        name = spec.get("name")
        if width == 1 and (name is not None or part == "outputs"):
            found.append(Expected(PREDICTION if name is None else str(name), kind))
        elif width > 0 and name is None and part == "inputs" and len(specs) == 1:
            found += [Expected(str(i), kind, column=i) for i in range(width)]
        elif part == "inputs":
            raise InvalidProfile(
                f"the signature's tensor {name or ''!r:.80} has the shape {tuple(shape)}: give its "
                "columns names, and hand them to profile(...) as a mapping, with tensor=..."
            )
    return found
