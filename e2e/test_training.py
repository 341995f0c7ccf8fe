"""Training Jobs that fail, hang or talk nonsense leave clear conditions; good ones a lineage."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.support.world import World, training

SAY = "import sys; open('/dev/termination-log', 'w').write(sys.argv[1])"
BROKEN: dict[str, tuple[list[str], dict[str, Any], str, str]] = {
    "exits": (["python3", "-c", "raise SystemExit('no data')"], {}, "TrainerFailed", "no data"),
    "hangs": (
        ["python3", "-c", "import time; time.sleep(600)"],
        {"timeoutSeconds": 3},
        "TimedOut",
        "timeoutSeconds 3",
    ),
    "babbles": (["python3", "-c", SAY, "done!"], {}, "InvalidResult", "JSON"),
    "nowhere": (
        ["python3", "-c", SAY, '{"uri": "ftp://x", "format": {"name": "sklearn"}}'],
        {},
        "InvalidResult",
        "pvc://",
    ),
}


@pytest.fixture(scope="module")
def broken(world: World) -> World:
    """All of them at once, since each waits for its pod."""
    for name, (command, changes, _, _) in BROKEN.items():
        world.apply(
            {
                "apiVersion": "evenkeel.dev/v1alpha1",
                "kind": "TrainingRun",
                "metadata": {"name": f"broken-{name}"},
                "spec": {"model": "broken", "training": training({}, command) | changes},
            }
        )
    return world


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_broken_trainer_is_told_apart(broken: World, name: str) -> None:
    _, _, reason, words = BROKEN[name]
    run = f"broken-{name}"
    broken.until(
        f"{run} has failed",
        lambda: broken.condition("trainingrun", run, "Ready").get("status") == "False",
        120,
    )
    condition = broken.condition("trainingrun", run, "Ready")
    assert condition["reason"] == reason
    assert words in condition["message"]
    assert broken.objects("modelversions", f"evenkeel.dev/run={run}") == []


def test_describe_tells_the_whole_story(world: World) -> None:
    """From cause to version; the demonstration's test adds alert and verdict."""
    (version,) = world.objects("modelversions", "evenkeel.dev/run=good")
    text = world.kubectl("describe", "modelversion", version["metadata"]["name"])
    for part in ("Lineage:", "manual", "TrainingRun good", version["metadata"]["name"], "accuracy"):
        assert part in text
