"""What a trial remembers of time and pods from one reconcile to the next."""

from __future__ import annotations

from datetime import datetime

from evenkeel.api.modeldeploymentstatus import CanaryStatus
from evenkeel.meta.times import precise, seconds_since
from evenkeel.serving.observed import Pods

FORGIVEN_AFTER = 3600.0
"""Seconds of readiness after which earlier losses and crashes are forgiven, at least; flapping is
faster."""
_FORGIVEN = {
    "losses": 0,
    "lost_milliseconds": 0,
    "return_time": None,
    "crashes": 0,
    "stable_crashes": 0,
    "crash_time": None,
}


def observed(
    canary: CanaryStatus,
    own: Pods,
    stable: Pods,
    needed: int,
    full: int,
    deadline: int,
    *,
    held: bool,
    now: datetime,
) -> CanaryStatus:
    """The canary with its clocks set: losses, idle time, stable's absence, crashes.

    needed: pods that its weight needs. full: those that carry all requests. deadline: seconds that
    pods may take. held: whether a wish of the user holds the trial. Without a change the status
    stays as it is, so that nothing is written while all goes on as before.
    """
    if full > canary.full_replicas:
        canary = _with_fresh_wait(canary, now)
    if canary.lost_since is None and _long_steady(canary, deadline, now):
        canary = canary.model_copy(update=_FORGIVEN)
    update = {
        **_readiness(canary, own.ready, needed, now),
        **_idle(canary, idle=held or (_divided(canary) and own.ready < needed), now=now),
        **_crashes(canary, own, stable, now),
    }
    absent = canary.stable_lost_since or precise(now)
    update["stable_lost_since"] = absent if stable.ready == 0 else None
    return canary.model_copy(update=update)


def _long_steady(canary: CanaryStatus, deadline: int, now: datetime) -> bool:
    """Whether losses and crashes are forgiven: a probation of months meets many a drained node."""
    times = [time for time in (canary.return_time, canary.crash_time) if time is not None]
    enough = max(FORGIVEN_AFTER, deadline)
    return bool(times) and all(seconds_since(time, now) >= enough for time in times)


def _divided(canary: CanaryStatus) -> bool:
    """Whether its time is one with requests; other stages are the wait for pods."""
    return canary.stage in ("WarmingUp", "Stepping", "Probation")


def _with_fresh_wait(canary: CanaryStatus, now: datetime) -> CanaryStatus:
    """More pods are asked for than ever: they get their own time to come.

    An autoscaler's growth in a trial is bounded, so the wait is too.
    """
    update: dict[str, object] = {}
    if canary.short_since is not None and canary.lost_since is None:
        update["short_since"] = precise(now)
    if not _divided(canary):
        passed = _milliseconds(canary.stage_time, now)
        update |= {"idle_milliseconds": passed, "idle_since": None}
    return canary.model_copy(update=update)


def _readiness(canary: CanaryStatus, ready: int, needed: int, now: datetime) -> dict[str, object]:
    if ready >= needed:
        if canary.lost_since is None:
            return {"short_since": None}
        lost = canary.lost_milliseconds + _milliseconds(canary.lost_since, now)
        return {
            "short_since": None,
            "lost_since": None,
            "lost_milliseconds": lost,
            "return_time": precise(now),
        }
    update: dict[str, object] = {"short_since": canary.short_since or precise(now)}
    # Pods that have yet to come are no loss.
    if canary.lost_since is None and canary.ready_replicas >= needed:
        update |= {"lost_since": precise(now), "losses": canary.losses + 1}
    return update


def _idle(canary: CanaryStatus, *, idle: bool, now: datetime) -> dict[str, object]:
    if idle:
        return {"idle_since": canary.idle_since or precise(now)}
    if canary.idle_since is None:
        return {}
    passed = canary.idle_milliseconds + _milliseconds(canary.idle_since, now)
    return {"idle_since": None, "idle_milliseconds": passed}


def _crashes(canary: CanaryStatus, own: Pods, stable: Pods, now: datetime) -> dict[str, object]:
    """Crashes add up over pods that come and go; a pod that is gone takes only its count along."""
    new = max(0, own.crashes - canary.crashes_seen)
    beside = max(0, stable.crashes - canary.stable_crashes_seen)
    update: dict[str, object] = {
        "crashes": canary.crashes + new,
        "crashes_seen": own.crashes,
        "stable_crashes": canary.stable_crashes + beside,
        "stable_crashes_seen": stable.crashes,
    }
    if new:
        update |= {"crash_time": precise(now), "last_words": own.last_words[:1024]}
    return update


def _milliseconds(since: str, now: datetime) -> int:
    return max(0, round(seconds_since(since, now) * 1000))
