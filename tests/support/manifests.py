"""Smallest valid manifests of every kind, and changes to them, for the API tests."""

from __future__ import annotations

import copy
from typing import Any

import yaml
from evenkeel.api import API_VERSION

JSON = dict[str, Any]

MINIMAL: dict[str, JSON] = {
    kind: {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": "example"},
        "spec": yaml.safe_load(spec),
    }
    for kind, spec in {
        "ModelDeployment": """
            model: {follow: fraud}
        """,
        "RetrainSchedule": """
            model: fraud
            triggers:
            - name: nightly
              cron: {schedule: 0 3 * * *}
            training:
              podTemplate:
                spec:
                  containers:
                  - {name: trainer, image: trainer}
        """,
        "TrainingRun": """
            model: fraud
            training:
              podTemplate:
                spec:
                  containers:
                  - {name: trainer, image: trainer}
        """,
        "ModelVersion": """
            model: fraud
            uri: s3://models/fraud/1
            format: {name: sklearn}
        """,
        "ServingRuntime": """
            containers:
            - {name: model, image: mlserver}
        """,
        "ClusterServingRuntime": """
            containers:
            - {name: model, image: mlserver}
        """,
        "IndicatorTemplate": """
            total: t
            good: g
        """,
        "ClusterIndicatorTemplate": """
            total: t
            good: g
        """,
        "ModelRegistry": """
            mlflow: {url: 'http://mlflow:5000'}
        """,
    }.items()
}

CANARY = """
    model: {follow: fraud}
    rollout:
      steps: [{weight: 10}, {weight: 50}]
    analysis:
      indicators: [{name: errors}]
"""


def manifest(kind: str, spec: str = "", name: str = "example") -> JSON:
    """The smallest valid manifest with the top-level fields of `spec` (YAML) put over it.

    A field set to null is removed.
    """
    made = copy.deepcopy(MINIMAL[kind])
    made["metadata"]["name"] = name
    made["spec"] |= yaml.safe_load(spec) or {} if spec else {}
    made["spec"] = {k: v for k, v in made["spec"].items() if v is not None}
    return made
