"""What a real Prometheus answers to the queries about canaries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from evenkeel.adapters.access import Access
from evenkeel.adapters.answer import QueryRefused
from evenkeel.adapters.prometheus import Prometheus
from evenkeel.api import ClusterServingRuntime
from evenkeel.api.analysis import IndicatorSpec
from evenkeel.verdict.gateway_indicators import GATEWAYS
from evenkeel.verdict.indicators import Queries, Side, resolve
from evenkeel.verdict.meter_indicators import METER
from evenkeel.verdict.queries import Moment, Question, by_part, joined, seen
from evenkeel.verdict.sample_times import sample_times
from evenkeel.verdict.samples import Look, Reading, Unobserved

from dev.paths import RUNTIMES
from tests.support.real_prometheus import RealPrometheus, prometheus

CANARY, STABLE = "fraud-aaaa", "fraud-bbbb"
C1, C2, S = f"{CANARY}-7d9f-aaaaa", f"{CANARY}-7d9f-bbbbb", f"{STABLE}-7d9f-aaaaa"

TEXT = """
# TYPE requests_total counter
requests_total{{code="200"}} {good}
requests_total{{code="500"}} {bad}
# TYPE m_success_total counter
m_success_total {good}
# TYPE m_failure_total counter
m_failure_total {bad}
"""


def exposed(good: int, bad: int) -> str:
    return TEXT.format(good=good, bad=bad)


class Shop:
    """A Prometheus that scrapes a canary's two pods and one of stable."""

    def __init__(self, server: RealPrometheus) -> None:
        self.server, self.access = server, Access(server.url, guarded=False)
        self.adapter = Prometheus()
        self.asked = 0.0

    async def seen(self, *questions: Question) -> list[Look | Unobserved]:
        self.asked = time.time()
        answer = await self.adapter.ask(self.access, joined([q.text() for q in questions]))
        parts = by_part(answer.samples)
        return [seen(q, parts, Moment(self.asked), {}) for q in questions]

    async def look(self, question: Question) -> Look:
        (found,) = await self.seen(question)
        assert isinstance(found, Look), found
        return found

    async def scrapes(self) -> dict[str, float]:
        """When each pod was scraped last."""
        answer = await self.adapter.ask(self.access, "timestamp(m_success_total)")
        return {labels["pod"]: value for labels, value in answer.samples}

    async def scraped(self, pods: set[str]) -> None:
        """Waits until the requests of just these pods are there."""
        async with asyncio.timeout(60):
            while True:
                answer = await self.adapter.ask(self.access, 'requests_total{code="200"}')
                if {labels["pod"] for labels, _ in answer.samples} == pods:
                    return
                await asyncio.sleep(0.1)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with prometheus(tmp_path, C1, C2, S) as server:
        server.targets = {C1: exposed(90, 10), C2: exposed(45, 5), S: exposed(970, 30)}
        made = Shop(server)
        await made.scraped({C1, C2, S})
        yield made
        await made.adapter.close()


def question(total: str, good: str, id_: str = "q", *, own: bool = False) -> Question:
    """The word PODS stands for the revision's pods."""
    sides = (
        Queries(
            "errors",
            total.replace("PODS", f'pod=~"{revision}-.+"'),
            good=good.replace("PODS", f'pod=~"{revision}-.+"'),
            revision=revision,
        )
        for revision in (CANARY, STABLE)
    )
    return Question(id_, *sides, own=own)


CODE = question(
    "sum by (pod) (requests_total{PODS})", 'sum by (pod) (requests_total{PODS,code="200"})'
)


def counts(look: Look) -> dict[str, tuple[int, int | None]]:
    return {
        key.removeprefix("pod="): (reading.total, reading.counted)
        for side in (look.canary, look.stable)
        for key, reading in side.items()
    }


FORMS = {
    "sums": CODE,
    "a tenant's own": question(
        CODE.canary.total.replace(f'pod=~"{CANARY}-.+"', "PODS"),
        'sum by (pod) (requests_total{PODS,code="200"})',
        own=True,
    ),
    "selectors": question("requests_total{PODS}", 'requests_total{PODS,code="200"} # ok'),
    "sums of two": question(
        "sum by (pod) (m_success_total{PODS}) + sum by (pod) (m_failure_total{PODS})",
        "sum by (pod) (m_success_total{PODS})",
    ),
    "a choice of names": question(
        'sum by (pod) ({__name__=~"m_(success|failure)_total",PODS})',
        'sum by (pod) ({__name__=~"m_success(_total)?",PODS})',
    ),
    "names of selectors": question(
        '{__name__=~"m_(success|failure)_total",PODS}', "m_success_total{PODS}"
    ),
    "a difference": question(
        "sum by (pod) (requests_total{PODS})",
        'sum by (pod) (requests_total{PODS}) - sum by (pod) (requests_total{PODS,code="500"})',
    ),
    "sums without": question(
        "sum without (code, instance, job) (requests_total{PODS})",
        'sum without (code, instance, job) (requests_total{PODS,code!="500"})',
    ),
    "quoted names": question(
        'sum by ("pod") ({"requests_total",PODS})',
        "sum by (pod) ({'requests_total',PODS,\"code\"=`200`})",
    ),
}


@pytest.mark.parametrize("form", FORMS)
async def test_counters_of_each_pod_with_the_time_of_its_scrape(shop: Shop, form: str) -> None:
    before = await shop.scrapes()
    look = await shop.look(FORMS[form])
    after = await shop.scrapes()
    assert counts(look) == {C1: (100, 90), C2: (50, 45), S: (1000, 970)}
    for key, reading in {**look.canary, **look.stable}.items():
        pod = key.removeprefix("pod=")
        assert reading.time is not None
        assert before[pod] <= reading.time <= after[pod]
        assert reading.counted_time == reading.time


async def test_a_failed_scrape_takes_a_pod_away_and_others_go_on(shop: Shop) -> None:
    before = await shop.look(CODE)
    shop.server.targets[C2] = None
    await shop.scraped({C1, S})
    async with asyncio.timeout(60):
        while (await shop.scrapes())[C1] == before.canary[f"pod={C1}"].time:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    after = await shop.look(CODE)
    assert after.canary.keys() == {f"pod={C1}"}
    assert after.canary[f"pod={C1}"].total == before.canary[f"pod={C1}"].total


async def test_names_of_metrics_would_collide_but_for_their_own_selectors(shop: Shop) -> None:
    with pytest.raises(QueryRefused, match="same labelset"):
        await shop.adapter.ask(
            shop.access, 'timestamp({__name__=~"m_(success|failure)_total",pod=~".+"})'
        )


async def test_hundreds_of_parts_are_one_query(shop: Shop) -> None:
    questions = [
        Question(f"q{number}", *((CODE.canary, CODE.stable)[:: 1 if number % 2 else -1]))
        for number in range(100)
    ]
    found = await shop.seen(*questions)
    for number, look in enumerate(found):
        assert isinstance(look, Look)
        sides = (look.canary, look.stable)[:: 1 if number % 2 else -1]
        assert [len(side) for side in sides] == [2, 1]
        assert sides[1][f"pod={S}"][:2] == (1000, 970)


async def test_one_wrong_query_makes_the_whole_be_refused(shop: Shop) -> None:
    with pytest.raises(QueryRefused, match="nosuch"):
        await shop.seen(CODE, question("nosuch(requests_total)", "requests_total", "q2"))


async def test_two_metrics_alike_but_for_their_names_are_added(shop: Shop) -> None:
    look = await shop.look(FORMS["names of selectors"])
    assert look.stable == {
        f"pod={S}": Reading(
            1000, 970, look.stable[f"pod={S}"].time, look.stable[f"pod={S}"].counted_time
        )
    }


async def test_not_a_number_and_no_series_void_the_look(shop: Shop) -> None:
    nan, none = await shop.seen(
        question("requests_total{PODS} * NaN", "requests_total{PODS}", "q1"),
        question("nowhere_seconds_count{PODS}", "nowhere_seconds_bucket{PODS}", "q2"),
    )
    assert isinstance(nan, Unobserved)
    assert nan.reason == "NotANumber"
    assert isinstance(none, Unobserved)
    assert none.reason == "NoData"
    assert "native histogram" in none.message


SERVED = """
# TYPE evenkeel_model_streams_total counter
evenkeel_model_streams_total{{end="done"}} {good}
evenkeel_model_streams_total{{end="error"}} 2
evenkeel_model_streams_total{{end="broken"}} {bad}
evenkeel_model_streams_total{{end="client"}} 1000
# TYPE evenkeel_model_time_per_output_token_seconds histogram
evenkeel_model_time_per_output_token_seconds_bucket{{le="0.03"}} {good}
evenkeel_model_time_per_output_token_seconds_bucket{{le="0.04"}} 100
evenkeel_model_time_per_output_token_seconds_bucket{{le="+Inf"}} 100
evenkeel_model_time_per_output_token_seconds_count 100
evenkeel_model_time_per_output_token_seconds_sum 9
# TYPE vllm:request_success_total counter
vllm:request_success_total{{engine="0",finished_reason="stop"}} {good}
vllm:request_success_total{{engine="0",finished_reason="abort"}} {bad}
vllm:request_success_total{{engine="1",finished_reason="length"}} 7
vllm:request_success_total{{engine="1",finished_reason="error"}} 1
# TYPE vllm:inter_token_latency_seconds histogram
vllm:inter_token_latency_seconds_bucket{{engine="0",le="0.05"}} {good}
vllm:inter_token_latency_seconds_bucket{{engine="0",le="+Inf"}} 100
vllm:inter_token_latency_seconds_count{{engine="0"}} 100
vllm:inter_token_latency_seconds_sum{{engine="0"}} 9
"""


@pytest.mark.parametrize(
    ("source", "name", "threshold", "canary", "stable"),
    [
        ("Meter", "stream-errors", None, (92, 80), (97, 95)),
        ("Meter", "time-per-output-token", "0.03", (100, 80), (100, 95)),
        ("Runtime", "stream-errors", None, (98, 87), (103, 102)),
        ("Runtime", "inter-token-latency", "0.05", (100, 80), (100, 95)),
    ],
)
async def test_streamed_answers_are_counted_by_their_end_and_pace(
    tmp_path: Path,
    source: str,
    name: str,
    threshold: str | None,
    canary: tuple[int, int],
    stable: tuple[int, int],
) -> None:
    runtime = yaml.safe_load((RUNTIMES / "vllm.yaml").read_text())
    metrics = ClusterServingRuntime.model_validate(runtime).spec.metrics
    spec = IndicatorSpec.model_validate(
        {"name": name, "source": source, "thresholdSeconds": threshold}
    )
    sides = [
        resolve(spec, metrics, Side("shop", "fraud", revision, meter=True))
        for revision in (CANARY, STABLE)
    ]
    async with prometheus(tmp_path, C1, S) as server:
        server.targets = {C1: SERVED.format(good=80, bad=10), S: SERVED.format(good=95, bad=0)}
        shop = Shop(server)
        ready = 'vllm:inter_token_latency_seconds_count{pod!=""}'
        async with asyncio.timeout(60):
            while len((await shop.adapter.ask(shop.access, ready)).samples) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        one, other = sides
        assert isinstance(one, Queries)
        assert isinstance(other, Queries)
        look = await shop.look(Question("q", one, other))
        assert counts(look) == {C1: canary, S: stable}
        await shop.adapter.close()


def shipped() -> list[Queries]:
    """Every query that ships, filled in."""
    found: list[Queries] = []
    side = Side("shop", "fraud", CANARY)
    runtimes = [
        ClusterServingRuntime.model_validate(yaml.safe_load(file.read_text()))
        for file in sorted(RUNTIMES.glob("*.yaml"))
        if file.name != "kustomization.yaml"
    ]
    for metrics in [r.spec.metrics for r in runtimes]:
        assert metrics is not None
        for query in metrics.indicators:
            threshold = {"thresholdSeconds": query.thresholds[0]} if query.thresholds else {}
            spec = IndicatorSpec.model_validate({"name": query.name, **threshold})
            one = resolve(spec, metrics, side)
            assert isinstance(one, Queries), one
            found.append(one)
    for source, known in {**GATEWAYS, "Meter": METER}.items():
        for query in known:
            threshold = {"thresholdSeconds": query.thresholds[0]} if query.thresholds else {}
            spec = IndicatorSpec.model_validate({"name": query.name, "source": source, **threshold})
            one = resolve(spec, None, side._replace(meter=True, labels=True))
            assert isinstance(one, Queries), one
            found.append(one)
    return found


async def test_every_shipped_query_can_be_evaluated_with_its_times(shop: Shop) -> None:
    questions = [Question(f"q{n}", one, one) for n, one in enumerate(shipped())]
    assert len(questions) > 10
    for found in await shop.seen(*questions):
        assert isinstance(found, Unobserved)
        assert found.reason == "NoData"
    assert all(sample_times(q.canary.counted) for q in questions)
