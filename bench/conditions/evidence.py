"""Conditions of what the verdict sees: counters, scrapes, crashes, warm-up."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bench.conditions.condition import Condition
from bench.conditions.servers import Incident, Server
from bench.conditions.trial import Trial
from bench.conditions.verdict import BAD, GOOD, NEVER

JSON = dict[str, Any]
FINE = Server()
"""One of a thousand requests fails, which is acceptable at the defaults."""
USUAL = Server(errors=0.01)
FIVE, TEN = Server(errors=0.05), Server(errors=0.10)
_SLOW = Server(slow=0.10)


def pair(canary: Server, stable: Server = FINE) -> dict[str, Server]:
    """The servers of the canary and of stable."""
    return {"stable": stable, "canary": canary}


def _indicators(*indicators: JSON, **more: Any) -> JSON:
    return {"analysis": {"indicators": list(indicators), **more}}


LATENCY = {"name": "latency", "thresholdSeconds": "0.5"}
_SELECTED = 'namespace="{{namespace}}",pod=~"{{pods}}"'
BY_POD = {
    "name": "failures",
    "total": f"sum by (pod) (app_requests_total{{{_SELECTED}}})",
    "bad": f"sum by (pod) (app_failures_total{{{_SELECTED}}})",
}
BY_SERIES = {
    "name": "failures",
    "total": f"sum by (pod, client) (app_requests_total{{{_SELECTED}}})",
    "bad": f"sum by (pod, client) (app_failures_total{{{_SELECTED}}})",
}


def _spoken(metrics: str) -> list[JSON]:
    return [{"name": "SIDE", "value": "stable"}, {"name": "METRICS", "value": metrics}]


def _plain(indicator: JSON) -> JSON:
    return {"env": _spoken("plain"), **_indicators(indicator)}


async def _shared_incident(trial: Trial) -> None:
    """Both versions fail for some seconds while the canary is judged."""
    if await trial.stepping():
        await asyncio.sleep(1 + 3 * trial.world.chance.random())
        begin = time.time()
        trial.model.incidents.append(Incident(begin, begin + 15, 0.3))


async def _incident_at_a_step(trial: Trial) -> None:
    """Both versions fail for some seconds just as the canary gets a greater share."""
    if await trial.until(lambda: trial.canary.get("step") == 1, 120):
        await asyncio.sleep(2 * trial.world.chance.random())
        begin = time.time()
        trial.model.incidents.append(Incident(begin, begin + 15, 0.3))


async def _bursts(trial: Trial) -> None:
    """Both versions fail for 3 s, again and again."""
    while trial.end() == "Held":
        begin = time.time()
        trial.model.incidents = [Incident(begin, begin + 3, 0.2)]
        await asyncio.sleep(6 + 4 * trial.world.chance.random())


async def _prometheus_forgets(trial: Trial) -> None:
    """Prometheus restarts with an empty store, once, while all are judged."""
    if trial.model.name == "m0":
        await trial.stepping()
        await asyncio.sleep(4)
        await trial.world.servers["own"].empty()


async def _threshold(trial: Trial) -> None:
    """A user lowers the latency's threshold in mid-rollout, and raises it again."""
    if await trial.stepping():
        await asyncio.sleep(1 + 2 * trial.world.chance.random())
        await trial.patch(_indicators(LATENCY | {"thresholdSeconds": "0.25"}))
        await asyncio.sleep(1 + 2 * trial.world.chance.random())
        await trial.patch(_indicators(LATENCY | {"thresholdSeconds": "1"}))


async def _waves(trial: Trial) -> None:
    """The requests come in waves, so that what runs ahead of the total changes all the time."""
    model, mean, high = trial.model, trial.model.rate, True
    while trial.end() == "Held":
        model.advance(time.time())
        model.rate = mean * (1.8 if high else 0.2)
        model.divide(time.time())
        high = not high
        await asyncio.sleep(2 + 2 * trial.world.chance.random())


_TRITON: JSON = {
    "runtime": {"kind": "ClusterServingRuntime", "name": "triton"},
    "model": {"uri": "pvc://models/2", "format": {"name": "onnx"}},
}
_OPEN_TRITON: JSON = {
    "runtime": _TRITON["runtime"],
    "model": {"uri": "pvc://models/1", "format": {"name": "onnx"}},
    "env": _spoken("openmetrics"),
}
_COLD = Server(cold_seconds=4, cold_errors=0.5)
_WARM_UP = {"rollout": {"warmUpSeconds": 4}}

CONDITIONS = (
    Condition("clean-good", "control: nothing is wrong", GOOD, pair(FINE)),
    Condition("clean-bad-5", "control: 1 % becomes 5 %", BAD, pair(FIVE, USUAL)),
    Condition("clean-bad-10", "control: 1 % becomes 10 %", BAD, pair(TEN, USUAL)),
    Condition(
        "scrapes-good",
        "scrapes of 5, 15 and 30 s, a warm-up of 4 s in which half of the requests fail",
        GOOD,
        pair(_COLD),
        ways=("5s", "15s", "30s"),
        seconds=200,
        spec=_WARM_UP,
    ),
    Condition(
        "scrapes-bad",
        "the same scrapes, 1 % becomes 5 %",
        BAD,
        pair(FIVE, USUAL),
        ways=("5s", "15s", "30s"),
        seconds=200,
    ),
    Condition(
        "ha-good",
        "two Prometheus replicas out of phase answer by chance; errors in the warm-up",
        GOOD,
        pair(_COLD),
        ways=("ha-5s", "ha-15s"),
        seconds=170,
        spec={"rollout": {"warmUpSeconds": 20}},
    ),
    Condition(
        "ha-bad",
        "the same pair, 1 % becomes 5 %",
        BAD,
        pair(FIVE, USUAL),
        ways=("ha-5s", "ha-15s"),
        seconds=150,
    ),
    Condition(
        "lag-good",
        "answers are 10 s old, as by remote write",
        GOOD,
        pair(_COLD),
        ways=("lag",),
        seconds=90,
        spec=_WARM_UP,
    ),
    Condition("lag-bad", "the same, 1 % becomes 5 %", BAD, pair(FIVE, USUAL), ways=("lag",)),
    Condition(
        "lost-scrapes-good",
        "20 % of scrapes fail or come too late",
        GOOD,
        pair(Server(scrape_failures=0.2), Server(scrape_failures=0.2)),
        seconds=90,
    ),
    Condition(
        "lost-scrapes-bursts-good",
        "the same while both versions fail by 20 % for 3 s again and again",
        GOOD,
        pair(Server(scrape_failures=0.2), Server(scrape_failures=0.2)),
        ways=("1s", "5s"),
        seconds=300,
        script=_bursts,
    ),
    Condition(
        "lost-scrapes-bad",
        "20 % of scrapes fail, 1 % becomes 5 %",
        BAD,
        pair(Server(errors=0.05, scrape_failures=0.2), Server(errors=0.01, scrape_failures=0.2)),
        seconds=90,
    ),
    Condition(
        "incident-good",
        "both versions fail by 30 % for 15 s, with scrapes of 1 and 5 s",
        GOOD,
        pair(FINE),
        ways=("1s", "5s"),
        seconds=300,
        script=_shared_incident,
    ),
    Condition(
        "incident-slow-good",
        "the same with scrapes of 15 and 30 s",
        GOOD,
        pair(FINE),
        ways=("15s", "30s"),
        seconds=240,
        script=_shared_incident,
    ),
    Condition(
        "incident-step-good",
        "the same as the canary's share grows from a fifth to a half",
        GOOD,
        pair(FINE),
        ways=("15s", "30s"),
        seconds=360,
        replicas=4,
        spec={
            "rollout": {
                "steps": [{"weight": 25, "pauseSeconds": 5}, {"weight": 99, "pauseSeconds": 5}]
            }
        },
        script=_incident_at_a_step,
    ),
    Condition(
        "cold-20-good",
        "the first 20 requests of every process are slow",
        GOOD,
        pair(Server(cold_requests=20), Server(cold_requests=20)),
        seconds=90,
        spec=_indicators(LATENCY) | {"rollout": {"warmUpSeconds": 2}},
    ),
    Condition(
        "cold-100-good",
        "the first 100 requests of every process are slow, two steps with new pods in each",
        GOOD,
        pair(Server(cold_requests=100), Server(cold_requests=100)),
        seconds=120,
        replicas=4,
        spec=_indicators(LATENCY)
        | {
            "rollout": {
                "warmUpSeconds": 2,
                "steps": [
                    {"weight": 20, "pauseSeconds": 5},
                    {"weight": 50, "pauseSeconds": 5},
                ],
            }
        },
    ),
    Condition("slow-bad", "a tenth becomes slow", BAD, pair(_SLOW), spec=_indicators(LATENCY)),
    Condition(
        "crashes-bad",
        "one request of 100 ends the canary's process",
        BAD,
        pair(Server(errors=0.0, crash=0.01, start=0.5), FINE),
        seconds=100,
        rate=150,
    ),
    Condition(
        "lead-good",
        "the canary's counters of good requests run 1.5 s ahead of the total, stable's 0.1 s",
        GOOD,
        pair(Server(lead=1.5), Server(lead=0.1)),
        script=_waves,
        spec=_indicators(LATENCY),
    ),
    Condition(
        "lead-bad",
        "the same, a tenth is slow",
        BAD,
        pair(Server(lead=1.5, slow=0.1), Server(lead=0.1)),
        script=_waves,
        spec=_indicators(LATENCY),
    ),
    Condition(
        "many-series-good",
        "over 512 series a side, since the query sums up by client",
        GOOD,
        pair(Server(clients=260), Server(clients=300)),
        ways=("5s",),
        seconds=120,
        spec=_plain(BY_SERIES),
    ),
    Condition(
        "many-series-bad",
        "the same, 1 % becomes 10 %",
        BAD,
        pair(Server(errors=0.1, clients=260), Server(errors=0.01, clients=300)),
        ways=("5s",),
        seconds=120,
        spec=_plain(BY_SERIES),
    ),
    Condition(
        "other-runtime-good",
        "from MLServer to Triton, 2 % of bad requests on both",
        GOOD,
        pair(Server(errors=0.02), Server(errors=0.02)),
        rate=900,
        seconds=300,
        edit=_TRITON,
    ),
    Condition(
        "other-runtime-bad",
        "from MLServer to Triton, 1 % becomes 10 %",
        BAD,
        pair(TEN, USUAL),
        edit=_TRITON,
    ),
    Condition(
        "openmetrics-good",
        "Triton's counters in OpenMetrics: with the suffix _total, and beside them _created",
        GOOD,
        pair(FINE),
        spec=_OPEN_TRITON,
    ),
    Condition(
        "openmetrics-bad",
        "the same, 1 % becomes 5 %",
        BAD,
        pair(FIVE, USUAL),
        spec=_OPEN_TRITON,
    ),
    Condition(
        "openmetrics-latency-good",
        "MLServer's counters and histogram in OpenMetrics",
        GOOD,
        pair(FINE),
        spec={**_indicators({"name": "errors"}, LATENCY), "env": _spoken("openmetrics")},
    ),
    Condition(
        "openmetrics-latency-bad",
        "the same, a tenth becomes slow",
        BAD,
        pair(_SLOW),
        spec={**_indicators({"name": "errors"}, LATENCY), "env": _spoken("openmetrics")},
    ),
    Condition(
        "threshold-edited-good",
        "the threshold is lowered in mid-rollout, which makes 30 % slow on both sides, then raised",
        GOOD,
        pair(Server(slow=0.001, middling=0.3), Server(slow=0.001, middling=0.3)),
        spec=_indicators(LATENCY) | {"rollout": {"steps": [{"weight": 34, "pauseSeconds": 12}]}},
        seconds=100,
        script=_threshold,
    ),
    Condition(
        "forgetful-good",
        "Prometheus restarts with an empty store in mid-rollout",
        GOOD,
        pair(FINE),
        ways=("own",),
        seconds=120,
        rate=600,
        spec={"rollout": {"steps": [{"weight": 34, "pauseSeconds": 20}]}},
        script=_prometheus_forgets,
    ),
    Condition(
        "nan-waits",
        "the canary's counter of failures is NaN",
        NEVER,
        pair(Server(errors=0.5, odd="nan")),
        seconds=40,
        spec=_plain(BY_POD),
    ),
    Condition(
        "negative-waits",
        "the canary's counter of failures is -1",
        NEVER,
        pair(Server(errors=0.5, odd="negative")),
        seconds=40,
        spec=_plain(BY_POD),
    ),
    Condition(
        "vanishing-waits",
        "the canary's counter of failures vanishes after a few seconds",
        NEVER,
        pair(Server(errors=0.004, odd="vanishes"), Server(errors=0.0)),
        seconds=60,
        spec=_plain(BY_POD),
    ),
)
