"""A run reads what the operator tells its container."""

from __future__ import annotations

from typing import Any

from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.trainer import Champion, Data, Run, this_run
from evenkeel.training.environment import environment

from tests.support import kubelet_expansion

DATA = {
    "repo": "https://git.example.com/elec.git",
    "branch": "main",
    "rev": "a" * 40,
    "path": "data/train.csv",
    "digest": "md5:" + "0" * 32,
}
CHAMPION = {
    "metadata": {"name": "elec-7", "namespace": "ml"},
    "spec": {"model": "elec", "uri": "s3://models/elec/$(7)", "format": {"name": "sklearn"}},
}


def told(cause: dict[str, Any], champion: ModelVersion | None) -> Run:
    container = {"name": "trainer", "image": "trainer"}
    run = TrainingRun.model_validate(
        {
            "metadata": {"name": "elec-1a", "namespace": "ml", "uid": "u1"},
            "spec": {
                "model": "elec",
                "cause": cause,
                "training": {
                    "parameters": {"EPOCHS": "$(EVENKEEL_RUN)"},
                    "podTemplate": {"spec": {"containers": [container]}},
                },
            },
        }
    )
    env = {"env": environment(run, champion, [])}
    return this_run(kubelet_expansion.environment(env))


def test_all_that_the_operator_tells_is_read() -> None:
    found = told({"type": "Data", "data": DATA}, ModelVersion.model_validate(CHAMPION))
    assert (found.name, found.uid, found.model, found.namespace) == ("elec-1a", "u1", "elec", "ml")
    assert (found.cause["type"], found.cause["data"]["rev"]) == ("Data", DATA["rev"])
    assert found.parameters == {"EPOCHS": "$(EVENKEEL_RUN)"}
    assert found.data == Data(DATA["digest"], DATA["repo"], DATA["rev"], DATA["path"])
    assert found.champion == Champion("elec-7", "s3://models/elec/$(7)")


def test_what_the_operator_does_not_tell_is_absent() -> None:
    found = told({"type": "Manual"}, None)
    assert (found.data, found.champion) == (None, None)


def test_outside_a_run_all_is_empty() -> None:
    assert this_run({}) == Run("", "", "", "", {}, {}, None, None, "")


def test_objects_that_changed_are_data_too() -> None:
    uri, digest = "s3://data/elec/", "sha256:1"
    told = {"EVENKEEL_DATA_URI": uri, "EVENKEEL_DATA_DIGEST": digest}
    assert this_run(told).data == Data(digest, uri=uri)
