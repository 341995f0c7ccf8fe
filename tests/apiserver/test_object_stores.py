"""Object stores that trainings report to: from the trainer's end to the version."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from evenkeel.process.operator import Operator

from tests.support.api_server import ApiServer
from tests.support.manifests import manifest
from tests.support.operating import World, until, world
from tests.support.s3_store import KEYS, REGION, Store, serving
from tests.support.training_pods import REPORT

JSON = dict[str, Any]
RUN = "elec-1"
COMPLETE = {
    "status": {
        "startTime": "2026-01-31T09:00:00Z",
        "completionTime": "2026-01-31T09:01:00Z",
        "succeeded": 1,
        "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": "2026-01-31T09:01:00Z"}
            for kind in ("SuccessCriteriaMet", "Complete")
        ],
    }
}


@pytest.fixture
async def w(api_server: ApiServer, namespace: str) -> AsyncIterator[World]:
    async with world(api_server, namespace) as made:
        yield made


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    async with serving(Store()) as made:
        made.clock = datetime.now(UTC)
        yield made


def reporting(store: Store) -> JSON:
    """A run whose trainer reports to the store."""
    made = manifest("TrainingRun", "{}", RUN)
    place = {
        "uri": "s3://data/$(EVENKEEL_RUN).json",
        "endpoint": store.url,
        "region": REGION,
        "secretName": "s3",
    }
    made["spec"]["training"]["resultFrom"] = {"object": place}
    return made


def give_secret(w: World) -> None:
    w.server.kubectl(
        *("-n", w.ns.name, "create", "secret", "generic", "s3"),
        *(f"--from-literal=AWS_ACCESS_KEY_ID={KEYS.id}",),
        *(f"--from-literal=AWS_SECRET_ACCESS_KEY={KEYS.secret}",),
    )


def ask_again(operator: Operator) -> None:
    """The next question comes at once."""
    operator._by_name._known._values.clear()
    assert operator._polls.hint(lambda namespace, poll: poll.kind == "s3") == 1


def ready(w: World) -> tuple[str, str]:
    found = w.ns.ready(RUN, "TrainingRun")
    return found.get("reason", ""), found.get("message", "")


async def trained(w: World) -> None:
    """The Job of the run succeeds."""
    await until(lambda: w.ns.all("Job"), "the Job")
    w.ns.patch("Job", RUN, COMPLETE, "status")
    await until(lambda: ready(w)[0] == "AwaitingResult")


async def test_a_report_is_waited_for_and_becomes_a_version(w: World, store: Store) -> None:
    async with w.operator() as operator:
        w.ns.create(reporting(store))
        await trained(w)
        await until(lambda: "there is no Secret 's3'" in ready(w)[1])
        assert store.requests == []
        give_secret(w)
        ask_again(operator)
        await until(lambda: "The specified key does not exist." in ready(w)[1])
        (job,) = w.ns.all("Job")
        (container,) = job["spec"]["template"]["spec"]["containers"]
        given = {e["name"]: e.get("value") for e in container["env"]}
        assert given["EVENKEEL_RESULT_URI"] == f"s3://data/{RUN}.json"
        w.server.kubectl("-n", w.ns.name, "delete", "job", RUN)
    store.put(f"{RUN}.json", REPORT)
    async with w.operator() as operator:
        await until(lambda: ready(w)[0] == "Succeeded")
        (version,) = w.ns.all("ModelVersion")
        assert version["spec"]["uri"] == "s3://m/1"
        assert version["spec"]["trainedTime"] == "2026-01-31T09:01:00Z"
        await until(lambda: not operator._polls._inquiries, "nothing is asked any more")
    assert w.ns.all("Job") == [], "nothing is trained twice"
    assert KEYS.secret not in str(w.ns.get("TrainingRun", RUN))


async def test_a_report_that_is_none_ends_the_run(w: World, store: Store) -> None:
    give_secret(w)
    store.put(f"{RUN}.json", "x" * 70_000)
    async with w.operator():
        w.ns.create(reporting(store))
        await until(lambda: w.ns.all("Job"), "the Job")
        w.ns.patch("Job", RUN, COMPLETE, "status")
        await until(lambda: ready(w)[0] == "InvalidResult")
        assert f"the report at s3://data/{RUN}.json is larger than 64 KiB" in ready(w)[1]
    assert w.ns.all("ModelVersion") == []
