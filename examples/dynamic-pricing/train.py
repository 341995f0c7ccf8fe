"""Trains a model of demand by price, and logs it to MLflow; it knows nothing of Kubernetes.

Replace `bookings` by your own data. The rest is what a trainer with MLflow has anyway.
"""

import os

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import PoissonRegressor
from sklearn.metrics import mean_absolute_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

DEGREE = int(os.environ.get("DEGREE", "2"))
WEEKS = int(os.environ.get("WEEKS", "26"))
"""Parameters of the training, as the RetrainSchedule hands them over."""


def bookings(weeks: int) -> pd.DataFrame:
    """Rooms sold an hour by price, days ahead and season; the same every time."""
    draw = np.random.default_rng(7)
    hours = weeks * 168
    price = draw.uniform(40, 240, hours)
    ahead = draw.integers(0, 60, hours).astype(float)
    season = np.sin(2 * np.pi * np.arange(hours) / (52 * 168))
    wanted = 14 * np.exp(-price / 110) * (1 + 0.4 * season) * (1 + ahead / 90)
    return pd.DataFrame(
        {"price": price, "days_ahead": ahead, "season": season, "sold": draw.poisson(wanted)}
    )


def main() -> None:
    data = bookings(WEEKS)
    split = int(len(data) * 0.8)
    train, test = data[:split], data[split:]
    features = ["price", "days_ahead", "season"]
    with mlflow.start_run():
        mlflow.log_params({"degree": DEGREE, "weeks": WEEKS})
        mlflow.log_input(mlflow.data.from_pandas(train, name="bookings"), context="training")
        model = make_pipeline(PolynomialFeatures(DEGREE), StandardScaler(), PoissonRegressor())
        model.fit(train[features], train["sold"])
        told = model.predict(test[features])
        mlflow.log_metric("mae", mean_absolute_error(test["sold"], told))
        mlflow.log_metric("bias", float(np.mean(told - test["sold"])))
        mlflow.sklearn.log_model(
            model, name="model", signature=infer_signature(train[features], told)
        )


if __name__ == "__main__":
    main()
