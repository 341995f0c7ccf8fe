"""Trains and evaluates the classifier."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from evenkeel.trainer.profile import Profile, profile
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from demo.data.elec2 import FEATURES, RECORDS_PER_DAY, Elec2
from demo.trainer.window import Window

# Half-hours of a day, [first, last).
SLICES: Mapping[str, tuple[int, int]] = {
    "night": (0, 14),
    "day": (14, 34),
    "evening": (34, 48),
}


@dataclass(frozen=True)
class Slice:
    """Accuracy over the hold-out's records of one part of the day."""

    name: str
    samples: int
    accuracy: float


@dataclass(frozen=True)
class Evaluation:
    """Scores on the hold-out: accuracy and ROC AUC in 0..1, log loss in nats.

    roc_auc is None where the hold-out has one class only.
    """

    accuracy: float
    log_loss: float
    roc_auc: float | None
    slices: tuple[Slice, ...]


class Classifier(Protocol):
    """What scikit-learn's classifiers can do, typed."""

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.int64]: ...

    def predict_proba(self, features: NDArray[np.float64]) -> NDArray[np.float64]: ...


def train(data: Elec2, window: Window, mistake: str) -> Classifier:
    """Fits the model on the window's training part; the same input gives the same model."""
    features = _features(data, window.start, window.split, mistake)
    up = data.up[window.start : window.split]
    if mistake == "inverted-labels":
        up = 1 - up
    # Not the histogram variant: its OpenMP threads wait for each other on a busy small node, which
    # took a single prediction from 1 ms to 1 s.
    model = GradientBoostingClassifier(  # type: ignore[no-untyped-call]
        n_estimators=80, max_depth=5, random_state=0
    )
    fitted: Classifier = model.fit(features, up)
    return fitted


def reference(model: Classifier, data: Elec2, window: Window, mistake: str) -> Profile:
    """What requests are compared with: the training part, and what the model answers to it."""
    features = _features(data, window.start, window.split, mistake)
    names = [*FEATURES, "nswprice_before"][: features.shape[1]]
    return profile(features, model.predict(features), names=names)


def evaluate(model: Classifier, data: Elec2, window: Window, mistake: str) -> Evaluation:
    """Scores the model on the hold-out, with the mistake's own eyes, as its author would."""
    features = _features(data, window.split, window.until, mistake)
    up = data.up[window.split : window.until]
    if mistake == "inverted-labels":
        up = 1 - up
    predicted = model.predict(features)
    probability = model.predict_proba(features)[:, 1]
    period = np.arange(window.split, window.until) % RECORDS_PER_DAY
    slices = []
    for name, (first, last) in SLICES.items():
        chosen = (period >= first) & (period < last)
        if samples := int(chosen.sum()):
            slices.append(Slice(name, samples, float((predicted == up)[chosen].mean())))
    return Evaluation(
        accuracy=float(accuracy_score(up, predicted)),
        log_loss=float(log_loss(up, probability, labels=[0, 1])),
        roc_auc=float(roc_auc_score(up, probability)) if 0 < up.sum() < len(up) else None,
        slices=tuple(slices),
    )


def _features(data: Elec2, first: int, last: int, mistake: str) -> NDArray[np.float64]:
    features = data.features[first:last]
    if mistake == "extra-feature":
        # A column that only the training table has: the price of the half-hour before. Clients
        # send six features, so the served model fails each of their requests.
        before = data.features[max(0, first - 1) : last - 1, FEATURES.index("nswprice")]
        if first == 0:
            before = np.concatenate(([0.0], before))
        features = np.column_stack((features, before))
    return features
