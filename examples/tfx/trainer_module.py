"""What TFX's Trainer runs: a small network, saved with two signatures."""

import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.utils import io_utils
from tfx_bsl.public import tfxio

FEATURES = ("distance", "traffic")
LABEL = "late"


def run_fn(fn_args):
    schema = io_utils.parse_pbtxt_file(fn_args.schema_path, schema_pb2.Schema())
    options = tfxio.TensorFlowDatasetOptions(batch_size=20, label_key=LABEL)
    examples = fn_args.data_accessor.tf_dataset_factory(fn_args.train_files, options, schema)
    inputs = {name: tf.keras.Input(shape=(1,), name=name) for name in FEATURES}
    joined = tf.keras.layers.Concatenate()(list(inputs.values()))
    model = tf.keras.Model(inputs, tf.keras.layers.Dense(1, activation="sigmoid")(joined))
    model.compile(tf.keras.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    model.fit(examples.repeat(), steps_per_epoch=fn_args.train_steps, epochs=3, verbose=0)

    column = tf.TensorSpec([None, 1], tf.float32)

    @tf.function(input_signature=[column, column])
    def predict(distance, traffic):
        """What the served model is asked."""
        return {"probability": model({"distance": distance, "traffic": traffic})}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def evaluate(examples):
        """What the Evaluator asks: serialized examples."""
        parsed = {name: tf.io.FixedLenFeature([1], tf.float32) for name in FEATURES}
        return {"probability": model(tf.io.parse_example(examples, parsed))}

    signatures = {"serving_default": predict, "evaluate": evaluate}
    model.save(fn_args.serving_model_dir, save_format="tf", signatures=signatures)
