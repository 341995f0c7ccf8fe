"""Object stores: reports that are read there, and data there that train a model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from evenkeel.process.operator import Operator

from tests.support.manifests import manifest
from tests.support.operating import World, schedule, until
from tests.support.s3_store import KEYS, REGION, Store, serving
from tests.support.training_pods import COMPLETE, REPORT

JSON = dict[str, Any]
RUN = "elec-1"


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


async def listed(w: World, operator: Operator, store: Store) -> None:
    """Waits for one more list, to its end."""
    before = len(store.requests)
    ask_again(operator)
    await until(lambda: len(store.requests) > before, "a list")
    await until(lambda: not operator._polls._tasks, "its end")
    await until(lambda: operator._controller.queue.depth() == 0, "what follows")


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


def by_days(store: Store) -> JSON:
    """A schedule whose model is trained on each day that is complete."""
    made = schedule()
    days = {
        "uri": "s3://data/days/",
        "marker": "_SUCCESS",
        "endpoint": store.url,
        "region": REGION,
        "secretName": "s3",
    }
    made["spec"]["triggers"].append({"name": "days", "objects": days})
    made["spec"]["cooldownSeconds"] = 0
    return made


def trigger(w: World) -> JSON:
    found: JSON = w.ns.status("retrain", "RetrainSchedule")["triggers"][1]
    return found


def sources(w: World) -> JSON:
    conditions = w.ns.status("retrain", "RetrainSchedule").get("conditions", ())
    found: JSON = next((c for c in conditions if c["type"] == "SourcesRead"), {})
    return found


async def test_a_day_that_is_complete_trains_once(w: World, store: Store) -> None:
    give_secret(w)
    for key in ("01/part", "01/_SUCCESS"):
        store.put(f"days/{key}")
    async with w.operator() as operator:
        w.ns.create(by_days(store))
        await until(lambda: trigger(w)["lastRevision"]["change"] == 0)
        store.put("days/02/part")
        await listed(w, operator, store)
        assert w.ns.all("TrainingRun") == [], "it is still being written"
        store.put("days/02/_SUCCESS")
        ask_again(operator)
        await until(lambda: w.ns.all("Job"), "the training")
        await listed(w, operator, store)
    (run,) = w.ns.all("TrainingRun")
    cause = run["spec"]["cause"]
    assert (cause["type"], cause["trigger"], cause["change"]) == ("Data", "days", 1)
    assert (cause["objects"]["uri"], cause["objects"]["partition"]) == ("s3://data/days/", "02")
    (job,) = w.ns.all("Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    given = {e["name"]: e.get("value") for e in container["env"]}
    assert given["EVENKEEL_DATA_URI"] == "s3://data/days/"
    assert given["EVENKEEL_DATA_PARTITION"] == "02"
    assert given["EVENKEEL_DATA_DIGEST"] == cause["objects"]["digest"]
    assert (sources(w)["status"], sources(w)["reason"]) == ("True", "Read")
    before, asked = w.ns.versions(), len(store.requests)
    async with w.operator() as operator:
        await until(lambda: len(store.requests) > asked, "a look of the next leader")
        await listed(w, operator, store)
    assert len(w.ns.all("TrainingRun")) == 1
    assert w.ns.versions() == before, "a restart writes nothing"


async def test_a_bucket_in_another_region_is_told(w: World, store: Store) -> None:
    give_secret(w)
    made = by_days(store)
    made["spec"]["triggers"][1]["objects"]["region"] = "us-east-1"
    async with w.operator():
        w.ns.create(made)
        await until(lambda: f"write region: {REGION}" in sources(w).get("message", ""))
        assert sources(w)["reason"] == "SourceAccessDenied"
        ready_ = w.ns.ready("retrain", "RetrainSchedule")
        assert (ready_["status"], ready_["reason"]) == ("True", "Scheduled")
