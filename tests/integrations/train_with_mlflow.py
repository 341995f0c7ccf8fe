"""Logs and registers two models by MLflow's own client; prints the versions as JSON.

Runs in an environment with MLflow, which knows nothing of the operator.
"""

from __future__ import annotations

import json
import sys

import mlflow  # type: ignore[import-not-found]
import mlflow.sklearn  # type: ignore[import-not-found]
from mlflow import MlflowClient
from mlflow.models import infer_signature  # type: ignore[import-not-found]
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression


def main(name: str) -> None:
    """Registers versions 1 and 2, of which the alias champion means the first, and a third one
    whose artefacts are in a bucket."""
    features, classes = load_iris(return_X_y=True, as_frame=True)
    told = []
    for strength in (1.0, 0.1):
        with mlflow.start_run(tags={"mlflow.source.git.commit": "c0ffee"}) as run:
            model = LogisticRegression(C=strength, max_iter=500).fit(features, classes)
            logged = mlflow.sklearn.log_model(
                model,
                name="model",
                signature=infer_signature(features, model.predict(features)),
                registered_model_name=name,
            )
        told.append({"run": run.info.run_id, "model": logged.model_id})
    client = MlflowClient()
    client.set_registered_model_alias(name, "champion", "1")
    client.create_model_version(name, f"s3://models/{name}/3")
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1])
