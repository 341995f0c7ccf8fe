"""What a cluster does beside the operator: Pods for Deployments, and what the kubelet tells."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable
from random import Random
from typing import Any

from evenkeel.kube.client import ApiError, Client
from evenkeel.meta.resources import DEPLOYMENT, POD, ResourceType

from bench.conditions import podobjects
from bench.conditions.fleet import Fleet, Member, Model
from bench.conditions.servers import Pod

JSON = dict[str, Any]
SIDE = "SIDE"
"""The variable by which a version's pods are known: stable, canary or next."""
LETTERS = "bcdfghjklmnpqrstvwxz2456789"
RESTART = 1.0
"""Seconds from the end of a process until the next one."""
TICK = 0.2


class Player:
    """Deployment controller, scheduler and kubelet of a run."""

    def __init__(self, client: Client, fleet: Fleet, seed: int) -> None:
        self._client = client
        self._fleet = fleet
        self._chance = Random(seed)
        self._deployments: dict[tuple[str, str], JSON] = {}
        self._lives: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._dirty: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._told: dict[tuple[str, str], JSON] = {}
        self._owners: dict[tuple[str, str], Model] = {}
        self._unsettled: set[tuple[str, str]] = set()
        self._room: dict[tuple[str, str], int] = {}
        self._limit = asyncio.Semaphore(24)
        self.sides: dict[tuple[str, str], str] = {}
        self.problems: list[str] = []

    def changed(self, deployment: JSON, *, deleted: bool) -> None:
        """The watch's news of a Deployment."""
        meta = deployment["metadata"]
        key = meta["namespace"], meta["name"]
        name = (meta.get("labels") or {}).get("evenkeel.dev/deployment", "")
        model = self._fleet.models.get((meta["namespace"], name))
        if model is None:
            return
        self._owners[key] = model
        if deleted:
            self._deployments.pop(key, None)
            self._told.pop(key, None)
        else:
            self._deployments[key] = deployment
            self.sides[key] = _side(deployment)
        self._settle(key)

    def room(self, model: Model, pods: int) -> None:
        """Only so many pods of the model find a place from now on; the others wait."""
        self._room[model.namespace, model.name] = pods

    async def down(self, model: Model, side: str, seconds: float) -> None:
        """All pods of a version are unready for so long."""
        pods = [m for m in model.members.values() if m.side == side]
        for member in pods:
            await self._readiness(model, member, ready=False)
        await asyncio.sleep(seconds)
        for member in pods:
            if member.pod.name in model.members:
                await self._readiness(model, member, ready=True)

    async def lose(self, model: Model, member: Member) -> None:
        """A pod's node is gone: the pod stays, but nothing runs in it any more."""
        if (task := self._lives.pop((model.namespace, member.pod.name), None)) is not None:
            task.cancel()
        model.advance(time.time())
        member.pod.stop()
        await self._readiness(model, member, ready=False)

    async def evict(self, model: Model, member: Member) -> None:
        """A drain takes a pod away, for which the Deployment makes another."""
        await self._write(model, member, podobjects.evicted(time.time()))
        await self._delete(model, member)
        self._settle((model.namespace, member.deployment))

    def replicas(self, namespace: str, deployment: str) -> int:
        """How many pods a Deployment wants; 0 if there is none."""
        found = self._deployments.get((namespace, deployment))
        return int(found["spec"].get("replicas", 1)) if found else 0

    def close(self, namespace: str) -> None:
        """A condition is over: its pods live no more."""
        for table in (self._lives, self._dirty):
            for key in [k for k in table if k[0] == namespace]:
                table.pop(key).cancel()
        for key in [k for k in self._deployments if k[0] == namespace]:
            del self._deployments[key]

    def stop(self) -> None:
        for namespace in {k[0] for k in (*self._lives, *self._dirty)}:
            self.close(namespace)

    def _settle(self, key: tuple[str, str]) -> None:
        """Creates and deletes pods until there are as many as the Deployment wants."""
        self._unsettled.add(key)
        task = self._dirty.get(key)
        if task is None or task.done():
            self._dirty[key] = asyncio.create_task(self._guarded(lambda: self._drain(key)))

    async def _drain(self, key: tuple[str, str]) -> None:
        while key in self._unsettled:
            await asyncio.sleep(0.05)  # News come in bursts.
            self._unsettled.discard(key)
            await self._settled(key)

    async def _settled(self, key: tuple[str, str]) -> None:
        deployment, model = self._deployments.get(key), self._owners[key]
        wanted = deployment["spec"].get("replicas", 1) if deployment else 0
        own = [m for m in model.members.values() if m.deployment == key[1]]
        own.sort(key=lambda m: (m.pod.ready, m.pod.ready_since or 0), reverse=True)
        for member in own[wanted:]:
            await self._delete(model, member)
        for _ in range(wanted - len(own)):
            assert deployment is not None
            await self._create(model, deployment)
        if deployment is not None:
            await self._tell(model, key)

    async def _create(self, model: Model, deployment: JSON) -> None:
        meta, template = deployment["metadata"], deployment["spec"]["template"]
        name = pod_name(meta["name"], template, self._chance)
        side = _side(deployment)
        server = model.servers[side]
        pod = Pod(
            model.namespace,
            name,
            model.name,
            server,
            podobjects.dialect(template),
            Random(self._chance.random()),
        )
        labels = {
            **template["metadata"].get("labels", {}),
            "pod-template-hash": name.split("-")[-2],
        }
        self._fleet.join(model, Member(pod, labels, meta["name"], side))
        body = podobjects.pod(meta, template, name, labels)
        async with self._limit:
            await self._client.create(POD, model.namespace, body)
        life = self._guarded(lambda: self._life(model, model.members[name]))
        self._lives[model.namespace, name] = asyncio.create_task(life)

    async def _delete(self, model: Model, member: Member) -> None:
        name = member.pod.name
        if (task := self._lives.pop((model.namespace, name), None)) is not None:
            task.cancel()
        model.advance(time.time())
        self._fleet.leave(model, name)
        model.divide(time.time())
        async with self._limit:
            path = POD.path(model.namespace, name)
            try:
                await self._client.request("DELETE", path, query={"gracePeriodSeconds": "0"})
            except ApiError as error:
                if error.status != 404:
                    raise

    async def _life(self, model: Model, member: Member) -> None:
        """What happens in a pod from its creation on."""
        pod = member.pod
        while not self._has_room(model, member):
            await self._write(model, member, podobjects.unschedulable(time.time()))
            await asyncio.sleep(1)
        await asyncio.sleep(0.2 * self._chance.random())
        pod.start(time.time())
        await self._readiness(model, member, ready=False)
        await asyncio.sleep(pod.server.start)
        while pod.server.dies:
            await self._crash(model, member)
            await asyncio.sleep(pod.server.start)
        if not self._may_be_ready(model, member):
            return
        await self._readiness(model, member, ready=True)
        if pod.server.flap is not None:
            await self._flap(model, member, *pod.server.flap)
        while pod.server.crash:
            await asyncio.sleep(TICK)
            model.advance(time.time())
            if pod.crashed:
                after = await self._crash(model, member)
                await asyncio.sleep(pod.server.start)
                await self._readiness(model, member, ready=True, after=after)

    def _has_room(self, model: Model, member: Member) -> bool:
        room = self._room.get((model.namespace, model.name))
        placed = sum(m.pod.started is not None for m in model.members.values())
        return room is None or placed < room

    @staticmethod
    def _may_be_ready(model: Model, member: Member) -> bool:
        most = member.pod.server.ready_pods
        same = [m for m in model.members.values() if m.side == member.side]
        return most is None or sum(m.pod.ready for m in same) < most

    async def _flap(self, model: Model, member: Member, up: float, down: float) -> None:
        while True:
            await asyncio.sleep(up)
            await self._readiness(model, member, ready=False)
            await asyncio.sleep(down)
            await self._readiness(model, member, ready=True)

    async def _crash(self, model: Model, member: Member) -> tuple[float, float]:
        """The process ends, and the next one starts; begin and end of the former."""
        pod, now = member.pod, time.time()
        began = pod.started or now
        pod.stop()
        pod.restarts += 1
        model.divide(now)
        await self._write(model, member, podobjects.crashed(pod, began, now))
        self._settle((model.namespace, member.deployment))
        await asyncio.sleep(RESTART)
        pod.start(time.time())
        return began, now

    async def _readiness(
        self,
        model: Model,
        member: Member,
        *,
        ready: bool,
        after: tuple[float, float] | None = None,
    ) -> None:
        now = time.time()
        model.advance(now)
        member.pod.ready_since = now if ready else None
        model.divide(now)
        await self._write(model, member, podobjects.running(member.pod, now, after))
        self._settle((model.namespace, member.deployment))

    async def _write(self, model: Model, member: Member, status: JSON) -> None:
        await self._patch(POD, model.namespace, member.pod.name, status)

    async def _tell(self, model: Model, key: tuple[str, str]) -> None:
        """Brings the Deployment's status in step with its pods."""
        deployment = self._deployments.get(key)
        if deployment is None:
            return
        own = [m.pod for m in model.members.values() if m.deployment == key[1]]
        status = podobjects.deployment_status(deployment, own, time.time())
        told = self._told.get(key)
        if told is not None and podobjects.same(told, status):
            return
        if told is not None:
            podobjects.keep_times(told, status)
        self._told[key] = status
        await self._patch(DEPLOYMENT, *key, status)

    async def _patch(self, type_: ResourceType, namespace: str, name: str, status: JSON) -> None:
        async with self._limit:
            try:
                await self._client.request(
                    "PATCH",
                    type_.path(namespace, name, "status"),
                    body={"status": status},
                    content_type="application/merge-patch+json",
                )
            except ApiError as error:
                if error.status not in (404, 409):
                    raise

    async def _guarded(self, work: Callable[[], Any]) -> None:
        try:
            await work()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # A player that stumbles in silence would make a condition look established.
            self.problems.append(f"{type(error).__name__}: {error}")


def pod_name(deployment: str, template: JSON, chance: Random) -> str:
    """DEPLOYMENT-HASH-RANDOM, as a ReplicaSet's pods are named."""
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:9]
    return f"{deployment}-{digest}-{''.join(chance.choice(LETTERS) for _ in range(5))}"


def _side(deployment: JSON) -> str:
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        for variable in container.get("env") or ():
            if variable["name"] == SIDE:
                return str(variable["value"])
    return "stable"
