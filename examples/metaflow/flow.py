"""Trains, judges and publishes a classifier of tumours: an ordinary Metaflow flow.

Its ties to Evenkeel are the profile beside the model, and the artifact `evenkeel_result` of its
last step.
"""

import io

import joblib
from evenkeel.trainer.profile import profile
from metaflow import S3, FlowSpec, Parameter, current, step
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

RADIUS = 0
"""Column of the mean radius."""


class TumourFlow(FlowSpec):
    C = Parameter("C", default=1.0, type=float, help="Inverse strength of regularization")
    models = Parameter("models", default="s3://models/tumours", help="Where models are put")

    @step
    def start(self):
        """Holds a third back to judge on."""
        data = load_breast_cancer()
        self.names = data.feature_names
        self.train_x, self.test_x, self.train_y, self.test_y = train_test_split(
            data.data, data.target, test_size=1 / 3, random_state=0, stratify=data.target
        )
        self.next(self.train)

    @step
    def train(self):
        self.model = make_pipeline(StandardScaler(), LogisticRegression(C=self.C))
        self.model.fit(self.train_x, self.train_y)
        self.next(self.judge)

    @step
    def judge(self):
        """Overall, and apart for small and large tumours, which are not equally hard."""
        predicted = self.model.predict(self.test_x)
        probability = self.model.predict_proba(self.test_x)[:, 1]
        self.metrics = {
            "accuracy": accuracy_score(self.test_y, predicted),
            "roc_auc": roc_auc_score(self.test_y, probability),
        }
        large = self.test_x[:, RADIUS] > 14
        self.slices = {
            name: {
                "samples": int(chosen.sum()),
                "metrics": {"accuracy": accuracy_score(self.test_y[chosen], predicted[chosen])},
            }
            for name, chosen in {"small": ~large, "large": large}.items()
        }
        self.next(self.publish)

    @step
    def publish(self):
        """Each run's model has an address of its own, which a resumed run does not share."""
        self.uri = f"{self.models}/{current.run_id}"
        content = io.BytesIO()
        joblib.dump(self.model, content)
        reference = profile(self.train_x, self.model.predict(self.train_x), names=self.names)
        with S3(s3root=self.uri) as store:
            store.put("model.joblib", content.getvalue())
            store.put("evenkeel-profile.json", reference.text())
        self.next(self.end)

    @step
    def end(self):
        self.evenkeel_result = {
            "uri": self.uri,
            "format": "sklearn",
            "format_version": "1",
            "metrics": self.metrics,
            "slices": self.slices,
            "data_revision": "breast-cancer-wisconsin",
        }


if __name__ == "__main__":
    TumourFlow()
