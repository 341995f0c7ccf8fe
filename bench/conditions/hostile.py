"""Conditions of the way to Prometheus: tenants, slowness, lies, hostility."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bench.conditions.alerting import Measured, beside
from bench.conditions.condition import Condition, Figures
from bench.conditions.evidence import FINE, FIVE, USUAL, pair
from bench.conditions.proxies import PASSWORD, TENANT, USER
from bench.conditions.servers import Server
from bench.conditions.trial import Trial
from bench.conditions.verdict import BAD, GOOD, NEVER, Bound

if TYPE_CHECKING:
    from bench.conditions.world import World

JSON = dict[str, Any]

GROWTH = 64.0
"""MiB that hostile neighbours may cost."""
ALERT = 0.25
"""Seconds from an alert until its TrainingRun is there, where the machine is quick enough
without hostile neighbours."""
SLOWED = 2.0
"""Times as long as without hostile neighbours that an alert may take."""
ALERTS = 40
SPREAD = 6.0
"""Seconds until all rollouts have begun and Prometheus is asked about them."""
HOSTILE = ("drip", "bomb", "huge", "heads", "unasked", "lying")
SILENT = "CanaryReady"
"""The reason of a canary of which nothing has been seen."""
NOT_TOLD = Bound("not told", 0.0, fault="not told")
NOT_MEASURED = Bound("not measured", 0.0, fault="not measured")
MORE_MEMORY = Bound("over 64 MiB more", 0.0, fault="memory")
ALERT_LATE = Bound("alert over 250 ms", 0.0, fault="alert late")
ALERT_SLOWED = Bound("alert 2 x slower", 0.0, fault="alert slowed")
HELD_UP = Bound("held up", 0.01, fault="held up")
JUDGED_BLINDLY = Bound("promoted blindly", 0.0, fault="promoted blindly")


async def _watched(trial: Trial) -> None:
    """While the others are on trial, alerts come; once, and by one of the rollouts."""
    world, condition = trial.world, trial.condition
    if trial.model.name != "m0":
        return
    await asyncio.sleep(SPREAD)
    delays = await beside(str(world.plane.kubeconfig), world.webhook, condition.namespace, ALERTS)
    world.measured[condition.name] = Measured(world.peak(), delays)


def _neighbours(trial: Trial) -> str:
    """Hostile ways promote nobody, and hold nobody else up."""
    if trial.way in HOSTILE:
        if trial.end() == "Promoted":
            return "promoted blindly"
        return "not told" if trial.canary.get("reason") == SILENT else ""
    return "held up" if trial.way == "1s" and trial.end() != "Promoted" else ""


def _process(trial: Trial) -> str:
    """What the hostile ones cost the process, against the condition without them."""
    condition, measured = trial.condition, trial.world.measured
    quiet, here = measured.get(condition.after), measured.get(condition.name)
    if quiet is None or here is None:
        return "not measured"
    if here.memory - quiet.memory > GROWTH:
        return "memory"
    if here.p99 > max(ALERT, SLOWED * quiet.p99):
        return "alert late"
    return "alert slowed" if here.median > SLOWED * quiet.median else ""


def _measured(trial: Trial) -> str:
    return "" if trial.condition.name in trial.world.measured else "not measured"


def _both(trial: Trial) -> str:
    return _process(trial) or _neighbours(trial)


def _figures(name: str, than: str = "") -> Figures:
    def figures(world: World) -> Iterator[str]:
        here, quiet = world.measured.get(name), world.measured.get(than)
        if here is not None:
            yield (
                f"the operator had {here.memory:.0f} MiB at most; {len(here.delays)} alerts had "
                f"their TrainingRun within {1000 * here.median:.0f} ms (median), "
                f"{1000 * here.p99:.0f} ms (p99)"
            )
        if here is not None and quiet is not None:
            yield (
                f"against the same without them: {here.memory - quiet.memory:+.0f} MiB, times "
                f"{here.median / quiet.median:.2f} (median), {here.p99 / quiet.p99:.2f} (p99)"
            )

    return lambda world: tuple(figures(world))


_TENANT: JSON = {"analysis": {"prometheus": {"headers": [{"name": TENANT, "value": "models"}]}}}
_SECRET: JSON = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "prometheus"},
    "stringData": {"user": USER, "password": PASSWORD},
}
_BASIC: JSON = {
    "analysis": {
        "prometheus": {
            "basicAuth": {
                "username": {"name": "prometheus", "key": "user"},
                "password": {"name": "prometheus", "key": "password"},
            }
        }
    }
}

CONDITIONS = (
    Condition(
        "slow-prometheus-good",
        "Prometheus takes 4 s to answer",
        GOOD,
        pair(FINE),
        ways=("slow",),
        seconds=100,
    ),
    Condition(
        "slow-prometheus-bad",
        "the same, 1 % becomes 5 %",
        BAD,
        pair(FIVE, USUAL),
        ways=("slow",),
    ),
    Condition(
        "tenant-good",
        "Prometheus answers tenants only; the analysis names the header",
        GOOD,
        pair(FINE),
        ways=("tenant",),
        spec=_TENANT,
    ),
    Condition(
        "tenant-bad",
        "the same, 1 % becomes 5 %",
        BAD,
        pair(FIVE, USUAL),
        ways=("tenant",),
        spec=_TENANT,
    ),
    Condition(
        "basic-auth-good",
        "Prometheus asks for a user and a password, which the analysis takes from a Secret",
        GOOD,
        pair(FINE),
        ways=("basic",),
        spec=_BASIC,
        objects=(_SECRET,),
    ),
    Condition(
        "basic-auth-bad",
        "the same, 1 % becomes 5 %",
        BAD,
        pair(FIVE, USUAL),
        ways=("basic",),
        spec=_BASIC,
        objects=(_SECRET,),
    ),
    Condition(
        "lying-waits",
        "Prometheus answers NaN, infinity, negative and huge values; half of the requests fail",
        NEVER,
        pair(Server(errors=0.5)),
        ways=("lying",),
        seconds=40,
    ),
    Condition(
        "quiet-neighbours",
        "what the next one is compared with: all ways to Prometheus are straight; alerts come",
        (*GOOD, NOT_MEASURED),
        pair(FINE),
        seconds=90,
        script=_watched,
        check=_measured,
        figures=_figures("quiet-neighbours"),
        alone=True,
    ),
    Condition(
        "hostile-neighbours",
        "six of eight ways to Prometheus are hostile, one is slow; alerts come",
        (
            JUDGED_BLINDLY,
            NOT_TOLD,
            HELD_UP,
            NOT_MEASURED,
            MORE_MEMORY,
            ALERT_LATE,
            ALERT_SLOWED,
        ),
        pair(FINE),
        ways=("1s", "slow", *HOSTILE),
        seconds=90,
        script=_watched,
        check=_both,
        figures=_figures("hostile-neighbours", "quiet-neighbours"),
        alone=True,
        after="quiet-neighbours",
    ),
)
