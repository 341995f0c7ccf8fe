"""A pod of a team's own, in which somebody types."""

from __future__ import annotations

from typing import Any

from e2e.support.world import JSON, World

NAME = "desk"


def manifest(image: str, *, volumes: tuple[JSON, ...] = (), **container: Any) -> JSON:
    """It waits, under Pod Security restricted; `container` adds to its container."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NAME},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": NAME,
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python3", "-c", "import time; time.sleep(7200)"],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    **container,
                }
            ],
            "volumes": list(volumes),
        },
    }


def wait(world: World) -> None:
    """Until somebody can type."""
    world.kubectl("wait", "--for=condition=Ready", f"pod/{NAME}", "--timeout=180s")


def run(world: World, program: str, *arguments: str) -> str:
    """What the Python program prints there."""
    return world.kubectl("exec", NAME, "--", "python3", "-c", program, *arguments)
