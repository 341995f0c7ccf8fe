"""A language model behind llama.cpp's server: streamed, judged by its tokens' times, taken back."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.paths import ROOT
from dev.stack.install import Stack
from e2e.support.pods import pod
from e2e.support.streams import streaming
from e2e.support.world import World, quiet_afterwards

pytestmark = pytest.mark.heavy
NAME = "writer"
EXAMPLE = ROOT / "examples" / "llm"
PROMPT = "A canary gets requests only once its pods are ready. " * 6
ASKED = {
    "model": NAME,
    "prompt": PROMPT,
    "max_tokens": 48,
    "stream": True,
    "stream_options": {"include_usage": True},
}


@pytest.fixture(scope="module")
def llm(stack: Stack) -> Iterator[World]:
    """A namespace whose claim `models` has the example's two models."""
    stack.images(("llm-server",))
    stack.kubectl("delete", "namespace", "llm", "--ignore-not-found", "--wait=true")
    stack.namespace("llm")
    w = World(stack, "llm")
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "100Mi"}}}
    w.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "models"},
            "spec": claim,
        },
        _desk(),
    )
    w.kubectl("wait", "--for=condition=Ready", "pod/desk", "--timeout=120s")
    for file in sorted(EXAMPLE.glob("models/*/model.gguf")):
        _put(w, file)
    with quiet_afterwards(w):
        yield w
    stack.kubectl("delete", "namespace", "llm", "--wait=false")


def test_a_language_model_is_rolled_out_by_how_its_answers_stream(llm: World) -> None:
    written = yaml.safe_load((EXAMPLE / "deployment.yaml").read_text())
    llm.apply(written)
    llm.ready(NAME)
    first = llm.deployment(NAME)["stable"]["revision"]
    revision, lines = _streamed(llm)
    assert revision == first
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    assert sum(bool(c["choices"] and c["choices"][0]["text"]) for c in chunks) > 20
    assert chunks[-1]["usage"]["completion_tokens"] == ASKED["max_tokens"]

    llm.apply(streaming("readers", NAME, json.dumps(ASKED), count=6000, rate=8))
    llm.until("answers are read", lambda: llm.codes("readers").get("200", 0) > 50)
    llm.until("the server's own metrics come by the meter", lambda: _tokens(llm, first) > 1000)

    llm.patch("mdep", NAME, {"model": {"uri": "pvc://models/2"}})
    second = _ended(llm, 1)
    assert second["outcome"] == "Promoted", second
    assert "time-per-output-token: canary" in second["message"], second
    assert llm.deployment(NAME)["stable"]["revision"] == second["revision"] != first
    codes = llm.codes("readers")
    assert set(codes) == {"200", "chunks"}, f"clients saw errors: {codes}"
    assert codes["chunks"] > 20 * codes["200"]

    # A share of a CPU: tokens wait for it.
    starved = {"requests": {"cpu": "30m", "memory": "128Mi"}, "limits": {"cpu": "30m"}}
    llm.patch("mdep", NAME, {"resources": starved})
    slow = _ended(llm, 2)
    assert slow["outcome"] == "RolledBack", slow
    assert slow["message"].startswith("time-"), slow

    # A context that is too short for what clients ask.
    short = {"env": [{"name": "LLAMA_ARG_CTX_SIZE", "value": "256"}]}
    fast = {"requests": written["spec"]["resources"]["requests"], "limits": {"cpu": None}}
    llm.patch("mdep", NAME, {"resources": fast, **short})
    forgetful = _ended(llm, 3)
    assert (forgetful["outcome"], llm.deployment(NAME)["stable"]["revision"]) == (
        "RolledBack",
        second["revision"],
    )
    assert forgetful["message"].startswith("errors"), forgetful
    llm.stop("readers")


def _ended(llm: World, rollouts: int) -> dict[str, Any]:
    """The newest of so many rollouts, once it has ended."""

    def ended() -> bool:
        status = llm.deployment(NAME)
        return len(status.get("history", [])) == rollouts and not status.get("canary")

    llm.until(f"rollout {rollouts} has ended", ended, 240)
    found: dict[str, Any] = llm.deployment(NAME)["history"][0]
    print(f"rollout {rollouts}: {found}")
    return found


def _tokens(llm: World, revision: str) -> float:
    query = f'llamacpp:tokens_predicted_total{{namespace="{llm.namespace}",pod=~"{revision}-.*"}}'
    return sum(float(one["value"][1]) for one in llm.prometheus(query))


ASK = """
import http.client, json, sys
c = http.client.HTTPConnection(sys.argv[1], timeout=30)
c.request("POST", "/v1/completions", sys.argv[2], {"Content-Type": "application/json"})
answer = c.getresponse()
lines = [line.strip().decode() for line in answer]
told = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
print(json.dumps([answer.getheader("Evenkeel-Revision"), told]))
"""


def _streamed(llm: World) -> tuple[str, list[str]]:
    """Which revision answered, and the events of its stream."""
    ask = ("exec", "desk", "--", "python3", "-c", ASK, NAME, json.dumps(ASKED))
    revision, lines = json.loads(llm.kubectl(*ask))
    return revision, lines


PUT = """
import base64, pathlib, sys
file = pathlib.Path(sys.argv[1])
file.parent.mkdir(parents=True, exist_ok=True)
file.write_bytes(base64.b64decode(sys.stdin.read()))
"""


def _put(llm: World, file: Path) -> None:
    target = f"/models/{file.parent.name}/{file.name}"
    text = base64.b64encode(file.read_bytes()).decode()
    llm.kubectl("exec", "-i", "desk", "--", "python3", "-c", PUT, target, stdin=text)


def _desk() -> dict[str, Any]:
    container = {
        "image": "docker.io/evenkeel/demo:dev",
        "command": ["python3", "-c", "import time; time.sleep(1800)"],
        "volumeMounts": [{"name": "models", "mountPath": "/models"}],
    }
    claim = {"name": "models", "persistentVolumeClaim": {"claimName": "models"}}
    security = {
        "fsGroup": 65532,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return pod("desk", container, volumes=[claim], securityContext=security)
