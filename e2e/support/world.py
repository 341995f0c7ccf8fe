"""What the end-to-end tests do to the cluster and ask of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import yaml
from evenkeel.kube.client import Client

from dev.cluster.errors import ClusterError
from dev.stack.install import MONITORING, OPERATOR_NAMESPACE, Stack
from e2e.support.pods import pod

JSON = dict[str, Any]
TIMEOUT = 180.0

RECORD = {
    "inputs": [
        {
            "name": "predict",
            "shape": [1, 6],
            "datatype": "FP64",
            "data": [0.5, 0.06, 0.44, 0.003, 0.42, 0.41],
        }
    ]
}

# Runs in a pod: bounded in number and time, one connection a request so that weights show.
CLIENT = """
import http.client, json, os, sys, time
url, host, path = os.environ["TARGET"], os.environ.get("HOST", ""), os.environ["REQUEST_PATH"]
count, rate, body = int(os.environ["COUNT"]), float(os.environ["RATE"]), os.environ["BODY"]
codes, began = {}, time.monotonic()
for n in range(count):
    wait = began + n / rate - time.monotonic()
    if wait > 0:
        time.sleep(wait)
    try:
        c = http.client.HTTPConnection(url, timeout=10)
        c.request("POST", path, body, {"Content-Type": "application/json", "Host": host or url})
        code = str(c.getresponse().status)
        c.close()
    except OSError as error:
        code = type(error).__name__
    codes[code] = codes.get(code, 0) + 1
    if n % 50 == 49:
        print(json.dumps(codes), flush=True)
print(json.dumps(codes), flush=True)
"""


class World:
    """One namespace of the cluster."""

    def __init__(self, stack: Stack, namespace: str) -> None:
        self.stack = stack
        self.namespace = namespace

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """kubectl within the namespace."""
        return self.stack.kubectl(f"--namespace={self.namespace}", *arguments, stdin=stdin)

    def apply(self, *manifests: JSON) -> None:
        """Applies as a user would, with strict field validation."""
        text = yaml.safe_dump_all(
            [{**m, "metadata": {"namespace": self.namespace, **m["metadata"]}} for m in manifests]
        )
        self.kubectl("apply", "--validate=strict", "-f", "-", stdin=text)

    def patch(self, kind: str, name: str, spec: JSON) -> None:
        """Merges into the object's spec."""
        self.kubectl("patch", kind, name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def get(self, kind: str, name: str) -> JSON:
        """The object."""
        found: JSON = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return found

    def objects(self, kind: str, selector: str = "") -> list[JSON]:
        """Objects by label."""
        arguments = ["get", kind, "-o", "json"] + ([f"--selector={selector}"] if selector else [])
        items: list[JSON] = json.loads(self.kubectl(*arguments))["items"]
        return items

    def deployment(self, name: str) -> JSON:
        """Status of a ModelDeployment; empty before the first."""
        status: JSON = self.get("modeldeployment", name).get("status", {})
        return status

    def until(
        self, what: str, holds: Callable[[], Any], seconds: float = TIMEOUT, every: float = 0.5
    ) -> Any:
        """The first true value of `holds`; fails with the world's state after the time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            value = holds()
            if value:
                return value
            time.sleep(every)
        raise AssertionError(f"not within {seconds:.0f} s: {what}\n{self.state()}")

    def state(self) -> str:
        """What a person would look at first."""
        parts = [
            self.kubectl("get", "mdep,trun,mdv,rts,jobs,deployments,pods", "-o", "wide"),
            self.kubectl("get", "mdep", "-o", 'jsonpath={range .items[*]}{.status}{"\\n"}{end}'),
            self.kubectl("get", "events", "--sort-by=.lastTimestamp"),
            self.stack.kubectl(
                "-n", OPERATOR_NAMESPACE, "logs", "deployment/evenkeel", "--tail=40"
            ),
        ]
        return "\n".join(part[-6000:] for part in parts)

    def condition(self, kind: str, name: str, type_: str) -> JSON:
        """A condition of an object; empty if it isn't there."""
        conditions = self.get(kind, name).get("status", {}).get("conditions", [])
        return next((c for c in conditions if c["type"] == type_), {})

    def ready(self, name: str, seconds: float = TIMEOUT) -> JSON:
        """Waits until the ModelDeployment is Ready at its present generation."""

        def holds() -> JSON | None:
            obj = self.get("modeldeployment", name)
            for c in obj.get("status", {}).get("conditions", []):
                current = c.get("observedGeneration") == obj["metadata"]["generation"]
                if c["type"] == "Ready" and c["status"] == "True" and current:
                    return obj
            return None

        found: JSON = self.until(f"{name} is Ready", holds, seconds)
        return found

    def load(
        self,
        name: str,
        target: str,
        model: str,
        *,
        count: int,
        rate: float,
        host: str = "",
        body: JSON | None = None,
    ) -> None:
        """Starts a pod that sends `count` requests at `rate` a second and prints their codes."""
        env = {
            "TARGET": target,
            "HOST": host,
            "REQUEST_PATH": f"/v2/models/{model}/infer",
            "COUNT": str(count),
            "RATE": str(rate),
            "BODY": json.dumps(body or RECORD),
        }
        container = {
            "image": "docker.io/evenkeel/demo:dev",
            "command": ["python3", "-c", CLIENT],
            "env": [{"name": k, "value": v} for k, v in env.items()],
        }
        self.apply(pod(name, container, restartPolicy="Never", activeDeadlineSeconds=600))

    def codes(self, name: str) -> dict[str, int]:
        """Responses by status code so far."""
        try:
            lines = self.kubectl("logs", name).strip().splitlines()
        except ClusterError as error:
            if "waiting to start" in error.cause:
                return {}
            raise
        return dict(json.loads(lines[-1])) if lines else {}

    def stop(self, name: str) -> dict[str, int]:
        """Ends a load pod; its codes."""
        codes = self.codes(name)
        self.kubectl("delete", "pod", name, "--grace-period=0", "--force", "--wait=false")
        return codes

    def prometheus(self, query: str) -> list[JSON]:
        """An instant query through the API server."""
        path = (
            f"/api/v1/namespaces/{MONITORING}/services/prometheus:9090/proxy/api/v1/query"
            f"?query={quote(query)}"
        )
        result: list[JSON] = json.loads(self.stack.kubectl("get", "--raw", path))["data"]["result"]
        return result

    def alert(self, labels: dict[str, str], seconds: float | None = None) -> None:
        """Hands an alert to the real Alertmanager, through the API server.

        seconds: for so long it fires; without, for as long as Alertmanager takes it for so.
        """
        path = f"/api/v1/namespaces/{MONITORING}/services/alertmanager:9093/proxy/api/v2/alerts"
        alert: JSON = {"labels": labels, "annotations": {"summary": "made by hand"}}
        if seconds is not None:
            alert["endsAt"] = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
        body = [alert]

        async def post() -> None:
            file = str(self.stack.kubeconfig)
            async with await Client.from_kubeconfig(file, field_manager="e2e") as client:
                await client.request("POST", path, body=body)

        asyncio.run(post())

    def operator_pod(self) -> str:
        """Name of the running operator pod."""
        items = json.loads(
            self.stack.kubectl(
                "-n",
                OPERATOR_NAMESPACE,
                "get",
                "pods",
                "-o",
                "json",
                "-l",
                "app.kubernetes.io/name=evenkeel",
            )
        )["items"]
        return str(items[0]["metadata"]["name"])

    def kill_operator(self) -> None:
        """SIGKILL: no grace, no goodbye."""
        self.stack.kubectl(
            "-n",
            OPERATOR_NAMESPACE,
            "delete",
            "pod",
            self.operator_pod(),
            "--grace-period=0",
            "--force",
        )


@contextmanager
def quiet_afterwards(world: World) -> Iterator[World]:
    """Takes away what serves and begins trainings in the end: a small node has no room for all."""
    yield world
    world.kubectl("delete", "rts,mdep", "--all", "--wait=false")


def training(parameters: dict[str, str], command: list[str] | None = None) -> JSON:
    """A training template with the demonstration's trainer on the namespace's volume."""
    container: JSON = {
        "name": "trainer",
        "image": "docker.io/evenkeel/demo:dev",
        "imagePullPolicy": "IfNotPresent",
        "args": ["demo.trainer"],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
        "volumeMounts": [
            {"name": "models", "mountPath": "/models"},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
    if command is not None:
        container |= {"command": command, "args": []}
    return {
        "parameters": parameters,
        "retries": 0,
        "timeoutSeconds": 300,
        "podTemplate": {
            "spec": {
                "securityContext": {"fsGroup": 65532},
                "containers": [container],
                "volumes": [
                    {"name": "models", "persistentVolumeClaim": {"claimName": "models"}},
                    {"name": "tmp", "emptyDir": {}},
                ],
            }
        },
    }


def run(name: str, model: str, parameters: dict[str, str], **spec: Any) -> JSON:
    """A TrainingRun made by hand."""
    return {
        "apiVersion": "evenkeel.dev/v1alpha1",
        "kind": "TrainingRun",
        "metadata": {"name": name},
        "spec": {"model": model, "training": training(parameters), **spec},
    }


def deployment(name: str, model: JSON, **spec: Any) -> JSON:
    """A ModelDeployment."""
    return {
        "apiVersion": "evenkeel.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {"model": model, **spec},
    }


ERRORS = {"indicators": [{"name": "errors"}]}
SKLEARN = {"name": "sklearn"}
