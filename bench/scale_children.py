"""How soon the children of many objects created at once exist, beside Argo Rollouts' own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from evenkeel.api.labels import DEPLOYMENT as OWNER
from evenkeel.kube.client import Client
from evenkeel.meta.resources import DEPLOYMENT, SERVICE, ResourceType

from bench import argo, deployments, scale_models
from bench.cluster import Cluster, cluster
from bench.process import Row, at_most

JSON = dict[str, Any]
ROUNDS = 2


def measure(short: bool) -> list[Row]:
    """The best of some rounds each, one after the other on one API server."""
    size = 50 if short else 200
    name = f"children of {size} models at once to Argo Rollouts'"
    own: list[float] = []
    theirs: list[float] = []
    with cluster() as made:
        asyncio.run(scale_models.runtime())
        try:
            for part in range(ROUNDS):
                theirs.append(_theirs(made, part * size, size))
                own.append(_own(made, part * size, size))
        except argo.Unavailable as error:
            return [Row(f"{name}: left out, {error}", "", "", True)]
    said = f"    {min(own):.1f} s and {min(theirs):.1f} s"
    return [at_most(name, min(own) / min(theirs), 1, "", 2), Row(said, "", "", True)]


def _own(made: Cluster, first: int, size: int) -> float:
    made.kubectl("delete", "modeldeployments", "--all", "--namespace=default")
    with made.operator() as operator:
        scale_models.settled(operator)
        return asyncio.run(
            _made(
                scale_models.KIND,
                [deployments.deployment(n) for n in range(first, first + size)],
                (DEPLOYMENT, SERVICE),
                lambda obj: (obj["metadata"].get("labels") or {}).get(OWNER),
            )
        )


def _theirs(made: Cluster, first: int, size: int) -> float:
    with argo.running(made):
        asyncio.run(
            _made(argo.ROLLOUT, [argo.rollout(10_000 + first)], (argo.REPLICA_SET,), _owner)
        )
        return asyncio.run(
            _made(
                argo.ROLLOUT,
                [argo.rollout(n) for n in range(first, first + size)],
                (argo.REPLICA_SET,),
                _owner,
            )
        )


def _owner(obj: JSON) -> str | None:
    owners = obj["metadata"].get("ownerReferences") or [{}]
    name: str | None = owners[0].get("name")
    return name


async def _made(
    kind: ResourceType,
    objects: list[JSON],
    children: tuple[ResourceType, ...],
    owner: Callable[[JSON], str | None],
) -> float:
    """Seconds from the first creation until each object has a child of each kind."""
    limit = asyncio.Semaphore(deployments.PARALLEL)
    names = {o["metadata"]["name"] for o in objects}
    async with await Client.from_environment(field_manager="bench") as client, asyncio.timeout(300):

        async def create(obj: JSON) -> None:
            async with limit:
                await client.create(kind, "default", obj)

        async def all_have(type_: ResourceType) -> None:
            waiting = set(names)
            async for event in client.watch(type_, namespace="default", resource_version="0"):
                waiting.discard(owner(event["object"]) or "")
                if not waiting:
                    return

        started = time.perf_counter()
        await asyncio.gather(*map(create, objects), *map(all_have, children))
        return time.perf_counter() - started
