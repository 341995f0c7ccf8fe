"""Two models that are promoted together, with real model servers."""

from __future__ import annotations

from e2e.support.world import SKLEARN, World, deployment

GOOD = {"uri": "pvc://models/elec2/good", "format": SKLEARN}
NAMES = ("joint-features", "joint-prices")


def _group(release: str) -> dict[str, object]:
    return {"name": "joint", "members": list(NAMES), "release": release}


def _standing(world: World, name: str) -> str:
    return str(world.deployment(name).get("group", {}).get("standing", ""))


def test_the_first_that_is_ready_waits_for_the_other(world: World) -> None:
    """The one is released at once, the other shows the release a while later."""
    for name in NAMES:
        world.apply(deployment(name, GOOD, replicas=1, rollout={"group": _group("1")}))
    for name in NAMES:
        world.ready(name)
    before = {name: world.deployment(name)["stable"]["revision"] for name in NAMES}
    one, other = NAMES
    edit = {"env": [{"name": "REVISION", "value": "two"}], "rollout": {"group": _group("2")}}
    world.patch("mdep", one, edit)
    world.until("the first has passed", lambda: _standing(world, one) == "Ready")
    told = world.condition("mdep", one, "RolloutHealthy")
    assert told["reason"] == "AwaitingGroup"
    assert f"{other} shows release '1', not '2'" in told["message"]
    assert world.deployment(one)["stable"]["revision"] == before[one]
    world.patch("mdep", other, edit)

    def promoted() -> bool:
        now = {name: world.deployment(name) for name in NAMES}
        return all(
            s["stable"]["revision"] != before[name] and not s.get("canary")
            for name, s in now.items()
        )

    world.until("both are promoted", promoted)
    for name in NAMES:
        last = world.deployment(name)["history"][0]
        assert last["outcome"] == "Promoted"
        assert "promoted with the group joint" in last["message"]
