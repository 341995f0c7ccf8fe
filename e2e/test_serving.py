"""Models are served from volumes and by download, and refusals say what to do."""

from __future__ import annotations

import json
from typing import Any

from e2e.support.pods import pod
from e2e.support.world import RECORD, SKLEARN, World, deployment

GOOD = {"uri": "pvc://models/elec2/good", "format": SKLEARN}


def test_a_model_on_a_volume_answers_inferences(world: World) -> None:
    world.apply(
        deployment("volume", {"uri": "pvc://models/elec2/good", "format": SKLEARN}, replicas=2)
    )
    obj = world.ready("volume")
    assert obj["status"]["stable"]["readyReplicas"] == 2
    world.load("volume-load", "volume", "volume", count=40, rate=40)
    codes = world.until("40 answers", lambda: _complete(world, "volume-load", 40))
    assert codes == {"200": 40}
    world.kubectl("delete", "mdep", "volume", "--wait=true")
    world.until(
        "its children are gone",
        lambda: not world.objects("deploy", "evenkeel.dev/deployment=volume"),
    )


def test_a_model_is_downloaded_by_the_initializer(world: World) -> None:
    """From a web server in the cluster, through the storage initializer's image."""
    volume = {"name": "models", "persistentVolumeClaim": {"claimName": "models"}}
    server = {
        "image": "docker.io/evenkeel/demo:dev",
        "command": ["python3", "-m", "http.server", "8000", "-d", "/models"],
        "volumeMounts": [{"name": "models", "mountPath": "/models", "readOnly": True}],
    }
    world.apply(
        pod("files", server, {"app": "files"}, volumes=[volume]),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "files"},
            "spec": {"selector": {"app": "files"}, "ports": [{"port": 8000}]},
        },
    )
    world.kubectl("wait", "--for=condition=Ready", "pod/files", "--timeout=60s")
    world.apply(
        deployment(
            "download",
            {"uri": "http://files:8000/elec2/good/model.joblib", "format": SKLEARN},
        )
    )
    world.ready("download")
    world.load("download-load", "download", "download", count=20, rate=20)
    assert world.until("20 answers", lambda: _complete(world, "download-load", 20)) == {"200": 20}
    world.kubectl("delete", "mdep/download", "pod/files", "svc/files", "--wait=false")


def test_a_refusal_names_the_cause_and_the_remedy(world: World) -> None:
    world.apply(deployment("onnx", {"uri": "pvc://models/x", "format": {"name": "unheard-of"}}))
    ready = world.until(
        "Ready is False", lambda: world.condition("mdep", "onnx", "Ready").get("status") == "False"
    )
    assert ready
    condition = world.condition("mdep", "onnx", "Ready")
    assert condition["reason"] == "NoRuntimeForFormat"
    assert "unheard-of" in condition["message"]
    assert "spec.runtime" in condition["message"]
    world.kubectl("delete", "mdep", "onnx")


def test_a_pod_is_warmed_up_before_it_is_ready_also_after_a_restart(world: World) -> None:
    world.apply(deployment("warm", GOOD, warmUp={"requests": 5, "body": json.dumps(RECORD)}))
    world.ready("warm")
    (pod,) = world.objects("pods", "evenkeel.dev/deployment=warm")
    name = pod["metadata"]["name"]
    assert _rounds(world, name) == 1
    end = "import os, signal; os.kill(1, signal.SIGTERM)"
    world.kubectl("exec", name, "-c", "model", "--", "python3", "-c", end)

    def restarted_and_ready() -> bool:
        status = world.get("pod", name)["status"]
        model = next(c for c in status["containerStatuses"] if c["name"] == "model")
        ready = {c["type"]: c["status"] for c in status["conditions"]}["Ready"] == "True"
        return bool(model["restartCount"] == 1 and model["ready"] and ready)

    world.until("the model server is back", restarted_and_ready, every=0.1)
    assert _rounds(world, name) == 2, "no pod is ready before its new process is warm"
    world.kubectl("delete", "mdep", "warm", "--wait=false")


def test_a_model_that_cannot_be_warmed_up_gets_no_traffic_and_says_why(world: World) -> None:
    world.apply(deployment("cold", GOOD, warmUp={"requests": 1, "body": "{}"}))

    def told() -> Any:
        return "was answered 4" in world.condition("mdep", "cold", "Ready").get("message", "")

    world.until("the server's answer is told", told, 300)
    assert world.condition("mdep", "cold", "Available")["status"] == "False"
    world.kubectl("delete", "mdep", "cold", "--wait=false")


def _rounds(world: World, pod: str) -> int:
    """How often the model server of a pod was warmed up."""
    return world.kubectl("logs", pod, "-c", "warm-up").count("warm after 5 requests")


def _complete(world: World, pod: str, count: int) -> dict[str, int] | None:
    codes = world.codes(pod)
    return codes if sum(codes.values()) >= count else None
