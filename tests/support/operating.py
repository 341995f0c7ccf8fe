"""What an operator needs around it in tests: pods that get ready, counters, a faulty wire.

The API server is real; there are no nodes, so a task plays the kubelet's and the Deployment
controller's part. The stub of Prometheus and the proxy serve to inject faults.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer
from evenkeel.controllers.identity import FIELD_MANAGER
from evenkeel.kube.client import ApiError, Client
from evenkeel.meta.resources import DEPLOYMENT
from evenkeel.process.operator import Operator
from evenkeel.process.settings import Settings
from kubernetes.aio.client import Configuration

from dev.cluster.ports import free_port
from tests.support.api_server import ApiServer
from tests.support.manifests import manifest
from tests.support.parts import parts
from tests.support.resources import BY_KIND

JSON = dict[str, Any]
A, B, C = "s3://m/a", "s3://m/b", "s3://m/c"
SECONDS = 60.0
"""How long anything may take here; machines that run tests are slow at times."""
WATCHED = ("ModelDeployment", "RetrainSchedule", "TrainingRun", "ModelVersion", "ModelRegistry")
CHILDREN = ("Deployment", "Service", "Job", "HorizontalPodAutoscaler", "PodDisruptionBudget")


def model_deployment(
    name: str, uri: str = A, steps: str = "[{weight: 25}, {weight: 50}]", more: str = "{}"
) -> JSON:
    """Two replicas, judged every second by custom counters; promoted within a few seconds."""
    made = manifest(
        "ModelDeployment",
        f"""
        model: {{uri: '{uri}', format: {{name: test}}}}
        runtime: {{kind: ServingRuntime, name: test}}
        replicas: 2
        rollout: {{steps: {steps}, scaleDownDelaySeconds: 1}}
        analysis:
          minRequests: 50
          indicators:
          - name: errors
            total: 'all{{revision="{{{{revision}}}}"}}'
            bad: 'bad{{revision="{{{{revision}}}}"}}'
        """,
        name,
    )
    made["spec"] |= yaml.safe_load(more)
    return made


def runtime() -> JSON:
    return manifest(
        "ServingRuntime",
        """
        supportedModelFormats: [{name: test, autoSelect: true}]
        containers:
        - {name: model, image: model, ports: [{name: http, containerPort: 8080}]}
        """,
        "test",
    )


def schedule(name: str = "retrain", more: str = "{}") -> JSON:
    made = manifest(
        "RetrainSchedule",
        """
        triggers:
        - name: drift
          alert: {matchers: [{name: alertname, value: Drift}]}
        """,
        name,
    )
    made["spec"] |= yaml.safe_load(more)
    return made


def alerts(first: int, number: int, namespace: str) -> JSON:
    """An Alertmanager notification."""
    return {
        "version": "4",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "Drift", "namespace": namespace, "n": str(n)},
                "annotations": {},
                "startsAt": "2026-01-31T09:00:00Z",
                "fingerprint": f"{n:016x}",
            }
            for n in range(first, first + number)
        ],
    }


class Namespace:
    """A test's namespace: quick access to its objects past any faults."""

    def __init__(self, server: ApiServer, name: str) -> None:
        self.server, self.name = server, name

    def create(self, made: JSON) -> JSON:
        answer = self.server.create(made, self.name)
        assert answer.status_code == 201, answer.text
        found: JSON = answer.json()
        return found

    def get(self, kind: str, name: str) -> JSON:
        return self.server.get(kind, self.name, name)

    def all(self, kind: str) -> list[JSON]:
        answer = self.server.http.get(BY_KIND[kind].path(self.name)).raise_for_status()
        items: list[JSON] = answer.json()["items"]
        return items

    def patch(self, kind: str, name: str, body: JSON, subresource: str = "") -> None:
        self.server.patch(kind, self.name, name, body, subresource).raise_for_status()

    def serve(self, name: str, uri: str) -> None:
        """Changes a ModelDeployment's model."""
        self.patch("ModelDeployment", name, {"spec": {"model": {"uri": uri}}})

    def rollout(self, name: str, **fields: Any) -> None:
        """Changes spec.rollout."""
        self.patch("ModelDeployment", name, {"spec": {"rollout": fields}})

    def status(self, name: str, kind: str = "ModelDeployment") -> JSON:
        found: JSON = self.get(kind, name).get("status", {})
        return found

    def canary(self, name: str) -> JSON | None:
        found: JSON | None = self.status(name).get("canary")
        return found

    def stable_uri(self, name: str) -> str:
        return str(self.status(name).get("stable", {}).get("uri", ""))

    def condition(self, name: str, type_: str, kind: str = "ModelDeployment") -> JSON:
        """The condition of that type, or {} before there is one."""
        conditions = self.status(name, kind).get("conditions", ())
        found: JSON = next((c for c in conditions if c["type"] == type_), {})
        return found

    def ready(self, name: str, kind: str = "ModelDeployment") -> JSON:
        """The Ready condition, or {} before there is one."""
        return self.condition(name, "Ready", kind)

    def outcomes(self, name: str) -> list[str]:
        """How rollouts ended, newest first."""
        return [f"{o['outcome']} {o['reason']}" for o in self.status(name).get("history", ())]

    def revisions(self, name: str) -> list[str]:
        """Names of the Deployments of a ModelDeployment."""
        return [
            d["metadata"]["name"]
            for d in self.all("Deployment")
            if d["metadata"]["labels"]["evenkeel.dev/deployment"] == name
        ]

    def versions(self) -> dict[str, str]:
        """resourceVersions of everything that the operator may write; a quiet world keeps them."""
        return {
            f"{kind} {o['metadata']['name']}": o["metadata"]["resourceVersion"]
            for kind in (*WATCHED, *CHILDREN)
            for o in self.all(kind)
        }


async def until(check: Callable[[], Any], what: str = "", seconds: float = SECONDS) -> None:
    """Polls until `check` is true; it runs in a thread, so that the operator goes on."""
    end = time.monotonic() + seconds
    last: object = None
    while True:
        try:
            last = await asyncio.to_thread(check)
            if last:
                return
        except (AssertionError, KeyError, IndexError) as error:
            last = error
        assert time.monotonic() < end, f"not within {seconds} s: {what or check} (last: {last!r})"
        await asyncio.sleep(0.1)


def configuration(server: ApiServer, user: str = "") -> Configuration:
    """That of a user with RBAC's rights, or of the cluster's administrator."""
    plane = server.plane
    pair = plane.authority.issue(user.replace(":", "-"), user, ()) if user else plane.admin()
    made = Configuration(host=server.server)
    made.ssl_ca_cert = str(plane.authority.pair.cert)
    made.cert_file, made.key_file = str(pair.cert), str(pair.key)
    return made


class Kubelet:
    """Makes the pods of all Deployments ready, but for the revisions in `broken`."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client, self._namespace = client, namespace
        self.broken: Callable[[str], bool] = lambda revision: False

    async def run(self) -> None:
        while True:
            with suppress(ApiError):
                items, _ = await self._client.list(DEPLOYMENT, namespace=self._namespace)
                for item in items:
                    await self._look_after(item)
            await asyncio.sleep(0.1)

    async def _look_after(self, item: JSON) -> None:
        name, wanted = item["metadata"]["name"], item["spec"]["replicas"]
        ready = 0 if self.broken(name) else wanted
        before = item.get("status", {})
        conditions = before.get("conditions") or [{}]
        available = "True" if ready == wanted else "False"
        if before.get("readyReplicas", 0) == ready and conditions[0].get("status") == available:
            return
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        condition = {
            "type": "Available",
            "status": available,
            "reason": "Test",
            "lastUpdateTime": now,
            "lastTransitionTime": now,
        }
        status = {
            "replicas": wanted,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "conditions": [condition],
        }
        await self._client.request(
            "PATCH",
            DEPLOYMENT.path(self._namespace, name, "status"),
            body={"status": status},
            content_type="application/merge-patch+json",
        )


_QUERY = re.compile(r'(all|bad)(?:",|\{)revision="([^"]+)"\}')


class Counters:
    """A Prometheus whose counters rise by `rate` a second; `bad` gives a revision's share of bad
    requests, `fault` makes the whole answer wrong, and `refuse` is what a query is refused with."""

    def __init__(self, rate: int = 3000) -> None:
        self.rate = rate
        self.bad: Callable[[str], float] = lambda revision: 0.0
        self.fault: Callable[[], web.Response | None] = lambda: None
        self.refuse: Callable[[str], JSON | None] = lambda query: None
        self._since: dict[str, float] = {}
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        query = str((await request.post())["query"])
        if (wrong := self.fault()) is not None:
            return wrong
        if (refusal := self.refuse(query)) is not None:
            return web.json_response(refusal, status=400)
        result = []
        for part, label in parts(query):
            found = _QUERY.search(part)
            assert found is not None, part
            kind, revision = found.groups()
            start = self._since.setdefault(revision, time.monotonic())
            value: float = 1000 + int(self.rate * (time.monotonic() - start))
            if "timestamp(" in part:
                value = time.time()
            elif kind == "bad":
                value = int(value * self.bad(revision))
            metric = {"pod": revision, "evenkeel_part": label}
            result.append({"metric": metric, "value": [time.time(), str(value)]})
        return web.json_response(
            {"status": "success", "data": {"resultType": "vector", "result": result}}
        )


class Wire:
    """A reverse proxy before the API server.

    fault: from method and path (a watch's ends in ?watch) to a status to answer with, "lose" (the
    answer of a committed request), "hang" (no answer at all) or None. holds: what a write waits for
    before it arrives, even if its sender has given up. drops: whether a watch event is withheld.
    """

    def __init__(self, server: ApiServer) -> None:
        admin = server.plane.admin()
        self._ssl = ssl.create_default_context(cafile=str(server.plane.authority.pair.cert))
        self._ssl.load_cert_chain(admin.cert, admin.key)
        self._server = server.server
        self.fault: Callable[[str, str], int | str | None] = lambda method, path: None
        self.holds: Callable[[str, str], asyncio.Event | None] = lambda method, path: None
        self.late: asyncio.Task[web.StreamResponse] | None = None
        self.drops: Callable[[JSON], bool] = lambda event: False
        self.delay = 0.0
        self.requests: list[str] = []
        self.cut = asyncio.Event()
        self.over = asyncio.Event()
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        method, path = request.method, request.path
        self.requests.append(f"{method} {path}")
        verdict = self.fault(method, path if "watch" not in request.query else f"{path}?watch")
        if isinstance(verdict, int):
            reason = {409: "Conflict", 410: "Expired", 429: "TooManyRequests"}.get(verdict, "Fault")
            headers = {"Retry-After": "1"} if verdict == 429 else {}
            return web.json_response(
                {"reason": reason, "message": "injected", "code": verdict},
                status=verdict,
                headers=headers,
            )
        if verdict == "hang":
            await self.over.wait()
        data = await request.read()
        if (held := self.holds(method, path)) is not None:
            self.late = asyncio.create_task(self._arrives(request, data, verdict, held))
            return await asyncio.shield(self.late)
        return await self._arrives(request, data, verdict)

    async def _arrives(
        self,
        request: web.Request,
        data: bytes,
        verdict: str | None,
        held: asyncio.Event | None = None,
    ) -> web.StreamResponse:
        if held is not None:
            await held.wait()
        async with self._session.request(
            request.method,
            self._server + request.path_qs,
            data=data or None,
            headers={k: v for k, v in request.headers.items() if k in ("Content-Type", "Accept")},
            ssl=self._ssl,
        ) as answer:
            if "watch" in request.query:
                return await self._stream(request, answer)
            text = await answer.read()
        if verdict == "lose":
            assert request.transport is not None
            request.transport.abort()
        return web.Response(body=text, status=answer.status, content_type="application/json")

    async def _stream(
        self, request: web.Request, answer: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status)
        cut = asyncio.create_task(self.cut.wait())
        with suppress(ConnectionError, aiohttp.ClientError):
            await response.prepare(request)
            copying = asyncio.create_task(self._copy(answer, response))
            await asyncio.wait({copying, cut}, return_when=asyncio.FIRST_COMPLETED)
            copying.cancel()
            with suppress(asyncio.CancelledError):
                await copying
        cut.cancel()
        return response

    async def _copy(self, answer: aiohttp.ClientResponse, response: web.StreamResponse) -> None:
        with suppress(ConnectionError, aiohttp.ClientError):
            async for text in answer.content:
                if not self.drops(json.loads(text)):
                    await asyncio.sleep(self.delay)
                    await response.write(text)

    def cut_watches(self) -> None:
        """Ends all watches that are open now."""
        before, self.cut = self.cut, asyncio.Event()
        before.set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Serves on a free port."""
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", self.handle)
        timeout = aiohttp.ClientTimeout(total=None)
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), timeout=timeout, read_bufsize=2**22
            ) as self._session,
            TestServer(app) as served,
        ):
            self.url = f"http://127.0.0.1:{served.port}"
            try:
                yield
            finally:
                self.over.set()
                self.cut_watches()


def settings(namespace: str, counters: Counters, /, **more: Any) -> Settings:
    """Those of an operator for one namespace, with ports of its own."""
    made: JSON = {
        "namespace": namespace,
        "identity": f"test-{free_port()}",
        "watch_namespaces": (namespace,),
        "prometheus_url": counters.url,
        "webhook_port": free_port(),
        "http_port": free_port(),
        "metrics_port": free_port(),
    }
    return Settings(**{**made, **more})


class World:
    """A namespace with everything that runs in it."""

    def __init__(self, server: ApiServer, namespace: str) -> None:
        self.server, self.ns = server, Namespace(server, namespace)
        self.counters, self.wire = Counters(), Wire(server)
        self.kubelet: Kubelet
        self.lost: list[str] = []

    def alerts(self, first: int, number: int) -> JSON:
        """An Alertmanager notification about this namespace."""
        return alerts(first, number, self.ns.name)

    @asynccontextmanager
    async def operator(
        self, *, wired: bool = False, user: str = "", **more: Any
    ) -> AsyncIterator[Operator]:
        """An operator in this process, through the faulty wire if `wired`, else as that user."""
        made = Configuration(host=self.wire.url) if wired else configuration(self.server, user)
        chosen = settings(self.ns.name, self.counters, **more)
        client = Client(made, field_manager=FIELD_MANAGER)
        operator = Operator(client, chosen, lambda: self.lost.append(chosen.identity))
        await operator.start()
        try:
            yield operator
        finally:
            await operator.stop()

    def environment(self, directory: Path, *, wired: bool = False) -> dict[str, str]:
        """Environment of `python -m evenkeel`."""
        kubeconfig = self.server.kubeconfig
        if wired:
            kubeconfig = directory / "kubeconfig"
            cluster = {"name": "wire", "cluster": {"server": self.wire.url}}
            context = {"name": "wire", "context": {"cluster": "wire", "user": ""}}
            kubeconfig.write_text(
                yaml.safe_dump(
                    {"clusters": [cluster], "contexts": [context], "current-context": "wire"}
                )
            )
        chosen = settings(self.ns.name, self.counters)
        return {
            "KUBECONFIG": str(kubeconfig),
            "EVENKEEL_NAMESPACE": self.ns.name,
            "EVENKEEL_WATCH_NAMESPACES": self.ns.name,
            "EVENKEEL_POD_NAME": chosen.identity,
            "EVENKEEL_PROMETHEUS_URL": self.counters.url,
            "EVENKEEL_WEBHOOK_PORT": str(chosen.webhook_port),
            "EVENKEEL_HTTP_PORT": str(chosen.http_port),
            "EVENKEEL_METRICS_PORT": str(chosen.metrics_port),
            "EVENKEEL_LOG_FORMAT": "plain",
        }


@asynccontextmanager
async def world(server: ApiServer, namespace: str) -> AsyncIterator[World]:
    """Kubelet, Prometheus and wire; the operator is started by the test."""
    made = World(server, namespace)
    app = web.Application()
    app.router.add_post("/api/v1/query", made.counters.handle)
    async with TestServer(app) as prometheus, made.wire.open():
        made.counters.url = f"http://127.0.0.1:{prometheus.port}"
        client = Client(configuration(server), field_manager="kubelet")
        made.kubelet = Kubelet(client, namespace)
        task = asyncio.create_task(made.kubelet.run())
        made.ns.create(runtime())
        try:
            yield made
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await client.close()
