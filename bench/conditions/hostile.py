"""Conditions of the way to Prometheus: tenants, slowness, lies, hostility."""

from __future__ import annotations

from bench.conditions.condition import Condition
from bench.conditions.evidence import FINE, FIVE, USUAL
from bench.conditions.proxies import TENANT
from bench.conditions.servers import Server
from bench.conditions.trial import Trial
from bench.conditions.verdict import BAD, GOOD, NEVER, Bound

MEMORY = 512
"""MiB of the operator's container, by the chart's default."""
TOO_LARGE = Bound("over 512 MiB", 0.0, fault="over 512 MiB")
HELD_UP = Bound("held up", 0.01, fault="held up")
JUDGED_BLINDLY = Bound("promoted blindly", 0.0, fault="promoted blindly")


def _pair(canary: Server, stable: Server = FINE) -> dict[str, Server]:
    return {"stable": stable, "canary": canary}


def _neighbours(trial: Trial) -> str:
    """Hostile ways promote nobody, and hold nobody else up."""
    if trial.world.most_memory > MEMORY:
        return "over 512 MiB"
    if trial.way == "1s":
        return "" if trial.end() == "Promoted" else "held up"
    return "promoted blindly" if trial.end() == "Promoted" else ""


CONDITIONS = (
    Condition(
        "slow-prometheus-good",
        "Prometheus takes 4 s to answer",
        GOOD,
        _pair(FINE),
        ways=("slow",),
        seconds=100,
    ),
    Condition(
        "slow-prometheus-bad",
        "the same, 1 % becomes 5 %",
        BAD,
        _pair(FIVE, USUAL),
        ways=("slow",),
    ),
    Condition(
        "tenant-good",
        "Prometheus answers tenants only; the analysis names the header",
        GOOD,
        _pair(FINE),
        ways=("tenant",),
        spec={
            "analysis": {"prometheus": {"headers": [{"name": TENANT, "value": "models"}]}},
        },
    ),
    Condition(
        "lying-waits",
        "Prometheus answers NaN, infinity, negative and huge values; half of the requests fail",
        NEVER,
        _pair(Server(errors=0.5)),
        ways=("lying",),
        seconds=40,
    ),
    Condition(
        "hostile-neighbours",
        "two of three ways to Prometheus drip or answer with a gzip bomb; the others are served",
        (JUDGED_BLINDLY, HELD_UP, TOO_LARGE),
        _pair(FINE),
        ways=("1s", "drip", "bomb"),
        seconds=90,
        check=_neighbours,
        alone=True,
    ),
)
