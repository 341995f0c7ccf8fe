"""Posts a CloudEvent to the operator's webhook from a pod that has its token."""

from __future__ import annotations

import json
import uuid
from typing import Any

from dev.stack.install import MONITORING
from e2e.support.pods import pod
from e2e.support.world import World

WEBHOOK = "http://evenkeel-webhook.evenkeel-system.svc:8088"
SEND = """
import sys, urllib.request
token = open("/token/token").read()
head = {"Content-Type": "application/cloudevents+json", "Authorization": "Bearer " + token}
request = urllib.request.Request(sys.argv[1], sys.argv[2].encode(), head)
print(urllib.request.urlopen(request, timeout=30).status)
"""


def send(world: World, event: dict[str, Any]) -> None:
    """Sends the event to the namespace's path, and waits until it is taken."""
    there = World(world.stack, MONITORING)
    name = f"sender-{uuid.uuid4().hex[:8]}"
    address = f"{WEBHOOK}/events/{world.namespace}"
    container = {
        "image": "docker.io/evenkeel/demo:dev",
        "command": ["python3", "-c", SEND, address, json.dumps(event)],
        "volumeMounts": [{"name": "token", "mountPath": "/token"}],
    }
    token = {"name": "token", "secret": {"secretName": "evenkeel-webhook"}}
    there.apply(pod(name, container, restartPolicy="Never", volumes=[token]))
    there.until(f"{name} has sent", lambda: _phase(there, name) in ("Succeeded", "Failed"), 60)
    assert _phase(there, name) == "Succeeded", there.kubectl("logs", name)
    there.kubectl("delete", "pod", name, "--wait=false")


def _phase(there: World, name: str) -> str:
    return str(there.get("pod", name)["status"].get("phase", ""))
