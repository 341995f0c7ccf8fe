"""1,000 canaries looked at each second, while two other Prometheus servers are slow and drip."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

from evenkeel.adapters.access import Access
from evenkeel.adapters.answer import Answer
from evenkeel.adapters.prometheus import Prometheus as Adapter
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.prometheus import Prometheus
from evenkeel.api.servingruntime import MetricQuery, RuntimeMetrics, ServingRuntimeSpec
from evenkeel.controllers.looks.looks import Looked, Looks
from evenkeel.controllers.modeldeployment.wanted_looks import wanted_looks
from evenkeel.meta.objects import Key
from evenkeel.serving.runtime_selection import Selected
from evenkeel.verdict.samples import Unobserved

from bench.process import Row, free_port

CANARIES = 1000
OTHERS = 20
"""Canaries of each of the other servers."""
SECONDS = 20
METRICS = RuntimeMetrics.model_validate(
    {
        "indicators": [
            {
                "name": "errors",
                "total": 'sum by (pod) ({__name__=~"model_infer_request_(success|failure)_total",'
                'namespace="{{namespace}}",pod=~"{{pods}}",model="{{deployment}}"})',
                "good": 'sum by (pod) (model_infer_request_success_total{namespace="{{namespace}}",'
                'pod=~"{{pods}}",model="{{deployment}}"})',
            }
        ]
    }
)
RUNTIME = Selected(
    "ClusterServingRuntime",
    "bench",
    ServingRuntimeSpec(containers=({"name": "model"},), metrics=METRICS),
)
PLATFORM: frozenset[MetricQuery] = frozenset(METRICS.indicators)


def deployment(number: int, namespace: str) -> ModelDeployment:
    """One with a canary on trial."""
    name, now = f"model-{number}", "2026-01-31T09:00:00Z"
    return ModelDeployment.model_validate(
        {
            "metadata": {"name": name, "namespace": namespace, "uid": name},
            "spec": {
                "model": {"uri": "s3://m/b", "format": {"name": "sklearn"}},
                "analysis": {"indicators": [{"name": "errors"}]},
            },
            "status": {
                "stable": {"revision": f"{name}-0123456789"},
                "canary": {
                    "revision": f"{name}-9876543210",
                    "stage": "Stepping",
                    "startTime": now,
                    "stageTime": now,
                },
            },
        }
    )


class Watched:
    """Looks at canaries of several servers, with the times at which each canary was looked at."""

    def __init__(self, urls: dict[str, str]) -> None:
        self.adapter = Adapter()
        self.looked: dict[Key, list[float]] = defaultdict(list)
        self.queries: dict[str, int] = defaultdict(int)
        self.told = 0
        self._access = {ns: Access(url, guarded=False) for ns, url in urls.items()}
        self.looks = Looks(Looked(self._ask, self._reach, self._pods, lambda *_: True, self._queue))

    def want(self, number: int, namespace: str) -> None:
        """Registers a canary, as each of its reconciles does."""
        md = deployment(number, namespace)
        wanted = wanted_looks(md, RUNTIME, PLATFORM)
        assert wanted is not None
        self.looks.want(wanted.key, wanted)

    async def _ask(self, access: Access, query: str, *, tenant: str = "") -> Answer:
        self.queries[access.url] += 1
        return await self.adapter.ask(access, query, tenant=tenant)

    async def _reach(self, namespace: str, spec: Prometheus) -> Access | Unobserved:
        return self._access[namespace.split("-")[0]]

    def _pods(self, key: Key, revisions: tuple[str, str]) -> dict[str, float | None]:
        self.looked[key].append(time.monotonic())
        return {}

    def _queue(self, key: Key, urgent: bool) -> None:
        self.told += 1


async def _figures(urls: dict[str, str]) -> tuple[float, float, float]:
    """Seconds of processor for 1,000 looks, queries a second to the quick server, and the time
    within which 99 % of its canaries are looked at again (s)."""
    watched = Watched(urls)
    for number in range(CANARIES):
        watched.want(number, f"quick-{number % 50}")
    for name in urls.keys() - {"quick"}:
        for number in range(OTHERS):
            watched.want(number, f"{name}-0")
    loop = asyncio.create_task(watched.looks.run())
    await asyncio.sleep(5)
    began, processor = time.monotonic(), time.process_time()
    queries = watched.queries[urls["quick"]]
    await asyncio.sleep(SECONDS)
    seconds = time.monotonic() - began
    processor = time.process_time() - processor
    looks = sum(t >= began for times in watched.looked.values() for t in times)
    rate = (watched.queries[urls["quick"]] - queries) / seconds
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    await watched.adapter.close()
    gaps = [
        later - earlier
        for key, times in watched.looked.items()
        if key.namespace.startswith("quick")
        for earlier, later in pairwise([began, *(t for t in times if t >= began), began + seconds])
    ]
    return 1000 * processor / looks, rate, sorted(gaps)[int(len(gaps) * 0.99)]


@contextmanager
def _servers(*delays: str) -> Iterator[list[str]]:
    ports = [free_port() for _ in delays]
    processes = [
        subprocess.Popen([sys.executable, "-m", "bench.looked_at", str(port), delay])
        for port, delay in zip(ports, delays, strict=True)
    ]
    try:
        time.sleep(2)
        yield [f"http://127.0.0.1:{port}" for port in ports]
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def measure() -> list[Row]:
    """What looks cost, and whether slow servers delay those of a quick one."""
    with _servers("0") as urls:
        processor, rate, gap = asyncio.run(_figures({"quick": urls[0]}))
    with _servers("0", "4", "drip") as urls:
        names = ("quick", "slow", "drip")
        beside = asyncio.run(_figures(dict(zip(names, urls, strict=True))))
    return [
        Row("looks: processor for 1,000 canaries", f"{processor:.2f} s", "< 1 s", processor < 1),
        Row("looks: queries a second to one Prometheus", f"{rate:.1f}", "<= 20", rate <= 20),
        Row("looks: 99 % are taken again within", f"{gap:.2f} s", "<= 2 s", gap <= 2),
        Row("looks: the same beside slow servers", f"{beside[0]:.2f} s", "< 1 s", beside[0] < 1),
        Row(
            "looks: 99 % taken again beside slow servers",
            f"{beside[2]:.2f} s",
            "<= 2 s",
            beside[2] <= 2,
        ),
    ]


if __name__ == "__main__":
    for row in measure():
        print(f"{row.name:<52}{row.value:>14}{row.target:>14}")
