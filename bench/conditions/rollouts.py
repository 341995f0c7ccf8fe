"""Conditions of the rollout itself: readiness, capacity, pauses, room."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from evenkeel.meta.resources import DEPLOYMENT, EVENT

from bench.conditions.condition import Condition, Script
from bench.conditions.evidence import FINE, TEN, USUAL, pair
from bench.conditions.servers import Server
from bench.conditions.trial import Trial
from bench.conditions.verdict import BAD, GOOD, PROMOTED, UNFINISHED, Bound

JSON = dict[str, Any]
BROKEN = Server(errors=1.0)
REACTION = 4.0
"""Seconds in which the operator may give weight back once pods are lost."""
OVERLOAD = Bound("overloaded", 0.0, fault="overloaded")
"""A ready pod got over 1.6 times what it is made for, for longer than REACTION."""
_GATEWAY = {"traffic": {"gateway": {"parentRefs": [{"name": "public"}]}}}
_PAUSES = [
    {"weight": 25, "pauseSeconds": 5, "analysis": False},
    {"weight": 50, "pauseSeconds": 5, "analysis": False},
]


def load(trial: Trial) -> str:
    return "overloaded" if trial.model.overloaded > REACTION else ""


async def _blink(trial: Trial) -> None:
    """All stable pods are unready for 1.5 s just as the canary gets ready."""
    await trial.until(lambda: trial.stage == "Starting")
    await asyncio.sleep(1.0 * trial.world.chance.random())
    await trial.world.player.down(trial.model, "stable", 1.5)


async def _short_loss(trial: Trial) -> None:
    """The canary's pods are unready once, for 2 s."""
    if await trial.stepping():
        await asyncio.sleep(2 * trial.world.chance.random())
        await trial.world.player.down(trial.model, "canary", 2.0)


async def _lost_pods(trial: Trial) -> None:
    """In mid-step all of the canary's pods but one are gone, and do not come back."""
    if await trial.stepping():
        await asyncio.sleep(3)
        members = [m for m in trial.model.members.values() if m.side == "canary" and m.pod.ready]
        for member in members[1:]:
            await trial.world.player.lose(trial.model, member)


async def _paused(trial: Trial) -> None:
    """Paused for longer than the deadlines; what was seen then is not enough for a verdict."""
    await trial.patch({"rollout": {"paused": True}})
    if await trial.stepping():
        await asyncio.sleep(32)
        await trial.patch({"rollout": {"paused": False}})


async def _two_edits(trial: Trial) -> None:
    """A third version is asked for while the second one is on trial."""
    await trial.stepping()
    await asyncio.sleep(2)
    await trial.edit("next")


async def _retried(trial: Trial) -> None:
    """No room until the deadline; then there is, and the user asks for a second trial."""
    player = trial.world.player
    await trial.until(lambda: trial.end() == "RolledBack", 60)
    history = trial.status.get("history") or [{}]
    revision = history[0].get("revision", "")
    player.room(trial.model, 100)
    await trial.patch({"rollout": {"retry": revision}})
    if await trial.until(lambda: bool(trial.canary), 20):
        trial.notes.add("retried")


def _no_room(pods: int) -> Script:
    async def script(trial: Trial) -> None:
        trial.world.player.room(trial.model, pods)
        await _retried(trial)

    return script


def _second_trial(trial: Trial) -> str:
    return "" if "retried" in trial.notes else "no second trial"


async def _misdirected(trial: Trial) -> None:
    """promote, abort and retry name a revision that there never was, one after the other."""
    if not await trial.stepping():
        return
    unknown = f"{trial.model.name}-0000000000"
    before = await _effects(trial)
    for field in ("promote", "abort", "retry"):
        await trial.patch({"rollout": {field: unknown}})
        if await trial.until(partial(_told, trial, field), 30):
            trial.notes.add(field)
        if await _effects(trial) != before:
            trial.notes.add("changed")
        await trial.patch({"rollout": {field: None}})
    if await _event(trial, "RevisionNotOnTrial"):
        trial.notes.add("event")


async def _event(trial: Trial, reason: str) -> bool:
    """Whether the model has such an Event within 30 s: Events wait while reconciles are queued."""
    for _ in range(30):
        events, _ = await trial.world.client.list(EVENT, namespace=trial.model.namespace)
        own = (e for e in events if e["involvedObject"]["name"] == trial.model.name)
        if any(e["reason"] == reason for e in own):
            return True
        await asyncio.sleep(1)
    return False


def _told(trial: Trial, field: str) -> bool:
    conditions = {c["type"]: c for c in trial.status.get("conditions") or ()}
    found = conditions.get("SteeringAccepted", {})
    return found.get("status") == "False" and f"rollout.{field} names" in found["message"]


async def _effects(trial: Trial) -> JSON:
    """What no misdirected wish may change: the trial and the model's Deployments."""
    kept = ("revision", "stage", "step", "startTime", "stageTime")
    namespace, name = trial.model.namespace, trial.model.name
    labels = f"evenkeel.dev/deployment={name}"
    found, _ = await trial.world.client.list(DEPLOYMENT, namespace=namespace, selector=labels)
    return {
        "canary": {key: trial.canary.get(key) for key in kept},
        "stable": (trial.status.get("stable") or {}).get("revision"),
        "children": {d["metadata"]["name"]: d["metadata"]["generation"] for d in found},
    }


def _steering(trial: Trial) -> str:
    if "changed" in trial.notes:
        return "something changed"
    missing = {"promote", "abort", "retry", "event"} - trial.notes
    return "not told" if missing else ""


NOT_TOLD = Bound("not told", 0.0, fault="not told")
CHANGED = Bound("something changed", 0.0, fault="something changed")
SECOND_TRIAL = Bound("no second trial", 0.0, fault="no second trial")
_QUICK = {"rollout": {"progressDeadlineSeconds": 15}}

CONDITIONS = (
    Condition(
        "never-ready-bad",
        "the canary's pods never get ready",
        BAD,
        pair(Server(ready_pods=0)),
        seconds=50,
        spec=_QUICK,
        traffic=False,
    ),
    Condition(
        "flapping-bad",
        "the canary's pods are ready for 3 s and down for 3 s; steps without analysis",
        BAD,
        pair(Server(flap=(3.0, 3.0))),
        seconds=90,
        spec={"rollout": {"steps": _PAUSES, "progressDeadlineSeconds": 15}},
        traffic=False,
    ),
    Condition(
        "slow-flapping-bad",
        "ready for 12 s and down for 12 s; one step of 20 s without analysis",
        BAD,
        pair(Server(flap=(12.0, 12.0))),
        seconds=110,
        spec={
            "rollout": {
                "steps": [{"weight": 25, "pauseSeconds": 20, "analysis": False}],
                "progressDeadlineSeconds": 30,
            }
        },
        traffic=False,
    ),
    Condition(
        "short-loss-good",
        "the canary's pods are unready once for 2 s",
        GOOD,
        pair(FINE),
        script=_short_loss,
    ),
    Condition(
        "stable-blinks-bad",
        "stable has no ready pod for 1.5 s while an entirely broken canary starts",
        BAD,
        pair(BROKEN, FINE),
        script=_blink,
        seconds=60,
        traffic=False,
    ),
    Condition(
        "half-capacity-bad",
        "gateway: the second step needs two pods, of which one never gets ready",
        (PROMOTED, OVERLOAD, UNFINISHED),
        pair(Server(ready_pods=1)),
        replicas=4,
        seconds=150,
        spec={
            **_GATEWAY,
            "rollout": {
                "steps": [
                    {"weight": 25, "pauseSeconds": 5},
                    {"weight": 50, "pauseSeconds": 10},
                ],
                "progressDeadlineSeconds": 20,
            },
        },
        check=load,
        traffic=False,
    ),
    Condition(
        "lost-capacity",
        "gateway: one of the canary's two pods is lost for good in mid-step",
        (PROMOTED, OVERLOAD),
        pair(FINE),
        replicas=4,
        seconds=50,
        spec={
            **_GATEWAY,
            "rollout": {
                "steps": [{"weight": 50, "pauseSeconds": 30}],
                "progressDeadlineSeconds": 20,
            },
        },
        script=_lost_pods,
        check=load,
    ),
    Condition(
        "gateway-good",
        "gateway: nothing is wrong, no pod gets more than it is made for",
        (*GOOD, OVERLOAD),
        pair(FINE),
        replicas=4,
        spec={
            **_GATEWAY,
            "rollout": {
                "steps": [
                    {"weight": 25, "pauseSeconds": 5},
                    {"weight": 50, "pauseSeconds": 5},
                ]
            },
        },
        check=load,
    ),
    Condition(
        "paused-good",
        "paused for longer than the deadlines, then not",
        GOOD,
        pair(Server(errors=0.0)),
        seconds=110,
        spec={
            "rollout": {
                "steps": [{"weight": 34, "pauseSeconds": 5, "deadlineSeconds": 30}],
                "progressDeadlineSeconds": 20,
            }
        },
        script=_paused,
        rate=60,
    ),
    Condition(
        "two-edits-good",
        "a third version is asked for while the second is on trial",
        GOOD,
        {"stable": FINE, "canary": FINE, "next": Server()},
        final="next",
        seconds=100,
        script=_two_edits,
    ),
    Condition(
        "misdirected-good",
        "promote, abort and retry name an unknown revision: a condition and an Event say so",
        (*GOOD, NOT_TOLD, CHANGED),
        pair(FINE),
        # The pause outlasts the script's three waits on a busy machine, too: its end is a change.
        seconds=280,
        spec={"rollout": {"steps": [{"weight": 34, "pauseSeconds": 150}]}},
        script=_misdirected,
        check=_steering,
    ),
    Condition(
        "retry-good",
        "no room until the deadline, then a second trial by rollout.retry",
        (*GOOD, SECOND_TRIAL),
        pair(FINE),
        seconds=100,
        spec=_QUICK,
        script=_no_room(2),
        check=_second_trial,
        traffic=False,
    ),
    Condition(
        "retry-bad",
        "the same, 1 % becomes 10 %",
        (PROMOTED, UNFINISHED, SECOND_TRIAL),
        pair(TEN, USUAL),
        seconds=100,
        spec=_QUICK,
        script=_no_room(2),
        check=_second_trial,
        traffic=False,
    ),
)
