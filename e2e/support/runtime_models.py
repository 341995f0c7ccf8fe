# mypy: ignore-errors
# It imports libraries of other environments.
"""Makes the models of the conformance test: python runtime_models.py NAME FOLDER.

It runs in the environment of the library whose model it makes. All learn the same: whether two
numbers between 0 and 1 add up to more than 1. None says 0.5 of what the test asks.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

STEPS = [n / 20 for n in range(21)]
ROWS = [list(pair) for pair in itertools.product(STEPS, STEPS) if sum(pair) != 1]
LABELS = [int(sum(row) > 1) for row in ROWS]

TRITON_CONFIG = """
backend: "python"
max_batch_size: 8
input [ { name: "x" data_type: TYPE_FP32 dims: [ 2 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 1 ] } ]
"""
TRITON_MODEL = """
import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        x = pb.get_input_tensor_by_name(request, "x").as_numpy()
        if (x > 1).any():
            raise ValueError("x is beyond 1")
        if (x < 0).any():
            return pb.InferenceResponse(error=pb.TritonError("x is below 0"))
        y = (x.sum(axis=1, keepdims=True) > 1).astype(np.float32)
        return pb.InferenceResponse([pb.Tensor("y", y)])
"""


def arrays() -> tuple[Any, Any]:
    import numpy as np

    return np.array(ROWS, dtype=np.float32), np.array(LABELS)


def learned() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=100).fit(*arrays())


def sklearn(folder: Path) -> None:
    import joblib

    joblib.dump(learned(), folder / "model.joblib")


def xgboost(folder: Path) -> None:
    from xgboost import XGBClassifier

    XGBClassifier(n_estimators=20).fit(*arrays()).save_model(folder / "model.json")


def lightgbm(folder: Path) -> None:
    from lightgbm import LGBMClassifier

    fitted = LGBMClassifier(n_estimators=20, min_child_samples=5, verbose=-1).fit(*arrays())
    fitted.booster_.save_model(folder / "model.bst")


def mlflow(folder: Path) -> None:
    from mlflow.models import infer_signature
    from mlflow.sklearn import save_model

    x, y = arrays()
    save_model(learned(), folder, signature=infer_signature(x, y), pip_requirements=[])


def onnx(folder: Path) -> None:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    inputs = [("x", FloatTensorType([None, 2]))]
    made = to_onnx(learned(), initial_types=inputs, options={"zipmap": False})
    (folder / "1").mkdir()
    (folder / "1" / "model.onnx").write_bytes(made.SerializeToString())


def tensorflow(folder: Path) -> None:
    import tensorflow as tf

    class Adds(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
        def __call__(self, x: Any) -> Any:
            return {"y": tf.sigmoid(20 * (tf.reduce_sum(x, axis=1) - 1))}

    module = Adds()
    tf.saved_model.save(module, folder / "1", signatures=module.__call__)


def triton(folder: Path) -> None:
    (folder / "config.pbtxt").write_text(TRITON_CONFIG)
    (folder / "1").mkdir()
    (folder / "1" / "model.py").write_text(TRITON_MODEL)


if __name__ == "__main__":
    name, target = sys.argv[1], Path(sys.argv[2])
    target.mkdir(parents=True)
    {f.__name__: f for f in (sklearn, xgboost, lightgbm, mlflow, onnx, tensorflow, triton)}[name](
        target
    )
