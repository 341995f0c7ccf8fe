"""What every model server must do behind the operator, and how it is asked whether it does.

A Subject is one runtime with a model and requests of which it is known what becomes of them. The
questions are asked within the cluster: by a desk, and by an asker that goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from evenkeel.api.analysis import IndicatorSpec
from evenkeel.api.servingruntime import MetricQuery, ServingRuntimeSpec
from evenkeel.verdict.indicators import Queries, Side, resolve
from evenkeel.verdict.meter_indicators import LABELS, METER

from dev.cluster.errors import ClusterError
from e2e.support.pods import pod
from e2e.support.world import JSON, World

IMAGE = "docker.io/evenkeel/demo:dev"
DESK = "desk"
RIGHT = [1, 0]
"""What the first two numbers of each right answer round to."""

# Goes on until it is told to stop, or has had COUNT answers. Each request has a connection of its
# own, so that it meets whatever pod the Service chooses.
ASKER = """
import http.client, json, os, signal, threading
host, path, body = os.environ["HOST"], os.environ["REQUEST_PATH"], os.environ["BODY"]
count, right = int(os.environ["COUNT"]), json.loads(os.environ["RIGHT"])
said = {"unanswered": 0, "right": 0, "wrong": 0, "revisions": [], "words": []}
stop, asked = threading.Event(), 0
signal.signal(signal.SIGTERM, lambda *_: stop.set())
def ask():
    c = http.client.HTTPConnection(host, timeout=20)
    try:
        c.request("POST", path, body, {"Content-Type": "application/json"})
        answer = c.getresponse()
        text = answer.read().decode()
    finally:
        c.close()
    if answer.status != 200:
        raise ValueError(f"{answer.status} {text[:300]}")
    numbers = json.loads(text)["outputs"][0]["data"]
    if [round(n) for n in numbers[:2]] != right:
        raise ValueError(text[:300])
    return answer.headers["Evenkeel-Revision"]
# The address of a Service leads anywhere until the node knows it, and refuses until a pod is ready.
begun = not count
while not stop.is_set() and (not count or said["right"] + said["wrong"] < count):
    try:
        revision = ask()
        begun = True
        said["right"] += 1
        if revision not in said["revisions"]:
            said["revisions"].append(revision)
    except OSError as error:
        begun = begun or isinstance(error, ConnectionRefusedError)
        known = said["right"] + said["wrong"]
        said["wrong" if known else "unanswered"] += 1
        if known:
            said["words"] = [*said["words"][:4], repr(error)]
    except Exception as error:
        said["wrong" if begun else "unanswered"] += 1
        said["words"] = [*said["words"][:4], repr(error)] if begun else []
    asked += 1
    if asked % 10 == 1:
        print(json.dumps(said), flush=True)
    stop.wait(0.05)
print(json.dumps(said), flush=True)
"""
SENDER = """
import http.client, json, sys
host, path, bodies = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
codes = []
for body in bodies:
    c = http.client.HTTPConnection(host, timeout=60)
    c.request("POST", path, body, {"Content-Type": "application/json"})
    answer = c.getresponse()
    answer.read()
    codes.append(answer.status)
    c.close()
print(json.dumps(codes))
"""
WAITS = ("python3", "-c", "import time; time.sleep(7200)")
STOPS = ("python3", "-c", "import os, signal; os.kill(1, signal.SIGTERM)")
UNREADABLE = "{"
"""A body that is no JSON."""


def request(data: list[float], width: int, tensor: str, datatype: str) -> str:
    """A request for as many rows as the data make."""
    one = {"name": tensor, "datatype": datatype, "shape": [len(data) // width, width], "data": data}
    return json.dumps({"inputs": [one]})


@dataclass(frozen=True)
class Subject:
    """A runtime with its model.

    runtime: of the cluster, or of a file of the repository. makes: the locked requirements
    whose environment makes the model. image: one that is no part of the stack. mounts: the
    requirements that pods mount where the image would have them, since they are too heavy for
    an image here. tensor, datatype: of the model's input, two numbers a row. failing, returned,
    refused: requests at which the model fails, to which it answers with an error, and that the
    server refuses before the model has them. uncounted: by indicators of the runtime, what they
    leave out; mistaken: what its errors count as good. complaints: parts of what the condition
    says where the file `broken` is spoilt, and where the model's folder is empty.
    """

    name: str
    runtime: str
    makes: str
    broken: str
    complaints: tuple[str, str]
    image: str | None = None
    mounts: str | None = None
    file: str | None = None
    tensor: str = "x"
    datatype: str = "FP32"
    failing: str = ""
    returned: str = ""
    refused: str = ""
    mistaken: frozenset[str] = frozenset()
    uncounted: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def good(self) -> str:
        return request([0.9, 0.8, 0.2, 0.1], 2, self.tensor, self.datatype)

    def bad(self) -> dict[str, str]:
        """Requests that must not succeed, by what is the matter with them."""
        found = {
            "failing": self.failing,
            "returned": self.returned,
            "refused": self.refused,
            "unreadable": UNREADABLE,
        }
        return {kind: body for kind, body in found.items() if body}


def desk() -> JSON:
    """A pod from which requests are sent one by one."""
    waits = {"image": IMAGE, "command": list(WAITS)}
    return pod(DESK, waits, terminationGracePeriodSeconds=1)


def path(name: str) -> str:
    return f"/v2/models/{name}/infer"


def send(world: World, name: str, bodies: list[str]) -> list[int]:
    """The status of each answer."""
    command = ("exec", DESK, "--", "python3", "-c", SENDER)
    codes: list[int] = json.loads(world.kubectl(*command, name, path(name), json.dumps(bodies)))
    return codes


class Asker:
    """A pod that asks a model for what it must answer, begun before there is any answer."""

    def __init__(self, world: World, name: str, model: str, body: str, count: int = 0) -> None:
        """count: how many answers it waits for, from before there is a Service; without, it asks
        until it is stopped."""
        self._world, self.name = world, name
        env = {
            # Without the Service the name must lead nowhere, not to whom a resolver outside knows.
            "HOST": f"{model}.{world.namespace}.svc.cluster.local.",
            "REQUEST_PATH": path(model),
            "BODY": body,
            "COUNT": str(count),
            "RIGHT": json.dumps(RIGHT),
        }
        container = {
            "image": IMAGE,
            "command": ["python3", "-c", ASKER],
            "env": [{"name": k, "value": v} for k, v in env.items()],
        }
        world.apply(pod(name, container, restartPolicy="Never", activeDeadlineSeconds=1800))

    def said(self) -> JSON:
        """What it was answered so far; empty before it asks."""
        found: JSON = self._world.codes(self.name)
        return found

    def end(self) -> JSON:
        """What it was answered in all, once its last request is over."""
        self._world.until(f"{self.name} is over", self._over)
        found = self.said()
        self._world.kubectl("delete", "pod", self.name, "--wait=false")
        return found

    def stop(self) -> JSON:
        """Ends it, with what it was answered."""
        # The container may be gone before the command in it has ended.
        with suppress(ClusterError):
            self._world.kubectl("exec", self.name, "--", *STOPS)
        return self.end()

    def _over(self) -> bool:
        status = self._world.get("pod", self.name)["status"]
        return status["phase"] in ("Succeeded", "Failed")


def indicators(metrics: list[MetricQuery], source: str) -> list[IndicatorSpec]:
    """Each of a catalogue, as an analysis names it; of latency with the highest bound."""
    return [
        IndicatorSpec(
            name=query.name,
            source=source,
            threshold_seconds=query.thresholds[-1] if query.thresholds else None,
        )
        for query in metrics
    ]


def catalogue(runtime: ServingRuntimeSpec, metered: bool) -> list[IndicatorSpec]:
    """All that is counted of a revision, but for what only streams and labels have."""
    own = runtime.metrics.indicators if runtime.metrics else ()
    meter = [q for q in METER if q.name in ("errors", "latency")] if metered else []
    assert LABELS not in {q.name for q in own}
    return [*indicators(list(own), "Runtime"), *indicators(meter, "Meter")]


def counts(
    world: World, indicator: IndicatorSpec, runtime: ServingRuntimeSpec, side: Side
) -> tuple[float, float]:
    """Of one side, as the operator asks for it: all events, and the good ones."""
    queries = resolve(indicator, runtime.metrics, side)
    assert isinstance(queries, Queries), queries
    total, good = _sum(world, queries.total), _sum(world, queries.counted)
    return total, good if queries.bad is None else total - good


def _sum(world: World, query: str) -> float:
    return sum(float(one["value"][1]) for one in world.prometheus(query))


def stable(name: str, status: JSON, namespace: str, *, metered: bool) -> Side:
    """The side that serves."""
    revision: Any = status["stable"]["revision"]
    return Side(namespace, name, revision, meter=metered)
