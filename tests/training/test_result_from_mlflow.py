"""What a trainer has logged to MLflow becomes its report."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from evenkeel.api.trainingrun import TrainingResult, TrainingRun
from evenkeel.outside.mlflow import Logged, LoggedBy, Unclear, Unlogged
from evenkeel.outside.poll import Poll
from evenkeel.training.engines.job import training_job
from evenkeel.training.record import version_record
from evenkeel.training.result import InvalidResult
from evenkeel.training.results.kind import Absent
from evenkeel.training.results.mlflow import given, place, poll, read
from evenkeel.training.snapshot import RunSnapshot

from tests.support.retraining import TRAINING
from tests.training.test_trainingrun import NOW
from tests.training.test_trainingrun import run as plain_run

JSON = dict[str, Any]
URL = "https://mlflow.example.com/ml"
MODEL = f"m-{1:032x}"
LOGGED = Logged(URL, "7", "r1", MODEL, f"mlflow-artifacts:/7/models/{MODEL}/artifacts")


def run(place: JSON | None = None, **spec: Any) -> TrainingRun:
    where = {"mlflow": {"registry": "mlflow", **(place or {})}}
    return plain_run(training={**TRAINING, "resultFrom": where}, **spec)


def registry(kind: str, name: str) -> JSON | None:
    if (kind, name) != ("ModelRegistry", "mlflow"):
        return None
    spec = {"mlflow": {"url": URL, "workspace": "team-a"}, "secretName": "mlflow"}
    return {"metadata": {"name": "mlflow"}, "spec": spec}


def report(answer: Logged, subject: TrainingRun | None = None) -> TrainingResult:
    found = read(subject or run(), answer)
    assert isinstance(found, TrainingResult)
    return found


def test_what_is_asked() -> None:
    subject = run({"model": "best"})
    uid = ("evenkeel.dev/run-uid", subject.metadata.uid)
    asked = LoggedBy("elec", tag=uid, model="best", workspace="team-a")
    assert poll(subject, registry) == Poll("mlflow", URL, asked, 10.0, "mlflow")
    assert place(subject) == "ModelRegistry mlflow, experiment elec"
    other = poll(run({"experiment": "nightly"}), registry)
    assert isinstance(other, Poll)
    assert isinstance(other.question, LoggedBy)
    assert other.question.experiment == "nightly"


def test_a_registry_that_is_not_there() -> None:
    found = poll(run({"registry": "other"}), registry)
    assert isinstance(found, str)
    assert found.startswith("there is no ModelRegistry 'other' in this namespace; create it")


def test_its_runs_get_a_tag_that_no_other_has() -> None:
    subject = run()
    found = given(subject)
    assert found["MLFLOW_EXPERIMENT_NAME"] == "elec"
    assert json.loads(found["MLFLOW_RUN_CONTEXT"]) == {
        "evenkeel.dev/run": f"{subject.metadata.namespace}/{subject.metadata.name}",
        "evenkeel.dev/run-uid": subject.metadata.uid,
    }
    trainer = training_job(subject)["spec"]["template"]["spec"]["containers"][0]
    assert found.items() <= {e["name"]: e["value"] for e in trainer["env"]}.items()


def test_the_report() -> None:
    logged = Logged(
        *(URL, "7", "r1", MODEL, f"mlflow-artifacts:/7/models/{MODEL}/artifacts"),
        metrics=(("accuracy", 0.9), ("loss", 1e-7)),
        parameters=(("C", "1.0"),),
        data=(("iris", "d1"), ("more", "d2")),
        commit="c0ffee",
    )
    assert report(logged).wire() == {
        "uri": f"mlflow+{URL}/api/2.0/mlflow-artifacts/artifacts/7/models/{MODEL}/artifacts",
        "format": {"name": "mlflow"},
        "metrics": [
            {"name": "accuracy", "value": "0.9"},
            {"name": "loss", "value": "0.0000001"},
        ],
        "slices": [],
        "parameters": {"C": "1.0"},
        "dataRevision": "iris@d1, more@d2",
        "codeRevision": "c0ffee",
        "mlflow": {
            "registry": "mlflow",
            "runID": "r1",
            "modelID": MODEL,
            "url": f"{URL}/#/experiments/7/runs/r1",
        },
    }


def test_what_gates_look_at_is_among_the_metrics() -> None:
    many = tuple((f"a{i:03}", float(i)) for i in range(100))
    told = (*many, ("too large", 1e30), ("x" * 129, 1.0), ("z", 0.5))
    gates = [{"name": "good", "metric": "z", "min": "0.1"}]
    logged = LOGGED.__class__(*(URL, "7", "r1", MODEL, "s3://m/1"), metrics=told)
    found = [m.name for m in report(logged, run(gates=gates)).metrics]
    assert (len(found), found[0], found[1]) == (64, "z", "a000")


def test_parameters_of_the_run_come_first() -> None:
    own = {f"own{i}": "1" for i in range(60)}
    subject = plain_run(training={**TRAINING, "parameters": own})
    parameters = (*((f"x{i}", "é" * 600) for i in range(9)), ("own1", "2"))
    logged = Logged(*(URL, "7", "r1", MODEL, "s3://m/1"), parameters=parameters)
    made = version_record(RunSnapshot(subject, NOW), report(logged), "2026-01-31T09:00:00Z")
    found = made["spec"]["parameters"]
    assert (len(found), found["own1"], len(found["x3"])) == (64, "1", 512)
    assert made["spec"]["mlflow"]["runID"] == "r1"


def test_what_is_missing_and_what_is_unclear() -> None:
    absent = read(run(), Unlogged("there is none"))
    assert isinstance(absent, Absent)
    assert absent.words.startswith("there is none; the trainer has to log to that server")
    with pytest.raises(InvalidResult, match="2 models; name one"):
        read(run(), Unclear("2 models; name one"))


@pytest.mark.parametrize("uri", ["/tmp/mlruns/1", "dbfs:/x", "mlflow-artifacts:/../x"])
def test_what_no_pod_can_fetch(uri: str) -> None:
    with pytest.raises(InvalidResult, match=f"model {MODEL} cannot be served"):
        report(Logged(URL, "7", "r1", MODEL, uri))


@pytest.mark.parametrize(
    ("field", "value"),
    [("uri", f"s3://bucket/{'x' * 3000}"), ("model_id", "m" * 100), ("run_id", "r" * 100)],
)
def test_an_answer_without_measure_is_told(field: str, value: str) -> None:
    changed: JSON = {field: value}
    with pytest.raises(InvalidResult, match=r"what MLflow tells of run r.+ cannot be used: "):
        read(run(), replace(LOGGED, **changed))


def test_what_a_trainer_may_call_things() -> None:
    """Texts that steer no terminal; a page whose address is too long is left out."""
    logged = Logged(
        *(f"{URL}/{'x' * 2040}", "7", "r1", MODEL, "s3://m/1"),
        metrics=(("a\x1b[2J", 1.0), ("b", 2.0)),
        parameters=(("p\x1b", "1"),),
        data=(("iris\x1b[2J\n", "d1"),),
    )
    found = report(logged)
    assert [m.name for m in found.metrics] == ["b"]
    assert (found.parameters, found.data_revision) == ({"p\\x1b": "1"}, "iris\\x1b[2J\\n@d1")
    assert found.mlflow is not None
    assert (found.mlflow.run_id, found.mlflow.url) == ("r1", "")


def test_the_page_of_a_run_in_a_workspace() -> None:
    logged = Logged(*(URL, "7", "r1", MODEL, "s3://m/1"), workspace="team-a")
    tracked = report(logged).mlflow
    assert tracked is not None
    assert tracked.url == f"{URL}/#/experiments/7/runs/r1?workspace=team-a"
