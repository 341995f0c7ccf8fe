"""A reference profile that keeps all rules."""

from __future__ import annotations

from typing import Any

WHOLE: dict[str, Any] = {
    "schema": "evenkeel.dev/profile/v1",
    "features": [
        {
            "name": "temperature",
            "type": "numeric",
            "edges": [-1.5, 0.2, 3.0],
            "counts": [10, 20, 30, 40],
            "missing": 3,
            "tensor": "predict",
            "column": 0,
        },
        {
            "name": "color",
            "type": "categorical",
            "categories": ["red", "blue"],
            "counts": [70, 30],
            "other": 0,
            "missing": 3,
        },
    ],
    "predictions": [
        {
            "name": "label",
            "type": "categorical",
            "categories": ["0", "1"],
            "counts": [60, 43],
            "other": 0,
            "missing": 0,
            "tensor": "output-1",
        }
    ],
    "rows": 103,
    "source": "trainer",
}
