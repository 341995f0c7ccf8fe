"""What a training has logged: the run that has its tag, and the model of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from math import isfinite
from typing import Any

from evenkeel.adapters.mlflow.server import (
    ABSENT,
    COMMIT,
    JSON,
    Server,
    error_code,
    tags_of,
    text,
)
from evenkeel.adapters.source import NotUnderstood
from evenkeel.adapters.words import one_line
from evenkeel.outside.mlflow import Logged, LoggedBy, Unclear, Unlogged

PARENT = "mlflow.parentRunId"
CONTEXT = "mlflow.data.context"
MOST_RUNS = 20
MOST_MODELS = 16
RUNS = 2**22
"""Bytes of an answer with runs."""

_MODEL = re.compile(r"^m-[0-9a-f]{32}$")
_EXPERIMENT = re.compile(r"^[0-9A-Za-z_-]{1,64}$")


async def logged(server: Server, question: LoggedBy) -> Logged | Unlogged | Unclear:
    """The run and its model. Raises SourceError."""
    reply = await server.get("experiments/get-by-name", experiment_name=question.experiment)
    if reply.status == 404 and error_code(reply) == ABSENT:
        return Unlogged(server.said(reply))
    found = server.read(reply).get("experiment")
    experiment = text(found, "experiment_id", reply) if isinstance(found, dict) else ""
    if not _EXPERIMENT.match(experiment):
        raise NotUnderstood(f"{reply.url}: the answer is none of MLflow's")
    runs = await _runs(server, question, experiment)
    finished = [run for run in runs if _told(run, "status") == "FINISHED"]
    if not finished:
        known = ", ".join(f"{_id(run)} is {_told(run, 'status')}" for run in runs[:3])
        return Unlogged(f"no run of it has finished; {known or 'there is none'}")
    # Others may prepare data, or evaluate.
    run, *others = [run for run in finished if _models(run)] or finished
    beside = [other for other in others if _ended(other) > _begun(run)]
    if beside:
        return Unclear(
            f"runs {_id(run)} and {_id(beside[0])} were made at one time; log one run, and others "
            "nested in it"
        )
    model = await _model(server, question, run)
    if not isinstance(model, dict):
        return model
    return _logged(server, experiment, run, model)


async def _runs(server: Server, question: LoggedBy, experiment: str) -> list[JSON]:
    """Those with the tag that are nested in none, the one that ended last first."""
    key, value = question.tag
    asked = {
        "experiment_ids": [experiment],
        "filter": f"tags.`{key}` = '{value}'",
        "order_by": ["attributes.end_time DESC"],
        "max_results": MOST_RUNS,
    }
    reply = await server.send("runs/search", asked, limit=RUNS)
    found = server.read(reply).get("runs", [])
    try:
        runs = [run for run in found if PARENT not in tags_of(run["data"])]
        # Runs that go on have no end, and stores put them where they like.
        return sorted(runs, key=lambda run: (_ended(run), _begun(run)), reverse=True)
    except (TypeError, KeyError, AttributeError, ValueError):
        raise NotUnderstood(f"{reply.url}: a run in the answer is none of MLflow's") from None


async def _model(server: Server, question: LoggedBy, run: JSON) -> JSON | Unlogged | Unclear:
    """The model's description."""
    models = []
    for model_id in _models(run):
        reply = await server.get(f"logged-models/{model_id}")
        try:
            info = server.read(reply)["model"]["info"]
            text(info, "artifact_uri", reply)
            models.append({**info, "model_id": model_id})
        except (TypeError, KeyError, AttributeError):
            raise NotUnderstood(f"{reply.url}: the answer is none of MLflow's") from None
    named = [m for m in models if question.model in ("", m.get("name"))]
    if not named:
        known = ", ".join(sorted({one_line(str(m.get("name")), 60) for m in models}))
        said = f"its models are {known}" if known else "it has logged no model"
        wanted = f" {question.model}" if question.model else ""
        return Unlogged(f"run {_id(run)} has no model{wanted}: {said}")
    names = sorted({one_line(str(m.get("name")), 60) for m in named})
    if len(names) > 1 or (len(named) > 1 and not question.model):
        return Unclear(
            f"run {_id(run)} has logged {len(named)} models ({', '.join(names)}); name one "
            "in training.resultFrom.mlflow.model"
        )
    # Of one name the last is meant: those before are checkpoints.
    last: JSON = named[-1]
    if last.get("status") != "LOGGED_MODEL_READY":
        return Unlogged(f"model {names[0]} of run {_id(run)} is {last.get('status')}")
    return last


def _models(run: JSON) -> list[str]:
    """The IDs of what it has logged, the last step last."""
    found = []
    with suppress(AttributeError, TypeError):
        for output in run.get("outputs", {}).get("model_outputs", ()):
            found.append((int(output.get("step", 0)), str(output.get("model_id", ""))))
    ordered = [one for _, one in sorted(found, key=lambda step: step[0]) if _MODEL.match(one)]
    return list(dict.fromkeys(ordered))[-MOST_MODELS:]


def _logged(server: Server, experiment: str, run: JSON, model: JSON) -> Logged:
    data = run["data"]
    return Logged(
        server.access.url,
        experiment,
        _id(run),
        model["model_id"],
        model["artifact_uri"],
        metrics=tuple(sorted(_metrics(data.get("metrics", ())))),
        parameters=tuple(sorted(_texts(data.get("params", ()), "key", "value"))),
        data=tuple(_datasets(run)),
        commit=one_line(str(tags_of(data).get(COMMIT, "")), 64),
        workspace=server.workspace,
    )


def _metrics(told: Iterable[Any]) -> Iterator[tuple[str, float]]:
    """Those that are numbers; NaN and infinity judge nothing."""
    for metric in told:
        with suppress(ValueError, TypeError, KeyError):
            name, value = str(metric["key"]), float(metric["value"])
            if isfinite(value):
                yield name, value


def _datasets(run: JSON) -> Iterator[tuple[str, str]]:
    """Those of the training, or all where none is called that."""
    inputs = (run.get("inputs") or {}).get("dataset_inputs", ())
    training = [one for one in inputs if tags_of(one).get(CONTEXT) in ("training", "train")]
    return _texts([one.get("dataset", {}) for one in training or inputs], "name", "digest")


def _texts(told: Iterable[Any], first: str, second: str) -> Iterator[tuple[str, str]]:
    for one in told:
        with suppress(TypeError, KeyError):
            yield str(one[first]), str(one[second])


def _told(run: JSON, name: str) -> str:
    return one_line(str(run["info"].get(name, "")), 40)


def _id(run: JSON) -> str:
    return _told(run, "run_id")


def _begun(run: JSON) -> int:
    return int(run["info"].get("start_time") or 0)


def _ended(run: JSON) -> int:
    return int(run["info"].get("end_time") or 0)
