"""Trainings by runs of Kubeflow Pipelines, behind a server that answers as it does.

The API server is real; Kubeflow's and the store's answers are those of stand-ins.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from evenkeel.process.operator import Operator

from tests.support.manifests import manifest
from tests.support.operating import World, until
from tests.support.operator_process import Process
from tests.support.pipelines_server import Pipelines, pipelines_server, spec
from tests.support.restoring import events
from tests.support.s3_store import Store, serving
from tests.support.training_pods import REPORT

JSON = dict[str, Any]
RUN = "elec-1"
TOKEN = "a-users-token"
WRITES = ("POST", "PATCH", "PUT", "DELETE")


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    async with serving(Store()) as made:
        made.clock, made.public = datetime.now(UTC), True
        yield made


@pytest.fixture
async def kfp() -> AsyncIterator[Pipelines]:
    async with pipelines_server() as made:
        made.upload("elec", spec(c="NUMBER_DOUBLE", evenkeel_run="STRING"))
        yield made


def training_run(kfp: Pipelines, store: Store, more: str = "{}", pipeline: str = "{}") -> JSON:
    made = manifest("TrainingRun", "{}", RUN)
    made["spec"]["training"] = {
        "pipelineRun": {
            "url": kfp.url,
            "pipelineName": "elec",
            "intervalSeconds": 5,
            **yaml.safe_load(pipeline),
        },
        "resultFrom": {"object": {"uri": "s3://data/$(EVENKEEL_RUN).json", "endpoint": store.url}},
        "parameters": {"c": "0.5"},
        **yaml.safe_load(more),
    }
    return made


def ready(w: World) -> tuple[str, str]:
    found = w.ns.ready(RUN, "TrainingRun")
    return str(found.get("reason", "")), str(found.get("message", ""))


def asks(operator: Operator) -> Callable[[], Any]:
    """The next questions come soon, for as long as it is waited."""

    def again() -> None:
        operator._by_name._known._values.clear()
        operator._polls.hint(lambda namespace, poll: True)

    return again


async def seen(w: World, check: Callable[[], Any], again: Callable[[], Any]) -> None:
    """Waits until it holds; it is asked again and again meanwhile."""

    async def asking() -> None:
        while True:
            again()
            await asyncio.sleep(0.5)

    task = asyncio.create_task(asking())
    try:
        await until(check)
    finally:
        task.cancel()


async def test_from_its_creation_to_the_version_that_links_to_it(
    w: World, kfp: Pipelines, store: Store
) -> None:
    async with w.operator() as operator:
        w.ns.create(training_run(kfp, store))
        await until(lambda: w.ns.status(RUN, "TrainingRun")["run"]["lastSeen"] == "PENDING")
        (run,) = kfp.runs.values()
        uid = w.ns.get("TrainingRun", RUN)["metadata"]["uid"]
        assert run["display_name"] == f"{RUN} {uid}"
        assert run["runtime_config"] == {"parameters": {"c": 0.5, "evenkeel_run": RUN}}
        url = f"{kfp.url}/#/runs/details/{run['run_id']}"
        assert w.ns.status(RUN, "TrainingRun")["run"] == {
            "engine": "pipelineRun",
            "name": run["run_id"],
            "url": url,
            "lastSeen": "PENDING",
        }
        await until(lambda: f"PipelineRunCreated {RUN}" in events(w.ns))
        kfp.becomes(run["run_id"], "RUNNING")
        await seen(
            w, lambda: ready(w) == ("Running", f"run {run['run_id']}: RUNNING"), asks(operator)
        )
        kfp.becomes(run["run_id"], "SUCCEEDED")
        await seen(w, lambda: ready(w)[0] == "AwaitingResult", asks(operator))
        store.put(f"{RUN}.json", REPORT)
        await seen(w, lambda: ready(w)[0] == "Succeeded", asks(operator))
        (version,) = w.ns.all("ModelVersion")
        assert version["spec"]["run"] == {
            "engine": "pipelineRun",
            "name": run["run_id"],
            "url": url,
        }
        assert version["spec"]["trainedTime"] == run["finished_at"]
        await until(
            lambda: url in w.ns.status(version["metadata"]["name"], "ModelVersion")["lineage"]
        )
        await until(lambda: not operator._polls._inquiries, "nothing is asked any more")
    assert (len(kfp.runs), kfp.terminated) == (1, [])


async def test_what_is_in_the_way_is_told_and_passes(
    w: World, kfp: Pipelines, store: Store
) -> None:
    """A page to log in, users that may not, a server that is down: before it begins and after."""
    login = web.Response(text="<html>Log in</html>", content_type="text/html")
    faults: dict[str, tuple[web.Response, str]] = {
        "SourceNotUnderstood": (login, "as a page to log in does"),
        "SourceUnavailable": (web.Response(status=503, text="no healthy upstream"), "no healthy"),
        "SourceAccessDenied": (
            web.json_response(
                {"code": 7, "message": "User 'ada' is not authorized", "details": []}, status=403
            ),
            "User 'ada' is not authorized",
        ),
    }
    async with w.operator() as operator:
        for began in (False, True):
            for reason, (answer, words) in faults.items():
                kfp.fault = lambda request, told=answer: web.Response(  # type: ignore[misc]
                    status=told.status, body=told.body, content_type=told.content_type
                )
                if not began and not w.ns.all("TrainingRun"):
                    w.ns.create(training_run(kfp, store))
                await seen(
                    w,
                    lambda r=reason, s=words: ready(w)[0] == r and s in ready(w)[1],  # type: ignore[misc]
                    asks(operator),
                )
                assert w.ns.ready(RUN, "TrainingRun")["status"] == "Unknown"
            kfp.fault = lambda request: None
            await seen(w, lambda: ready(w)[0] == "Pending", asks(operator))
            assert len(kfp.runs) == 1


async def test_what_the_server_refuses_is_final(w: World, kfp: Pipelines, store: Store) -> None:
    async with w.operator():
        w.ns.create(training_run(kfp, store, "parameters: {c: much}"))
        await until(lambda: ready(w)[0] == "InvalidTemplate")
        assert "parameter c: the pipeline wants a number, not 'much'" in ready(w)[1]
        w.server.kubectl("-n", w.ns.name, "delete", "trainingrun", RUN)
        w.ns.create(training_run(kfp, store, "parameters: {c: '1', colour: red}"))
        await until(lambda: ready(w)[0] == "InvalidTemplate")
        assert "parameter(s) provided are not required by pipeline: colour" in ready(w)[1]
    assert kfp.runs == {}


async def test_one_that_vanishes_is_lost_and_none_is_made_in_its_place(
    w: World, kfp: Pipelines, store: Store
) -> None:
    async with w.operator():
        w.ns.create(training_run(kfp, store))
        await until(lambda: w.ns.status(RUN, "TrainingRun")["run"]["name"])
    kfp.runs.clear()
    async with w.operator():
        await until(lambda: ready(w)[0] == "PipelineRunLost")
    assert kfp.runs == {}


async def test_the_run_s_own_time_out_ends_it_there_once_it_can_be_reached(
    w: World, kfp: Pipelines, store: Store
) -> None:
    async with w.operator() as operator:
        w.ns.create(training_run(kfp, store, "timeoutSeconds: 4"))
        await until(lambda: w.ns.status(RUN, "TrainingRun")["run"]["name"])
        (run,) = kfp.runs.values()
        kfp.fault = lambda request: web.Response(status=503)
        # An answer from after the deadline is waited for, for a minute and two intervals.
        await until(lambda: ready(w)[0] == "TimedOut", seconds=180)
        assert kfp.terminated == []
    kfp.fault = lambda request: None
    async with w.operator() as operator:
        await until(lambda: kfp.terminated == [run["run_id"]], "another process ends it as well")
        kfp.becomes(run["run_id"], "CANCELED")
        await seen(
            w,
            lambda: w.ns.status(RUN, "TrainingRun")["run"]["lastSeen"] == "CANCELED",
            asks(operator),
        )
        assert ready(w)[0] == "TimedOut"
        await until(lambda: not operator._polls._inquiries)


async def test_a_newer_run_of_the_schedule_ends_the_one_that_it_replaces(
    w: World, kfp: Pipelines, store: Store
) -> None:
    def of_the_schedule(name: str, *replaces: str) -> JSON:
        made = training_run(kfp, store)
        made["metadata"] = {"name": name, "labels": {"evenkeel.dev/schedule": "retrain"}}
        made["spec"] |= {"schedule": "retrain", "replaces": [*replaces]}
        return made

    async with w.operator():
        w.ns.create(of_the_schedule(RUN))
        await until(lambda: w.ns.status(RUN, "TrainingRun")["run"]["name"])
        first = w.ns.status(RUN, "TrainingRun")["run"]["name"]
        w.ns.create(of_the_schedule("elec-2", RUN))
        await until(lambda: ready(w)[0] == "Replaced")
        await until(lambda: kfp.terminated == [first])
        await until(lambda: w.ns.status("elec-2", "TrainingRun")["run"]["name"])
    assert [run["state"] for run in kfp.runs.values()] == ["CANCELING", "PENDING"]


@pytest.mark.parametrize("cascade", ["background", "foreground"])
async def test_a_run_that_is_deleted_is_ended_there(
    w: World, kfp: Pipelines, store: Store, cascade: str
) -> None:
    async with w.operator() as operator:
        w.ns.create(training_run(kfp, store))
        await until(lambda: w.ns.status(RUN, "TrainingRun")["run"]["name"])
        (run,) = kfp.runs.values()
        w.server.kubectl(
            *("-n", w.ns.name, "delete", "trainingrun", RUN, f"--cascade={cascade}", "--wait=false")
        )
        await until(lambda: kfp.terminated == [run["run_id"]])
        if cascade == "foreground":
            # No garbage collector is here to take its own finalizer away.
            (left,) = w.ns.all("TrainingRun")
            assert left["metadata"]["finalizers"] == ["foregroundDeletion"]
            w.ns.patch("TrainingRun", RUN, {"metadata": {"finalizers": None}})
        await until(lambda: w.ns.all("TrainingRun") == [], "no finalizer keeps it")
        await until(lambda: not operator._polls._inquiries)


async def test_its_users_are_known_by_the_secret_s_token(w: World, store: Store) -> None:
    async with pipelines_server(users={TOKEN: {"ml"}}) as kfp:
        kfp.upload("elec", spec(c="NUMBER_DOUBLE"), namespace="ml")
        kfp.experiment("nightly", "ml")
        where = "{secretName: kfp, namespace: ml, experimentName: nightly}"
        async with w.operator() as operator:
            w.ns.create(training_run(kfp, store, pipeline=where))
            await until(lambda: "there is no Secret 'kfp'" in ready(w)[1])
            assert kfp.requests == []
            w.server.kubectl(
                *("-n", w.ns.name, "create", "secret", "generic", "kfp"),
                f"--from-literal=token={TOKEN}",
            )
            await seen(w, lambda: w.ns.status(RUN, "TrainingRun")["run"]["name"], asks(operator))
        assert len(kfp.runs) == 1
        assert TOKEN not in str(w.ns.get("TrainingRun", RUN))


async def test_killed_before_or_after_any_write_it_is_made_once(
    w: World, kfp: Pipelines, store: Store, tmp_path: Path
) -> None:
    """SIGKILL at each write to the API server, and before and after Kubeflow has made the run."""
    process = Process(w.environment(tmp_path, wired=True))
    writes, kills = 0, 0

    def fault(method: str, path: str) -> str | int | None:
        nonlocal writes, kills
        if method not in WRITES or ("/trainingruns" not in path and "/modelversions" not in path):
            return None
        writes += 1
        if writes % 2 or kills >= 8:
            return None
        kills += 1
        process.kill()
        return 500 if kills % 2 else "lose"

    made: list[str] = []

    def dies(request: web.Request) -> web.StreamResponse | None:
        """The first time before it is made."""
        if request.method == "POST" and not request.path.endswith(":terminate"):
            made.append(request.path)
            if len(made) == 1:
                process.kill()
                return web.Response(status=500)
        return None

    def dies_after(request: web.Request) -> bool:
        if request.method == "POST" and len(made) == 2:
            process.kill()
            return True
        return False

    w.wire.fault, kfp.fault, kfp.lose = fault, dies, dies_after

    async def keep_running() -> None:
        while True:
            await process.start()
            await process.ended()

    running = asyncio.create_task(keep_running())
    try:
        w.ns.create(training_run(kfp, store))
        await until(lambda: len(made) == 2 and kfp.runs, "it is made", 90)
        (run,) = kfp.runs.values()
        await until(lambda: w.ns.status(RUN, "TrainingRun").get("run", {}).get("name"), "", 90)
        kfp.becomes(run["run_id"], "SUCCEEDED")
        store.put(f"{RUN}.json", REPORT)
        await until(lambda: ready(w)[0] == "Succeeded", "", 120)
    finally:
        running.cancel()
        w.wire.fault = lambda method, path: None
        await process.terminate()
    assert kills >= 3
    assert [*kfp.runs] == [run["run_id"]]
    assert w.ns.status(RUN, "TrainingRun")["run"]["name"] == run["run_id"]
    assert len(w.ns.all("ModelVersion")) == 1
