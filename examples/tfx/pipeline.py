"""An ordinary TFX pipeline, and the report of what it made.

Data are checked against schema.pbtxt; a model that the Evaluator blesses is pushed below MODELS,
into a folder of the run's own.
"""

import os
from pathlib import Path

import tensorflow_model_analysis as tfma
from evenkeel.trainer import this_run
from evenkeel.trainer.tfx import report_pipeline
from tfx import v1 as tfx
from tfx.orchestration.metadata import sqlite_metadata_connection_config

HERE = Path(__file__).parent
SLICES = ["shift:day", "shift:night"]
"""Those that gates name; a report has room for a few dozen."""


def evaluation(threshold):
    """Blessed is what is accurate enough, overall. Per slice it is measured, for the gates."""
    bound = tfma.GenericValueThreshold(lower_bound={"value": threshold})
    accuracy = tfma.MetricConfig(
        class_name="BinaryAccuracy", threshold=tfma.MetricThreshold(value_threshold=bound)
    )
    count = tfma.MetricConfig(class_name="ExampleCount")
    return tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(label_key="late", signature_name="evaluate")],
        slicing_specs=[tfma.SlicingSpec(), tfma.SlicingSpec(feature_keys=["shift"])],
        metrics_specs=[tfma.MetricsSpec(metrics=[accuracy, count])],
    )


def pipeline(data, root, pushed, threshold):
    examples = tfx.components.CsvExampleGen(input_base=data)
    statistics = tfx.components.StatisticsGen(examples=examples.outputs["examples"])
    schema = tfx.components.ImportSchemaGen(schema_file=str(HERE / "schema.pbtxt"))
    validator = tfx.components.ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    trainer = tfx.components.Trainer(
        module_file=str(HERE / "trainer_module.py"),
        examples=examples.outputs["examples"],
        schema=schema.outputs["schema"],
        train_args=tfx.proto.TrainArgs(num_steps=60),
        eval_args=tfx.proto.EvalArgs(num_steps=5),
    )
    evaluator = tfx.components.Evaluator(
        examples=examples.outputs["examples"],
        model=trainer.outputs["model"],
        eval_config=evaluation(threshold),
    )
    destination = tfx.proto.PushDestination.Filesystem(base_directory=pushed)
    pusher = tfx.components.Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(filesystem=destination),
    )
    return tfx.dsl.Pipeline(
        pipeline_name="deliveries",
        pipeline_root=root,
        components=[examples, statistics, schema, validator, trainer, evaluator, pusher],
        metadata_connection_config=sqlite_metadata_connection_config(f"{root}/metadata.db"),
    )


def main():
    run = this_run()
    models = os.environ.get("MODELS", "/models/deliveries")
    root = os.environ.get("PIPELINE_ROOT", "/tmp/pipeline")
    built = pipeline(
        data=os.environ.get("DATA", "/data"),
        root=root,
        pushed=f"{models}/{run.name}",
        threshold=float(os.environ.get("THRESHOLD", "0.8")),
    )
    tfx.orchestration.LocalDagRunner().run(built)
    uri = os.environ.get("MODELS_URI", "pvc://models/deliveries")
    print(report_pipeline(root, f"{uri}/{run.name}", only=SLICES))


if __name__ == "__main__":
    main()
