"""A trainer that only logs to MLflow, in one of the ways that trainers do.

Runs in an environment with MLflow, which knows nothing of the operator, and learns nothing but by
its environment.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import mlflow  # type: ignore[import-not-found]
import mlflow.data  # type: ignore[import-not-found]
import mlflow.sklearn  # type: ignore[import-not-found]
from mlflow.models import infer_signature  # type: ignore[import-not-found]
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

FEATURES, CLASSES = load_iris(return_X_y=True, as_frame=True)


def fitted(strength: float = 1.0) -> Any:
    return LogisticRegression(C=strength, max_iter=500).fit(FEATURES, CLASSES)


def log(name: str) -> None:
    model = fitted()
    signature = infer_signature(FEATURES, model.predict(FEATURES))
    # To find them out takes MLflow a quarter of a minute.
    needed = ["scikit-learn"]
    mlflow.sklearn.log_model(model, name=name, signature=signature, pip_requirements=needed)


def by_hand() -> None:
    """With what a version has besides its model."""
    with mlflow.start_run(tags={"mlflow.source.git.commit": "c0ffee"}):
        source = "https://data.example/iris.csv"
        data = mlflow.data.from_pandas(FEATURES, source=source, name="iris")
        mlflow.log_input(data, context="training")
        mlflow.log_param("C", 1.0)
        mlflow.log_metric("accuracy", 0.5, step=0)
        mlflow.log_metric("accuracy", 0.75, step=1)
        mlflow.log_metric("undefined", float("nan"))
        log("model")


def autolog() -> None:
    mlflow.autolog()
    fitted()


def tuned() -> None:
    with mlflow.start_run():
        for _ in range(2):
            with mlflow.start_run(nested=True):
                log("try")
        log("best")


def two_models() -> None:
    with mlflow.start_run():
        log("model")
        log("explainer")


def failed() -> None:
    with mlflow.start_run():
        mlflow.log_metric("accuracy", 1.0)
        raise SystemExit(0)


def no_model() -> None:
    with mlflow.start_run():
        mlflow.log_metric("accuracy", 1.0)


WAYS: tuple[Callable[[], None], ...] = (by_hand, autolog, tuned, two_models, failed, no_model)

if __name__ == "__main__":
    {way.__name__: way for way in WAYS}[sys.argv[1]]()
