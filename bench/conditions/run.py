"""Tries one condition: many ModelDeployments at once, from their first version to the end."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable
from random import Random
from typing import Any

from evenkeel.kube.client import ApiError
from evenkeel.meta.resources import DEPLOYMENT, HPA, HTTP_ROUTE, POD, SECRET, SERVICE, ResourceType

from bench.conditions.condition import Condition
from bench.conditions.fleet import Model
from bench.conditions.trial import MD, Trial
from bench.conditions.verdict import Finding, find
from bench.conditions.world import World

NAMESPACE = ResourceType("", "v1", "namespaces", "Namespace", namespaced=False)
PREPARE = 120.0
"""Seconds until the first versions must serve and must have been scraped."""
SPREAD = 4.0
"""Seconds over which the edits are spread, so that they meet all phases of the scrapes."""


async def attempt(world: World, condition: Condition, rollouts: int) -> Finding:
    """The condition's finding; whatever goes wrong with the harness breaks it loudly."""
    began = time.monotonic()
    trials: list[Trial] = []
    restarts, stumbles = world.restarts, len(world.player.problems)
    broken = ""
    try:
        if condition.alone:
            await world.renew()
        trials = await _prepared(world, condition, rollouts)
        await _tried(condition, trials)
    except Exception as error:
        traceback.print_exc()
        broken = f"{type(error).__name__}: {error}"
    ended = [trial.ended() for trial in trials]
    if not broken and world.restarts > restarts:
        broken = f"the operator's process ended {world.restarts - restarts} times"
    if not broken and len(world.player.problems) > stumbles:
        broken = f"the player stumbled: {world.player.problems[stumbles]}"
    await _removed(world, condition, trials)
    seconds = time.monotonic() - began
    return find(
        condition.name,
        condition.bounds,
        ended,
        planned=rollouts,
        broken=broken,
        seconds=seconds,
        figures=condition.figures(world),
    )


async def _prepared(world: World, condition: Condition, rollouts: int) -> list[Trial]:
    """All first versions serve and were scraped by every server behind their way."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": condition.namespace}}
    await world.client.create(NAMESPACE, "", namespace)
    for found in condition.objects:
        type_ = {t.kind: t for t in (SECRET,)}[found["kind"]]
        await world.client.create(type_, condition.namespace, found)
    trials = [_trial(world, condition, index) for index in range(rollouts)]
    limit = asyncio.Semaphore(10)

    async def create(trial: Trial) -> None:
        async with limit:
            await world.client.create(MD, condition.namespace, _manifest(trial))

    await asyncio.gather(*(create(trial) for trial in trials))
    await _all(trials, Trial.serves, "the first versions do not serve")
    await _all(trials, _scraped, "Prometheus does not scrape the first versions")
    return trials


def _trial(world: World, condition: Condition, index: int) -> Trial:
    name = f"m{index}"
    model = Model(
        condition.namespace,
        name,
        condition.rate,
        condition.rate / condition.replicas,
        condition.servers,
        Random(world.chance.getrandbits(64)),
    )
    world.fleet.add(model)
    way = condition.ways[index % len(condition.ways)]
    trial = Trial(world, condition, model, way)
    world.trials[model.namespace, model.name] = trial
    return trial


def _manifest(trial: Trial) -> dict[str, Any]:
    return {
        "apiVersion": MD.api_version,
        "kind": MD.kind,
        "metadata": {"name": trial.model.name, "namespace": trial.model.namespace},
        "spec": trial.spec,
    }


def _scraped(trial: Trial) -> bool:
    pods = [m.pod for m in trial.model.of("stable")]
    return bool(pods) and all(pod.scrapes >= 2 for pod in pods)


async def _all(trials: list[Trial], check: Callable[[Trial], bool], otherwise: str) -> None:
    limit = time.monotonic() + PREPARE
    while (late := sum(not check(trial) for trial in trials)) > 0:
        if time.monotonic() > limit:
            raise TimeoutError(f"{otherwise}: {late} of {len(trials)} after {PREPARE:.0f} s")
        await asyncio.sleep(0.5)


async def _tried(condition: Condition, trials: list[Trial]) -> None:
    async def one(trial: Trial) -> None:
        await asyncio.sleep(SPREAD * trial.world.chance.random())
        trial.began = time.monotonic()
        try:
            await trial.edit()
            await condition.script(trial)
        except ApiError as error:
            # A field that this version of the operator does not have.
            trial.refused = error.message.rsplit('": ', 1)[-1][:160]
        trial.done = True

    scripts = [asyncio.create_task(one(trial)) for trial in trials]
    try:
        limit = time.monotonic() + condition.seconds + SPREAD
        while time.monotonic() < limit:
            await asyncio.sleep(0.5)
            over = all(s.done() for s in scripts)
            if over and all(t.refused or t.end() != "Held" for t in trials):
                break
    finally:
        # A script that waits for what did not come in time is over too.
        for script in scripts:
            script.cancel()
        ends = await asyncio.gather(*scripts, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end


async def _removed(world: World, condition: Condition, trials: list[Trial]) -> None:
    """Deletes the objects; without a garbage collector the children too."""
    namespace = condition.namespace
    world.player.close(namespace)
    for type_ in (MD, HPA, DEPLOYMENT, HTTP_ROUTE, SERVICE, POD):
        for _ in range(2):
            try:
                await world.client.request(
                    "DELETE",
                    type_.path(namespace),
                    query={"gracePeriodSeconds": "0", "propagationPolicy": "Background"},
                )
            except ApiError as error:
                print(f"{namespace}: {type_.plural} stay: {error}")
    for trial in trials:
        world.trials.pop((namespace, trial.model.name), None)
    world.fleet.forget(namespace)
