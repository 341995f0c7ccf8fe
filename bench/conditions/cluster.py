"""Conditions of the cluster: one GPU, autoscalers, drains."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bench.conditions.condition import Condition, Script
from bench.conditions.evidence import FINE, pair
from bench.conditions.fleet import Member
from bench.conditions.rollouts import OVERLOAD, load
from bench.conditions.servers import Server
from bench.conditions.trial import Trial
from bench.conditions.verdict import GOOD, PROMOTED, UNFINISHED, Bound

JSON = dict[str, Any]
AFTERWARDS = 40.0
"""Seconds in which the old version must serve again."""
_ONE_GPU = {"rollout": {"stopFirst": True, "steps": None, "progressDeadlineSeconds": 15}}
_AUTOSCALED = {
    "autoscaling": {"minReplicas": 2, "maxReplicas": 12},
    "rollout": {
        "steps": [{"weight": 25, "pauseSeconds": 5}, {"weight": 50, "pauseSeconds": 5}],
    },
}
OUT_OF_SERVICE = Bound("out of service", 0.0, fault="out of service")
"""The rollout is over, and what is stable does not serve."""
WRONG_CAUSE = Bound("wrong cause", 0.0, fault="wrong cause")
"""A rollback was put down to the model though the cluster had no room."""
LEFT_OVER = Bound("left over", 0.0, fault="left over")
"""Pods of what was taken back still wait for room."""
NOT_SCALED = Bound("not scaled", 0.0, fault="not scaled")
ENDED = (PROMOTED, UNFINISHED, OUT_OF_SERVICE)


async def _one_gpu(trial: Trial) -> None:
    """Room for one pod; the rollout's end, and what serves then."""
    trial.world.player.room(trial.model, 1)
    await trial.until(lambda: trial.end() != "Held", trial.condition.seconds)
    if await trial.until(trial.serves, AFTERWARDS):
        trial.notes.add("serves")
    if await trial.until(lambda: not _pods(trial, "canary"), AFTERWARDS):
        trial.notes.add("tidy")


def _pods(trial: Trial, side: str) -> list[Member]:
    return [m for m in trial.model.members.values() if m.side == side]


def _serves(trial: Trial) -> str:
    return "" if trial.end() == "Held" or "serves" in trial.notes else "out of service"


def _went_back_well(trial: Trial) -> str:
    if found := _serves(trial):
        return found
    history = trial.status.get("history") or [{}]
    if trial.end() == "RolledBack" and history[0].get("cause") != "Infrastructure":
        return "wrong cause"
    return "left over" if trial.end() == "RolledBack" and "tidy" not in trial.notes else ""


async def _load_grows(trial: Trial) -> None:
    """The requests double within 20 s of the trial, and stay; seen until the old pods are gone."""
    model, first = trial.model, trial.model.rate
    for step in range(1, 21):
        await asyncio.sleep(1)
        model.advance(time.time())
        model.rate = first * (1 + step / 20)
        model.divide(time.time())
    await trial.until(lambda: trial.end() != "Held", trial.condition.seconds)
    await asyncio.sleep(12)
    if len(trial.model.members) > trial.condition.replicas:
        trial.notes.add("scaled")


def _scaled(trial: Trial) -> str:
    return load(trial) or ("" if "scaled" in trial.notes else "not scaled")


def _drained(seconds: float) -> Script:
    async def script(trial: Trial) -> None:
        """The nodes of the canary's pods are drained one after the other."""
        if not await trial.stepping():
            return
        await asyncio.sleep(seconds * trial.world.chance.random())
        for member in _pods(trial, "canary"):
            if member.pod.name in trial.model.members:
                await trial.world.player.evict(trial.model, member)
                await asyncio.sleep(1)

    return script


def _room_for_one(name: str, what: str, bounds: tuple[Bound, ...], canary: Server) -> Condition:
    """With stopFirst, in a cluster that has room for one pod."""
    return Condition(
        name,
        what,
        bounds,
        pair(canary),
        replicas=1,
        rate=100,
        spec=_ONE_GPU,
        script=_one_gpu,
        check=_serves,
        traffic=False,
    )


CONDITIONS = (
    _room_for_one(
        "one-gpu-good",
        "room for one pod, stopFirst: the new version takes the place",
        (*GOOD, OUT_OF_SERVICE),
        FINE,
    ),
    _room_for_one(
        "one-gpu-never-ready-bad",
        "the same, and the new one never gets ready: the old one serves again",
        ENDED,
        Server(ready_pods=0),
    ),
    _room_for_one(
        "one-gpu-crashing-bad",
        "the same, and the new one's process ends while it loads",
        ENDED,
        Server(dies=True),
    ),
    Condition(
        "one-gpu-beside",
        "room for one pod without stopFirst: it goes back, as the infrastructure's fault",
        (*ENDED, WRONG_CAUSE, LEFT_OVER),
        pair(FINE),
        replicas=1,
        rate=100,
        spec={"rollout": {"progressDeadlineSeconds": 15}},
        script=_one_gpu,
        check=_went_back_well,
        traffic=False,
    ),
    Condition(
        "autoscaled-good",
        "an autoscaler on either side, and the requests double during the trial",
        (*GOOD, OVERLOAD, NOT_SCALED),
        pair(FINE),
        seconds=200,
        spec=_AUTOSCALED,
        script=_load_grows,
        check=_scaled,
    ),
    Condition(
        "drained-good",
        "the canary's pods are evicted one after the other, and made again",
        GOOD,
        pair(FINE),
        seconds=150,
        script=_drained(4.0),
    ),
)
