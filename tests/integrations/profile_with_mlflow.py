"""Logs a model with its profile by MLflow's own client, as a trainer does; prints what it found.

Runs in an environment with MLflow, which knows nothing of the operator.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from pathlib import Path

import mlflow  # type: ignore[import-not-found]
import mlflow.sklearn  # type: ignore[import-not-found]
import numpy as np
import pandas as pd  # type: ignore[import-not-found]
from evenkeel.trainer.profile import from_mlflow_signature, load, profile
from mlflow import MlflowClient
from mlflow.models import infer_signature  # type: ignore[import-not-found]
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

FEATURES, CLASSES = load_iris(return_X_y=True, as_frame=True)


def logged() -> dict[str, object]:
    """The way of the documentation: into the folder of the logged model."""
    model = LogisticRegression(max_iter=500).fit(FEATURES, CLASSES)
    told = model.predict(FEATURES)
    with mlflow.start_run(), tempfile.TemporaryDirectory() as folder:
        info = mlflow.sklearn.log_model(
            model, name="model", signature=infer_signature(FEATURES, told), pip_requirements=[]
        )
        file = profile(FEATURES, told).save(folder)
        MlflowClient().log_model_artifact(info.model_id, str(file))
    with tempfile.TemporaryDirectory() as folder:
        uri = f"models:/{info.model_id}"
        found = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder))
        skeleton = from_mlflow_signature(mlflow.models.get_model_info(uri).signature)
        skeleton.add(FEATURES, told)
        return {
            "files": sorted(path.name for path in found.iterdir()),
            "alike": load(found).features == skeleton.profile().features,
            "predictions": [column["name"] for column in skeleton.profile().predictions],
        }


def inferred() -> list[dict[str, object]]:
    """Each kind of column that a signature knows."""
    frame = pd.DataFrame(
        {
            "double": [0.5, 1.5],
            "optional": [1.0, np.nan],
            "long": [1, 2],
            "text": ["a", "b"],
            "truth": [True, False],
            "moment": pd.to_datetime(["2024-01-01", "2024-01-02"]),
            "list": [[1.0], [2.0]],
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        skeleton = from_mlflow_signature(infer_signature(frame, np.array([0.1, 0.2])))
    skeleton.add(frame, np.array([0.1, 0.2]))
    return skeleton.profile().features


def matrix() -> list[object]:
    array = np.arange(8.0).reshape(4, 2)
    skeleton = from_mlflow_signature(
        infer_signature(array, {"low": array[:, 0], "high": array[:, 1]})
    )
    skeleton.add(array, {"high": array[:, 1], "low": array[:, 0]})
    found = skeleton.profile()
    places = [[column["name"], column["column"]] for column in found.features]
    return [places, [column["name"] for column in found.predictions]]


if __name__ == "__main__":
    json.dump({"logged": logged(), "inferred": inferred(), "matrix": matrix()}, sys.stdout)
