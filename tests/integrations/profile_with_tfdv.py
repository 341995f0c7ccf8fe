"""Has TFDV count known data, and profiles its statistics: FOLDER. Writes told.json there.

Runs in an environment with TFX, which knows nothing of the operator.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-not-found]
import tensorflow as tf
import tensorflow_data_validation as tfdv
from evenkeel.trainer import tfx
from evenkeel.trainer.profile import InvalidProfile, from_tfdv

ROWS = 20_000


def data() -> pd.DataFrame:
    draw = np.random.default_rng(5)
    there = draw.random(ROWS) < 0.9
    return pd.DataFrame(
        {
            "normal": pd.Series(draw.normal(20, 5, ROWS)).where(there),
            "mostly nought": np.where(draw.random(ROWS) < 0.6, 0.0, draw.lognormal(0, 2, ROWS)),
            "prices": draw.choice([0.1, 4.65, 5.45, 7.7], ROWS, p=[0.3, 0.4, 0.2, 0.1]),
            "counts": draw.poisson(3, ROWS),
            "truth": draw.integers(0, 2, ROWS),
            "constant": np.full(ROWS, 0.7),
            "infinite": np.where(draw.random(ROWS) < 0.1, np.inf, draw.normal(size=ROWS)),
            "color": pd.Series(draw.choice(["red", "green", "blue"], ROWS)).where(there),
            "street": [f"street {number}" for number in draw.zipf(1.5, ROWS)],
        }
    )


def deviation(column: dict[str, Any], values: pd.Series) -> float:
    """The greatest share of rows by which a bin, or all up to it, differs from a recount."""
    there = values.dropna()
    if column["type"] == "categorical":
        frequent = there.value_counts()
        recounted = [int(frequent[category]) for category in column["categories"]]
        differences = [a - b for a, b in zip(recounted, column["counts"], strict=True)]
    else:
        edges = np.array(column["edges"])
        recount = np.bincount(np.searchsorted(edges, there), minlength=len(edges) + 1)
        differences = np.cumsum(recount) - np.cumsum(column["counts"])
    return float(max(map(abs, differences)) / len(values))


def warned(frame: pd.DataFrame) -> list[str]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        from_tfdv(tfdv.generate_statistics_from_dataframe(frame))
    return [str(warning.message) for warning in told if "left out" in str(warning.message)]


def refusal(root: str) -> str:
    try:
        tfx.profile_pipeline(root)
    except InvalidProfile as problem:
        return str(problem)
    return ""


def main(folder: Path) -> None:
    frame = data()
    # Fewer than texts, so that some are in no rank.
    options = tfdv.StatsOptions(num_rank_histogram_buckets=30)
    statistics = tfdv.generate_statistics_from_dataframe(frame, options)
    binary, records = folder / "FeatureStats.pb", folder / "statistics.tfrecord"
    binary.write_bytes(statistics.SerializeToString())
    with tf.io.TFRecordWriter(str(records)) as writer:
        writer.write(statistics.SerializeToString())
    found = from_tfdv(statistics)
    for execution in ("3", "20"):
        split = folder / "root" / "StatisticsGen" / "statistics" / execution / "Split-train"
        split.mkdir(parents=True)
        (split / "FeatureStats.pb").write_bytes(b"" if execution == "3" else binary.read_bytes())
    columns = {column["name"]: column for column in found.features}
    told = {
        "columns": columns,
        "alike": found == from_tfdv(binary) == from_tfdv(str(records)),
        "pipeline": found == tfx.profile_pipeline(str(folder / "root")),
        "elsewhere": refusal(str(folder)),
        "deviations": {name: deviation(columns[name], frame[name]) for name in columns},
        "single precision": {
            name: deviation(columns[name], frame[name].astype(np.float32))
            for name in ("prices", "constant", "counts")
        },
        "left out": warned(pd.DataFrame({"x": [0.5, 1.5], "many": [[1.0, 2.0], [3.0]]})),
    }
    (folder / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
