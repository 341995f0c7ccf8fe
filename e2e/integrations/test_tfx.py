"""A schedule trains by a TFX pipeline in a pod; what it blesses and pushes is served by MLServer.

It is the example tfx with its own images, but without what is too heavy for an image here: TFX with
its Python 3.10 (3 GB), and MLServer with TensorFlow (1.6 GB), are environments of this machine, and
the pods mount them from static volumes, to read only. So the pipeline's container names its Python,
and the server's its module, as commands. The schedule fires by the minute.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from dev.environment import interpreter
from dev.paths import ROOT
from dev.stack.install import Stack
from e2e.integrations import desk
from e2e.support.mounted import MLSERVER, SITE, claim, mount, packages, volume
from e2e.support.world import JSON, World, quiet_afterwards

EXAMPLE = ROOT / "examples" / "tfx"
RUNTIME = ROOT / "examples" / "runtimes" / "tensorflow"
NAMESPACE = "logistics"
NAME = "deliveries"
IMAGES = ("tfx", "mlserver-tensorflow")
SECONDS = 1200
PYTHON = "/opt/python"
ASK = """
import json, urllib.request
body = json.dumps({"inputs": [
    {"name": name, "datatype": "FP32", "shape": [2, 1], "data": [0.95, 0.05]}
    for name in ("distance", "traffic")
]})
url = "http://deliveries/v2/models/deliveries/infer"
headers = {"Content-Type": "application/json"}
asked = urllib.request.Request(url, body.encode(), headers)
print(urllib.request.urlopen(asked, timeout=60).read().decode())
"""
LIST = """
import json, pathlib
models = pathlib.Path("/models/deliveries")
runs = {run.name: run.glob("*/saved_model.pb") for run in models.iterdir()}
print(json.dumps({run: [found.parent.name for found in saved] for run, saved in runs.items()}))
"""


@pytest.fixture(scope="module")
def depot(stack: Stack) -> Iterator[World]:
    """A namespace with the runtime, the claim for models, and a desk at which somebody asks."""
    here = stack.cluster.name == "builtin"
    assert here, "the node must see this machine's folders, as the built-in one does"
    stack.images(IMAGES)
    stack.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true")
    stack.namespace(NAMESPACE)
    w = World(stack, NAMESPACE)
    python, server = interpreter("tfx"), interpreter("mlserver-tensorflow")
    volumes = {
        "python": python.resolve().parents[1],
        "tfx": packages(python),
        "mlserver": packages(server),
    }
    for name, folder in volumes.items():
        stack.kubectl("delete", "pv", f"{NAMESPACE}-{name}", "--ignore-not-found", "--wait=true")
        stack.apply(yaml.safe_dump(volume(NAMESPACE, name, folder)))
        w.apply(claim(NAMESPACE, name))
    seen = {"name": "models", "persistentVolumeClaim": {"claimName": "models"}}
    mounts = [{"name": "models", "mountPath": "/models", "readOnly": True}]
    own = desk.manifest("docker.io/evenkeel/demo:dev", volumes=(seen,), volumeMounts=mounts)
    w.apply(models_claim(), runtime(), own)
    desk.wait(w)
    with quiet_afterwards(w):
        yield w
    stack.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    volume_names = [f"{NAMESPACE}-{name}" for name in volumes]
    stack.kubectl("delete", "pv", *volume_names, "--wait=false")


@pytest.fixture(scope="module")
def first(depot: World) -> JSON:
    """The version that came of the schedule's first run, which is served."""
    depot.apply(*example())
    version = trained(depot, set())
    depot.ready(NAME, 300)
    return version


def test_what_the_pipeline_blesses_is_pushed_judged_and_served(depot: World, first: JSON) -> None:
    name, spec = first["metadata"]["name"], first["spec"]
    assert spec["cause"]["type"] == "Cron"
    assert spec["uri"] == f"pvc://models/deliveries/{spec['trainingRun']}"
    assert spec["format"]["name"] == "tensorflow"
    metrics = {m["name"]: float(m["value"]) for m in spec["metrics"]}
    assert (metrics["tfx.blessed"], metrics["tfdv.anomalies"]) == (1, 0)
    assert {s["name"] for s in spec["slices"]} == {"shift:day", "shift:night"}
    assert failed_gates(depot, name) == []
    assert depot.condition("modelversion", name, "Approved")["status"] == "True"
    (version,) = pushed(depot)[spec["trainingRun"]]
    assert version.isdecimal()

    answer = ask(depot)
    late, early = answer["outputs"][0]["data"]
    assert answer["model_version"] == name
    assert late > 0.5 > early


def test_what_it_does_not_bless_fails_the_gate_and_is_neither_pushed_nor_served(
    depot: World, first: JSON
) -> None:
    depot.apply(*example(threshold="0.999", cooldownSeconds=0))
    depot.until("a run was made", lambda: len(depot.objects("trainingruns")) > 1)
    depot.patch("rts", NAME, {"suspend": True})
    second = trained(depot, {first["metadata"]["name"]})
    name, run = second["metadata"]["name"], second["spec"]["trainingRun"]
    assert "blessed" in failed_gates(depot, name)
    assert depot.condition("modelversion", name, "Approved")["reason"] == "GatesFailed"
    said = depot.kubectl("logs", f"--selector=evenkeel.dev/run={run}", "--tail=-1")
    assert "the model is not blessed" in said
    assert run not in pushed(depot)
    assert "rollouts" not in depot.get("modelversion", name)["status"]
    assert ask(depot)["model_version"] == first["metadata"]["name"]


def trained(world: World, known: set[str]) -> JSON:
    """The version of the next run that the schedule begins."""

    def made() -> JSON | None:
        failed = [
            run["metadata"]["name"]
            for run in world.objects("trainingruns")
            for c in run.get("status", {}).get("conditions", [])
            if (c["type"], c["status"]) == ("Succeeded", "False")
        ]
        assert not failed, world.kubectl("logs", f"--selector=evenkeel.dev/run={failed[0]}")
        fresh = [v for v in world.objects("modelversions") if v["metadata"]["name"] not in known]
        return fresh[0] if fresh else None

    found: JSON = world.until("a pipeline has made a version", made, SECONDS, every=2)
    return found


def failed_gates(world: World, version: str) -> list[str]:
    """By name, once the version is judged."""

    def judged() -> list[JSON] | None:
        gates: list[JSON] | None = world.get("modelversion", version).get("status", {}).get("gates")
        return gates

    return [g["name"] for g in world.until("gates are judged", judged) if not g["passed"]]


def pushed(world: World) -> dict[str, list[str]]:
    """The SavedModels on the claim: names of their folders, by run."""
    found: dict[str, list[str]] = json.loads(desk.run(world, LIST))
    return found


def ask(world: World) -> JSON:
    """What the served model answers of a far delivery in heavy traffic, and of a near one."""
    answer: JSON = json.loads(desk.run(world, ASK))
    return answer


def example(threshold: str = "0.8", **spec: Any) -> list[JSON]:
    """The schedule and the deployment, for a small node and with what its pods mount."""
    schedule, deployment = yaml.safe_load_all((EXAMPLE / "schedule.yaml").read_text())
    schedule["spec"] |= {
        "triggers": [{"name": "each-minute", "cron": {"schedule": "* * * * *"}}],
        **spec,
    }
    pod = schedule["spec"]["training"]["podTemplate"]["spec"]
    (trainer,) = pod["containers"]
    trainer["command"] = [f"{PYTHON}/bin/python{python_version()}", "/opt/app/pipeline.py"]
    own = {"THRESHOLD": threshold, "LD_LIBRARY_PATH": f"{PYTHON}/lib"}
    kept = [e for e in trainer["env"] if e["name"] not in own]
    trainer["env"] = [*kept, *({"name": k, "value": v} for k, v in own.items())]
    trainer["resources"] = {"requests": {"cpu": "100m", "memory": "1Gi"}}
    mount(pod, trainer, "python", PYTHON)
    mount(pod, trainer, "tfx", SITE)
    deployment["spec"]["replicas"] = 1
    return [schedule, deployment]


def runtime() -> JSON:
    """The example's."""
    found: JSON = yaml.safe_load((RUNTIME / "runtime.yaml").read_text())
    (server,) = found["spec"]["containers"]
    server["command"] = MLSERVER
    server["resources"]["requests"] = {"cpu": "100m", "memory": "1Gi"}
    mount(found["spec"], server, "mlserver", SITE)
    return found


def python_version() -> str:
    """Of TFX's environment, such as 3.10."""
    return packages(interpreter("tfx")).parent.name.removeprefix("python")


def models_claim() -> JSON:
    """A PersistentVolumeClaim that trainer and server share."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "models"},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
