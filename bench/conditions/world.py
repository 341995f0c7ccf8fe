"""All processes of a run, and news from the API server for all who need them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx
import yaml
from evenkeel.kube.client import ApiError, Client
from evenkeel.meta.resources import DEPLOYMENT, HPA, HTTP_ROUTE, SERVICE, ResourceType

from bench.conditions.alerting import Measured
from bench.conditions.autoscaler import Autoscaler
from bench.conditions.condition import BEHIND, INTERVALS, Condition
from bench.conditions.exporter import Exporter
from bench.conditions.fleet import Fleet
from bench.conditions.player import Player
from bench.conditions.prometheus import configuration
from bench.conditions.proxies import Proxies
from bench.conditions.trial import MD, Trial
from bench.process import peak_rss, rss
from dev.cluster import binaries
from dev.cluster.control_plane import ControlPlane
from dev.cluster.ports import free_port
from dev.cluster.processes import Daemon, Processes
from dev.paths import CRDS, ROOT, RUNTIMES
from dev.prometheus import Prometheus

JSON = dict[str, Any]
DIRECT = ("1s", "5s", "15s", "30s", "own")
MEBIBYTE = 2**20


class World:
    """A run: etcd, kube-apiserver, the operator, Prometheus servers, and the simulated rest."""

    def __init__(self, folder: Path, plane: ControlPlane, seed: int) -> None:
        self.folder, self.plane = folder, plane
        self.chance = Random(seed)
        self.fleet = Fleet()
        self.exporter = Exporter(self.fleet, seed)
        self.trials: dict[tuple[str, str], Trial] = {}
        self.restarts = 0
        self.most_memory = 0
        self.measured: dict[str, Measured] = {}
        self.webhook = ""
        self._processes = Processes(folder, die_with_parent=True)
        self.servers: dict[str, Prometheus] = {}
        self.client: Client
        self.player: Player
        self.proxies: Proxies
        self._stack = AsyncExitStack()

    def url(self, way: str) -> str:
        """The address that a ModelDeployment gives for Prometheus."""
        if way in DIRECT:
            return self.servers[BEHIND[way][0]].url
        return self.proxies.url(way)

    async def start(self, conditions: Sequence[Condition]) -> None:
        """Brings everything up, the operator last."""
        self.client = await Client.from_kubeconfig(
            str(self.plane.kubeconfig), field_manager="conditions"
        )
        self._stack.push_async_callback(self.client.close)
        self._stack.push_async_callback(self.exporter.stop)
        self._stack.callback(self._end)
        self.player = Player(self.client, self.fleet, self.chance.getrandbits(32))
        self._stack.callback(self.player.stop)
        self.autoscaler = Autoscaler(self.client, self.fleet, self.player)
        await self.exporter.start()
        await self._prometheus(conditions)
        targets = {w: tuple(self.servers[s].url for s in BEHIND[w]) for w in self._ways(conditions)}
        self.proxies = Proxies(targets, self.chance.getrandbits(32))
        self._stack.push_async_callback(self.proxies.stop)
        await self.proxies.start()
        for kind, news in (
            (DEPLOYMENT, self._deployment_news),
            (SERVICE, self.fleet.service_changed),
            (HTTP_ROUTE, self.fleet.route_changed),
            (HPA, self.autoscaler.changed),
            (MD, self._model_news),
        ):
            self._beside(self._watch(kind, news))
        self._beside(self.autoscaler.run())
        await self._operator_up()
        self._kubelet_task = self._beside(self._kubelet())

    async def stop(self) -> None:
        """Ends everything that was started here, by its process id."""
        await self._stack.aclose()

    def _beside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        def finished(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self.player.problems.append(f"{type(error).__name__}: {error}")

        task = asyncio.create_task(work)
        task.add_done_callback(finished)
        self._stack.callback(task.cancel)
        return task

    def _end(self) -> None:
        for name in self._processes.names():
            self._processes.stop(name, 5.0)

    def tail(self) -> str:
        """The end of the operator's log."""
        return self._processes.tail("operator", 30)

    @staticmethod
    def _ways(conditions: Sequence[Condition]) -> set[str]:
        return {w for c in conditions for w in c.ways}

    async def _prometheus(self, conditions: Sequence[Condition]) -> None:
        needed = {s for w in self._ways(conditions) for s in BEHIND[w]}
        for name in sorted(needed):
            scraped = [c.namespace for c in conditions if any(name in BEHIND[w] for w in c.ways)]
            server = Prometheus(self._processes, self.folder / "prometheus", name)
            await server.start(
                configuration(
                    name, INTERVALS[name], self.plane.kubeconfig, self.exporter.port, scraped
                )
            )
            self.servers[name] = server

    async def _watch(self, kind: ResourceType, news: Any) -> None:
        version = ""
        while True:
            try:
                if not version:
                    items, version = await self.client.list(kind)
                    for item in items:
                        news(item, deleted=False)
                async for event in self.client.watch(kind, resource_version=version):
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        news(event["object"], deleted=event["type"] == "DELETED")
            except ApiError as error:
                version = "" if error.status == 410 else version
                await asyncio.sleep(0.2)

    def _deployment_news(self, deployment: JSON, *, deleted: bool) -> None:
        self.player.changed(deployment, deleted=deleted)

    def _model_news(self, model: JSON, *, deleted: bool) -> None:
        key = model["metadata"]["namespace"], model["metadata"]["name"]
        if not deleted and (trial := self.trials.get(key)) is not None:
            trial.updated(model.get("status") or {})

    async def renew(self) -> None:
        """Another operator, which vouches for no address of a Prometheus."""
        self._kubelet_task.cancel()
        await asyncio.to_thread(self._processes.stop, "operator", 20.0)
        await self._operator_up(vouched=False)
        self._kubelet_task = self._beside(self._kubelet())

    def peak(self) -> float:
        """The most memory that this operator has had, MiB."""
        pid = self._processes.pid("operator")
        return peak_rss(pid) / MEBIBYTE if pid is not None else float("inf")

    async def _operator_up(self, *, vouched: bool = True) -> None:
        ports = {name: free_port() for name in ("WEBHOOK", "HTTP", "METRICS")}
        environment = {
            "KUBECONFIG": str(self.plane.kubeconfig),
            "PYTHONPATH": str(ROOT / "operator"),
            "EVENKEEL_NAMESPACE": "default",
            "EVENKEEL_PROMETHEUS_ALLOWED": ",".join(self._addresses()) if vouched else "",
            "EVENKEEL_LOG_FORMAT": "plain",
            "EVENKEEL_LOG_LEVEL": "warning",
            **{f"EVENKEEL_{name}_PORT": str(port) for name, port in ports.items()},
        }
        self._operator = Daemon("operator", (sys.executable, "-m", "evenkeel"), environment)
        self._processes.start(self._operator)
        self.webhook = f"http://127.0.0.1:{ports['WEBHOOK']}/alertmanager/v4"
        url = f"http://127.0.0.1:{ports['METRICS']}/metrics"
        async with httpx.AsyncClient() as http, asyncio.timeout(90):
            while not await self._leads(http, url):
                if self._processes.pid("operator") is None:
                    raise RuntimeError(f"the operator ended:\n{self.tail()}")
                await asyncio.sleep(0.2)

    def _addresses(self) -> list[str]:
        straight = [server.url for server in self.servers.values()]
        return [*straight, f"http://127.0.0.1:{self.proxies.port}"]

    @staticmethod
    async def _leads(http: httpx.AsyncClient, url: str) -> bool:
        try:
            return "evenkeel_leader 1.0" in (await http.get(url)).text
        except httpx.HTTPError:
            return False

    async def _kubelet(self) -> None:
        """Starts the operator again when it ends, and remembers that; watches its memory."""
        while True:
            await asyncio.sleep(0.5)
            pid = self._processes.pid("operator")
            if pid is None:
                self.restarts += 1
                self._processes.start(self._operator)
                continue
            try:
                self.most_memory = max(self.most_memory, rss(pid) // MEBIBYTE)
            except (FileNotFoundError, ProcessLookupError):
                continue


@asynccontextmanager
async def running(folder: Path, conditions: Sequence[Condition], seed: int) -> AsyncIterator[World]:
    """A world for these conditions; all its processes have ended afterwards."""
    with ControlPlane(folder / "plane", die_with_parent=True, say=print) as plane:
        _install(plane)
        world = World(folder, plane, seed)
        try:
            await world.start(conditions)
            yield world
        finally:
            await world.stop()


def _install(plane: ControlPlane) -> None:
    """CRDs of the product and of the Gateway API, and the runtimes as they are shipped."""
    kubectl = binaries.ensure(["kubectl"], print)["kubectl"]
    gateway = binaries.module_file_dir("sigs.k8s.io/gateway-api") / "config" / "crd" / "standard"

    def run(*arguments: str) -> None:
        subprocess.run(
            [str(kubectl), f"--kubeconfig={plane.kubeconfig}", *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
        )

    crds = [yaml.safe_load(f.read_text())["metadata"]["name"] for f in CRDS.glob("*.yaml")]
    route = f"{HTTP_ROUTE.plural}.{HTTP_ROUTE.group}"
    run("apply", "--server-side", "-f", str(CRDS), "-f", str(gateway))
    run(
        "wait",
        "--for=condition=Established",
        "--timeout=60s",
        *(f"crd/{n}" for n in (*crds, route)),
    )
    run("apply", "--server-side", "-k", str(RUNTIMES))
