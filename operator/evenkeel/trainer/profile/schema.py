"""The format of a reference profile, as a JSON schema: the one place of its fields and bounds.

python -m evenkeel.trainer.profile.schema FILE    # writes the schema
"""

from __future__ import annotations

import math
from typing import Any

VERSION = "evenkeel.dev/profile/v1"
FEATURES, PREDICTIONS, BINS = 256, 16, 64
"""At most; bins of one feature, without `other` and `missing`."""
TEXT = 256
"""Bytes of a name or a category at most."""
WHOLE = 2**53
"""From here on not every whole number is a double."""

Schema = dict[str, Any]


def _feature(kind: str, description: str, own: Schema) -> Schema:
    shared = {
        "missing": {"$ref": "#/$defs/count", "description": "Rows without: null, NaN, absent."},
        "tensor": {
            "$ref": "#/$defs/name",
            "description": "V2 tensor, or key of a V1 object, that has the values.",
        },
        "column": {
            "type": "integer",
            "description": "Index in the last dimension of what has the values.",
            "minimum": 0,
            "maximum": 1 << 20,
        },
    }
    return {
        "type": "object",
        "description": description,
        "required": ["name", "type", *own, "missing"],
        "additionalProperties": False,
        "properties": {
            "name": {"$ref": "#/$defs/name"},
            "type": {"const": kind},
            **own,
            **shared,
        },
    }


def _list(description: str, most: int, items: Schema) -> Schema:
    return {"type": "array", "description": description, "maxItems": most, "items": items}


_COUNTS = _list("Rows in each bin.", BINS, {"$ref": "#/$defs/count"})
_COLUMN: Schema = {"oneOf": [{"$ref": "#/$defs/numeric"}, {"$ref": "#/$defs/categorical"}]}

SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Reference profile of a model",
    "description": "How features and predictions were distributed when the model was trained; "
    "evenkeel-profile.json in the model's folder, of 1 MiB at most.",
    "type": "object",
    "required": ["schema", "features", "predictions", "rows", "source"],
    "additionalProperties": False,
    "properties": {
        "schema": {"const": VERSION},
        "features": _list("In the order of the model's input.", FEATURES, _COLUMN),
        "predictions": _list("In the order of the model's output.", PREDICTIONS, _COLUMN),
        "rows": {
            "type": "integer",
            "description": "Counts, other and missing of a column add up to it, or to less where "
            "rows of it were not counted.",
            "minimum": 1,
            "maximum": WHOLE,
        },
        "source": {"enum": ["trainer", "tfdv", "mlflow", "learned"]},
    },
    "$defs": {
        "name": {"type": "string", "minLength": 1, "maxLength": TEXT},
        "count": {"type": "integer", "minimum": 0, "maximum": WHOLE},
        "numeric": _feature(
            "numeric",
            "Bin i holds edges[i-1] < x <= edges[i]; the first and the last one are open.",
            {
                "edges": _list("Strictly rising.", BINS - 1, {"type": "number"}),
                "counts": {**_COUNTS, "minItems": 1},
            },
        ),
        "categorical": _feature(
            "categorical",
            "A bin a category, and `other` for all that is in none.",
            {
                "categories": _list(
                    "Numbers as in JSON without a trailing .0.",
                    BINS,
                    {"type": "string", "maxLength": TEXT},
                ),
                "counts": _COUNTS,
                "other": {"$ref": "#/$defs/count"},
            },
        ),
    },
}


def size(text: str) -> float:
    """Bytes of a text; infinite if it has half a character, which cannot be written."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return math.inf
