"""Runs the example pipeline as its image does, twice: FOLDER PIPELINE's folder.

The first model is blessed; the second one's data know a shift that the schema does not, and it is
judged too strictly. Not once a process, since importing TFX takes a minute.
"""

import json
import os
import sys
from pathlib import Path

folder = Path(sys.argv[1])
sys.path.insert(0, sys.argv[2])

import deliveries  # noqa: E402
import pipeline  # noqa: E402
from evenkeel.trainer import tfx  # noqa: E402
from tensorflow_model_analysis.proto import metrics_for_slice_pb2 as messages  # noqa: E402


def run(name: str, threshold: str, shifts: tuple[str, ...]) -> None:
    deliveries.write(folder / name / "data", shifts)
    os.environ.update(
        EVENKEEL_RUN=name,
        EVENKEEL_RESULT=str(folder / name / "result.json"),
        DATA=str(folder / name / "data"),
        PIPELINE_ROOT=str(folder / name / "root"),
        MODELS=str(folder / "models"),
        THRESHOLD=threshold,
    )
    pipeline.main()


def names() -> dict[str, list[str]]:
    """What metrics and slices of all kinds are called, by TFMA's own messages."""
    keys = [
        {"name": "auc"},
        {"name": "auc", "model_name": "candidate"},
        {"name": "auc", "model_name": "baseline"},
        {"name": "auc", "model_name": "candidate", "is_diff": True},
        {"name": "auc", "output_name": "click", "sub_key": {"top_k": {"value": 3}}},
        {"name": "auc", "sub_key": {"class_id": {"value": 0}}},
        {"name": "auc", "aggregation_type": {"macro_average": True}},
    ]
    parts = [{"column": "day", "int64_value": 12345678}, {"column": "at", "bytes_value": b"night"}]
    slices = [{}, {"single_slice_keys": parts}]
    return {
        "metrics": [tfx.metric_name(messages.MetricKey(**key)) for key in keys],
        "slices": [tfx.slice_name(messages.SliceKey(**key)) for key in slices],
    }


(folder / "names.json").write_text(json.dumps(names()))
run("blessed", "0.8", ("day", "night"))
run("refused", "0.999", ("day", "night", "dawn"))
