"""Profiles pandas' own types; prints the columns as JSON.

Runs in an environment with pandas, which knows nothing of the operator.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from decimal import Decimal

import numpy as np
import pandas as pd  # type: ignore[import-not-found]
import pyarrow as pa  # type: ignore[import-not-found]
from evenkeel.trainer.profile import InvalidProfile, profile

ROWS = 300


def table() -> pd.DataFrame:
    """Each column has 300 rows, of which 100 have no value."""
    thirds = pd.Series(range(ROWS)) % 3
    there = thirds > 0
    numbers = pd.Series(np.random.default_rng(0).normal(size=ROWS))
    moments = pd.Series(pd.date_range("2024-01-01", periods=ROWS))
    texts = thirds.map({1: "a", 2: "b"})
    return pd.DataFrame(
        {
            "float": numbers.where(there),
            "Float64": numbers.where(there).astype("Float64"),
            "float of codes": thirds.where(there),
            "Int64": thirds.where(there).astype("Int64"),
            "object of numbers": thirds.where(there).astype(object),
            "boolean": (thirds == 1).where(there).astype("boolean"),
            "object of truths": pd.Series([None, True, False] * (ROWS // 3), dtype=object),
            "text": texts,
            "object of texts": texts.astype(object),
            "string": texts.astype("string"),
            "category": texts.astype("category"),
            "category of numbers": thirds.where(there).astype("category"),
            "category of many": pd.Series(range(ROWS)).where(there).astype("category"),
            "decimal": pd.Series([None, Decimal("0.5"), Decimal("1.5")] * (ROWS // 3)),
            "moment": moments.where(there),
            "moment of a zone": moments.where(there).dt.tz_localize("UTC"),
            "object of moments": pd.Series([None, datetime(2024, 1, 1), pd.Timestamp(0)] * 100),
            "duration": (moments - moments[0]).where(there),
            "period": moments.where(there).dt.to_period("D"),
            "nothing": pd.Series([pd.NA] * ROWS),
        }
    )


def refusal(frame: pd.DataFrame) -> str:
    try:
        profile(frame)
    except InvalidProfile as problem:
        return str(problem)
    return ""


def main() -> None:
    frame = table()
    whole = profile(frame, frame["float of codes"].fillna(0).rename("answer"))
    chunks = profile(
        (
            frame[start : start + 70],
            frame["float of codes"][start : start + 70].fillna(0).to_frame("answer"),
        )
        for start in range(0, ROWS, 70)
    )
    two = pd.DataFrame([[0.5, "x"], [1.5, "y"]])
    told = {
        "columns": {column["name"]: column for column in whole.features},
        "prediction": whole.predictions[0]["name"],
        "chunks": chunks.text() == whole.text(),
        "order": profile(frame.sample(frac=1, random_state=1)).features == whole.features,
        "arrow": profile(pa.table({"float": frame["float"], "text": frame["text"]})).features
        == [column for column in whole.features if column["name"] in ("float", "text")],
        "numbers as names": [column["name"] for column in profile(two).features],
        "same name": refusal(pd.DataFrame([[1, 2]], columns=["a", "a"])),
        "two levels": refusal(pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")]))),
        "lists": refusal(pd.DataFrame({"embedding": [[1, 2], [3, 4]]})),
        "interval": refusal(pd.DataFrame({"range": pd.interval_range(0, 2)})),
        "pandas": pd.__version__,
        "python": sys.version,
    }
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
