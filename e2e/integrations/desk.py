"""A pod of a team's own, in which somebody types."""

from __future__ import annotations

from typing import Any

from e2e.support.pods import pod
from e2e.support.world import JSON, World

NAME = "desk"
WAITS = ("python3", "-c", "import time; time.sleep(7200)")


def manifest(image: str, *, volumes: tuple[JSON, ...] = (), **container: Any) -> JSON:
    """It waits; `container` adds to its container."""
    waiting = {"image": image, "command": list(WAITS), **container}
    return pod(NAME, waiting, terminationGracePeriodSeconds=1, volumes=list(volumes))


def wait(world: World) -> None:
    """Until somebody can type."""
    world.kubectl("wait", "--for=condition=Ready", f"pod/{NAME}", "--timeout=180s")


def run(world: World, program: str, *arguments: str) -> str:
    """What the Python program prints there."""
    return world.kubectl("exec", NAME, "--", "python3", "-c", program, *arguments)
