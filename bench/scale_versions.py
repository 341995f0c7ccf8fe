"""Very many versions of one model: what one costs, a start with them, and settling new ones."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import yaml
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.resources import OWN
from evenkeel.controllers import kinds, modelversion
from evenkeel.controllers.kind import Context
from evenkeel.kube.client import ApiError, Client
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.meta.resources import EVENT
from evenkeel.meta.times import timestamp
from evenkeel.versions.plan import VersionSnapshot, plan_version

from bench.cluster import Cluster, Written, cluster
from bench.process import MEBIBYTE, Row, at_most, until
from dev.paths import ROOT

JSON = dict[str, Any]
KIND = OWN["ModelVersion"]
PARALLEL = 50
LOOKS = 300


def measure(short: bool) -> list[Row]:
    """All figures on versions."""
    with cluster() as made:
        held = 2_000 if short else 50_000
        rows = _cost() + _start(made, held)
    with cluster() as made:
        return rows + _settling(made, 200 if short else 1_000)


def _version(number: int, model: str = "fraud") -> JSON:
    return {
        "apiVersion": KIND.api_version,
        "kind": KIND.kind,
        "metadata": {"name": f"{model}-{number}", "namespace": "default"},
        "spec": {
            "model": model,
            "uri": f"s3://models/{model}/{number}",
            "format": {"name": "sklearn", "version": "1"},
            "metrics": [{"name": "accuracy", "value": "0.91"}, {"name": "auc", "value": "0.87"}],
            "gates": [{"name": "good", "metric": "accuracy", "min": "0.8"}],
            "approval": {"mode": "Automatic"},
        },
    }


def _settled(number: int) -> JSON:
    made = _version(number)
    now = datetime.now(UTC)
    known = {"generation": 1, "creationTimestamp": timestamp(now)}
    parsed = ModelVersion.model_validate({**made, "metadata": {**made["metadata"], **known}})
    plan = plan_version(VersionSnapshot(parsed, (), now))
    made["metadata"]["annotations"] = dict(plan.annotations)
    return {**made, "status": plan.status.wire()}


def _cost() -> list[Row]:
    """What a reconcile costs beside 10 and beside 10,000 others."""
    few, many = (_store(number) for number in (10, 10_000))
    ratio = min(_look(many) for _ in range(5)) / min(_look(few) for _ in range(5))
    return [at_most("a reconcile beside 10,000 versions to one beside 10", ratio, 1.3, "", 2)]


def _store(number: int) -> Store:
    made = Store(indexed=kinds.indexed(), indices=kinds.indices())
    for n in range(number):
        version = _settled(n)
        version["metadata"] |= {"uid": f"u{n}", "resourceVersion": str(n + 1), "generation": 1}
        made.put(KIND.kind, version)
    return made


def _look(store: Store) -> float:
    context = Context(None, store, None, None, None, None, None, None)  # type: ignore[arg-type]

    async def look() -> None:
        for n in range(LOOKS):
            key = Key(KIND.kind, "default", f"fraud-{n % 10}")
            await modelversion.reconcile(context, key, store.get(key) or {}, None)

    started = time.perf_counter()
    asyncio.run(look())
    return time.perf_counter() - started


def _start(made: Cluster, held: int) -> list[Row]:
    """From the start of the process until it has looked at all, and a new one is settled."""
    asyncio.run(_preload(made, held))
    with made.operator() as operator:
        taken = operator.led_after
        settled = asyncio.run(_post(1, first=held))
        until(lambda: operator.metric("evenkeel_queue_depth") == 0)
        return [
            at_most(f"start with {held} versions until it leads", taken, 30, "s"),
            at_most("  a new version is settled after", settled, 5, "s"),
            at_most("  memory at most", operator.peak_rss() / MEBIBYTE, 512, "MiB", 0),
        ]


async def _preload(made: Cluster, held: int) -> None:
    """Versions with their status; without that subresource one write makes both."""
    file = ROOT / "crds" / "modelversions.yaml"
    crd = yaml.safe_load(file.read_text())
    crd["spec"]["versions"][0].pop("subresources")
    made.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump(crd))
    await asyncio.sleep(3)
    async with await Client.from_environment(field_manager="bench") as client:
        await _create(client, [_settled(n) for n in range(held)])
    made.kubectl("apply", "--server-side", "-f", str(file))
    await asyncio.sleep(3)
    async with await Client.from_environment(field_manager="bench") as client, asyncio.timeout(600):
        # With the kind changed, the server reads all its objects into its own memory anew.
        while not await _is_served(client):  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(1)
        await client.list(KIND)


async def _is_served(client: Client) -> bool:
    try:
        await client.request("GET", KIND.path(), query={"limit": "1", "resourceVersion": "0"})
    except ApiError:
        return False
    return True


async def _create(client: Client, versions: list[JSON]) -> None:
    limit = asyncio.Semaphore(PARALLEL)

    async def one(version: JSON) -> None:
        async with limit:
            await client.create(KIND, "default", version)

    await asyncio.gather(*(one(v) for v in versions))


def _settling(made: Cluster, number: int) -> list[Row]:
    """Three times as many new versions of one model, and what each of them costs."""
    with made.operator() as operator:
        before = made.writes()
        spent: list[float] = []
        for part in range(3):
            cpu = operator.cpu_seconds()
            asyncio.run(_post(number, first=part * number))
            told = made.writes()[Written("POST", EVENT.plural)]
            time.sleep(10)
            spent.append(operator.cpu_seconds() - cpu)
        after = made.writes()
    total = 3 * number
    status = after[STATUS] - before[STATUS]
    late = after[Written("POST", EVENT.plural)] - told
    return [
        at_most(
            f"processor time for the last third of {total} new versions to the first",
            spent[-1] / spent[0],
            1.3,
            "",
            2,
        ),
        at_most("  writes of status for each", status / total, 1, "", 2),
        at_most("  Events still sent after the last approval", late, 256, "", 0),
    ]


STATUS = Written("APPLY", f"{KIND.plural}/status")


async def _post(number: int, first: int) -> float:
    """Seconds until new versions are approved."""
    async with await Client.from_environment(field_manager="bench") as client:
        started = time.perf_counter()
        page = await client.request("GET", KIND.path("default"), query={"limit": "1"})
        waiting = {f"fraud-{n}" for n in range(first, first + number)}
        creating = asyncio.create_task(
            _create(client, [_version(n) for n in range(first, first + number)])
        )
        version = page["metadata"]["resourceVersion"]
        async with asyncio.timeout(600):
            async for event in client.watch(KIND, namespace="default", resource_version=version):
                if event["object"].get("status", {}).get("conditions"):
                    waiting.discard(event["object"]["metadata"]["name"])
                if not waiting:
                    break
        await creating
        return time.perf_counter() - started
