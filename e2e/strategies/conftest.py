"""A node has room for one test's models: what a test has made goes with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.support.world import World


@pytest.fixture(autouse=True)
def room(request: pytest.FixtureRequest) -> Iterator[None]:
    """Deletes all ModelDeployments of the test's world, and waits for their pods to end."""
    yield
    if "world" not in request.fixturenames:
        return
    world: World = request.getfixturevalue("world")
    world.kubectl("delete", "mdep", "--all", "--wait=true")
    world.until(
        "the models' pods have ended",
        lambda: not world.objects("pods", "evenkeel.dev/deployment"),
    )
