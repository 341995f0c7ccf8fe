"""Stable's meters divide clients by a header, without a gateway: each client meets one revision."""

from __future__ import annotations

from typing import Any

from e2e.support.burst import Burst
from e2e.support.world import SKLEARN, World, deployment, quiet_afterwards

GOOD = {"uri": "pvc://models/elec2/good", "format": SKLEARN}
USERS = ("ann", "bob", "cy", "dee", "eve", "fay")
"""Clients that the hash of the model's name and theirs parts."""
REQUESTS = 40


def ask(world: World, name: str, number: int, **headers: str) -> dict[str, Any]:
    """All requests of one client: who answered."""
    burst = Burst(
        world, f"{name}-{number}", name, name, count=REQUESTS, rate=40, clients=2, headers=headers
    )
    return dict(burst.ended()["answered_by"])


def test_a_client_meets_one_revision(world: World) -> None:
    name = "by-header"
    with quiet_afterwards(world):
        world.apply(
            deployment(
                name,
                GOOD,
                monitoring={},
                traffic={"affinity": {"header": {"name": "X-User"}}},
                rollout={"steps": [{"weight": 50, "analysis": False, "pauseSeconds": 3600}]},
            )
        )
        world.ready(name)
        world.patch("mdep", name, {"env": [{"name": "REVISION", "value": "two"}]})
        reached = f'evenkeel_model_division_reached{{namespace="{world.namespace}"}} == 1'
        world.until("stable's meter has found the canary", lambda: world.prometheus(reached))
        status = world.deployment(name)
        stable, canary = status["stable"]["revision"], status["canary"]["revision"]
        met = [ask(world, name, n, **{"X-User": user}) for n, user in enumerate(USERS)]
        assert all(answered in ({stable: REQUESTS}, {canary: REQUESTS}) for answered in met), met
        assert {canary: REQUESTS} in met
        assert {stable: REQUESTS} in met
        assert ask(world, name, 10) == {stable: REQUESTS}, "without the header"
        world.patch("mdep", name, {"rollout": {"abort": canary}})
        world.until("the trial is over", lambda: not world.deployment(name).get("canary"))
        back = met.index({canary: REQUESTS})
        assert ask(world, name, 11, **{"X-User": USERS[back]}) == {stable: REQUESTS}
