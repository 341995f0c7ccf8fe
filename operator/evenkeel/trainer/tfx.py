"""What a TFX pipeline left behind, as a report: metrics and slices of TFMA, blessing, anomalies.

    LocalDagRunner().run(pipeline)
    profile_pipeline(pipeline_root, only=FEATURES).save(f"/models/taxi/{run.name}")
    report_pipeline(pipeline_root, f"pvc://models/taxi/{run.name}", only=["night:night"])

A pipeline succeeds also where its model is not blessed, and so not pushed: the metric `tfx.blessed`
is 1 or 0, and a gate demands it. `tfdv.anomalies` counts what the data's schema did not expect.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from evenkeel.trainer.profile import InvalidProfile, Profile, from_tfdv
from evenkeel.trainer.result import InvalidReport, report

BLESSED, ANOMALIES = "tfx.blessed", "tfdv.anomalies"
COUNT = "example_count"
"""TFMA's metric that tells how many records a slice has."""


@dataclass
class Outcome:
    """remarks: for people, such as why the model was not blessed and what is no number."""

    metrics: dict[str, float] = field(default_factory=dict)
    slices: dict[str, dict[str, Any]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def report_pipeline(
    root: str,
    uri: str,
    *,
    evaluator: str = "Evaluator",
    validator: str = "ExampleValidator",
    metrics: dict[str, Any] | None = None,
    **more: Any,
) -> str:
    """Reports the newest execution below the pipeline root, and returns the text.

    uri: the folder that was pushed to, whose subfolders are versions. evaluator, validator: the ids
    of these components. metrics, more: as of `report`. Raises InvalidReport, and OSError.
    """
    found = outcome(root, evaluator, validator)
    for remark in found.remarks:
        print(remark, file=sys.stderr)
    given = {**found.metrics, **(metrics or {})}
    return report(uri, "tensorflow", metrics=given, slices=found.slices, **more)


def profile_pipeline(
    root: str, *, statistics: str = "StatisticsGen", split: str = "train", **more: Any
) -> Profile:
    """The reference profile of the newest execution's data, to be saved in the pushed folder.

    statistics: the id of the StatisticsGen. split: whose examples are counted. more: as of
    `from_tfdv`, above all `only`: the features that requests have. Raises InvalidProfile.
    """
    import tensorflow as tf

    folder = _newest(root, statistics, "statistics")
    files = _files(f"{folder}/Split-{split}/FeatureStats.pb")
    if folder is None or not files:
        raise InvalidProfile(
            f"there are no statistics of the split {split} below {root}/{statistics}: name the "
            "pipeline's root, and the id of its StatisticsGen (statistics=)"
        )
    with tf.io.gfile.GFile(files[-1], "rb") as opened:
        return from_tfdv(opened.read(), **more)


def outcome(
    root: str, evaluator: str = "Evaluator", validator: str = "ExampleValidator"
) -> Outcome:
    """What the newest execution of both components found. Raises InvalidReport."""
    found = Outcome()
    evaluation = _newest(root, evaluator, "evaluation")
    blessing = _newest(root, evaluator, "blessing")
    if evaluation is None or blessing is None:
        raise InvalidReport(
            f"there is no evaluation below {root}/{evaluator}: name the pipeline's root, and the "
            "id of its Evaluator if that has one of its own (evaluator=)"
        )
    _evaluated(evaluation, found)
    blessed = _files(f"{blessing}/BLESSED") != []
    found.metrics[BLESSED] = int(blessed)
    if not blessed:
        found.remarks += ["the model is not blessed", *_failures(evaluation)]
    if (anomalies := _newest(root, validator, "anomalies")) is not None:
        told = list(_anomalies(anomalies))
        found.metrics[ANOMALIES] = len(told)
        found.remarks += told
    return found


def _newest(root: str, component: str, output: str) -> str | None:
    """The folder of the execution with the highest number."""
    numbers = [
        int(name)
        for path in _files(f"{root}/{component}/{output}/*")
        if (name := path.rstrip("/").rpartition("/")[2]).isdigit()
    ]
    return f"{root}/{component}/{output}/{max(numbers)}" if numbers else None


def _files(pattern: str) -> list[str]:
    """Below any address that TensorFlow can read."""
    import tensorflow as tf

    return sorted(tf.io.gfile.glob(pattern))


def _records(pattern: str, message: Any) -> Iterator[Any]:
    import tensorflow as tf

    for file in _files(pattern):
        for record in tf.data.TFRecordDataset(file).as_numpy_iterator():
            yield message.FromString(record)


def _evaluated(evaluation: str, found: Outcome) -> None:
    """TFMA's metrics that are numbers; those of slices go without the number of records."""
    from tensorflow_model_analysis.proto import metrics_for_slice_pb2

    for part in _records(f"{evaluation}/metrics*", metrics_for_slice_pb2.MetricsForSlice):
        where = slice_name(part.slice_key)
        figures: dict[str, float] = {}
        for pair in part.metric_keys_and_values:
            name, number = metric_name(pair.key), _number(pair.value)
            if number is None or not math.isfinite(number):
                kind = "no number" if number is None else f"{number}"
                found.remarks.append(f"{name} of {where or 'all'} is left out: it is {kind}")
            elif name in figures:
                raise InvalidReport(f"TFMA has two metrics {name}: give one another name")
            else:
                figures[name] = number
        if where:
            samples = int(figures.pop(COUNT, 0))
            found.slices[where] = {"samples": samples, "metrics": figures}
        else:
            found.metrics |= figures


def slice_name(key: Any) -> str:
    """Such as `night:night`, or `night:day,weekend:1` for a crossing; empty for all records."""
    return ",".join(f"{part.column}:{_slice_value(part)}" for part in key.single_slice_keys)


def _slice_value(part: Any) -> str:
    value = getattr(part, part.WhichOneof("kind"))
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def metric_name(key: Any) -> str:
    """TFMA's own name; what else tells metrics apart stands before or after it.

    `baseline/auc` is the champion's that the pipeline knew, `diff/auc` the difference to it.
    """
    whose = "diff" if key.is_diff else "baseline" if key.model_name == "baseline" else ""
    places = [f"{f.name}_{v.value}" for f, v in key.sub_key.ListFields()]
    kinds = [f.name for f, _ in key.aggregation_type.ListFields() if f.name.endswith("average")]
    name = "@".join([key.name, *places, *kinds])
    return "/".join(filter(None, [whose, key.output_name, name]))


def _number(value: Any) -> float | None:
    kind = value.WhichOneof("type")
    if kind == "double_value":
        return float(value.double_value.value)
    if kind == "bounded_value":
        return float(value.bounded_value.value.value)
    if kind == "t_distribution_value":
        return float(value.t_distribution_value.unsampled_value.value)
    return None


def _failures(evaluation: str) -> Iterator[str]:
    from tensorflow_model_analysis.proto import validation_result_pb2

    for result in _records(f"{evaluation}/validations*", validation_result_pb2.ValidationResult):
        if result.missing_thresholds:
            yield "no metric of the evaluation has a threshold"
        for part in result.metric_validations_per_slice:
            where = slice_name(part.slice_key) or "all"
            for failure in part.failures:
                bound = " ".join(str(failure.metric_threshold).split())
                number = _number(failure.metric_value)
                yield f"{metric_name(failure.metric_key)} of {where} is {number}, not {bound}"


def _anomalies(folder: str) -> Iterator[str]:
    import tensorflow as tf
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    for file in _files(f"{folder}/Split-*/SchemaDiff.pb"):
        split = file.rstrip("/").split("/")[-2]
        with tf.io.gfile.GFile(file, "rb") as opened:
            found = anomalies_pb2.Anomalies.FromString(opened.read())
        for name, anomaly in sorted(found.anomaly_info.items()):
            yield f"{split}: {name}: {anomaly.short_description}: {anomaly.description}"
        if found.HasField("dataset_anomaly_info"):
            yield f"{split}: {found.dataset_anomaly_info.short_description}"
