"""A/B and affinity through a real gateway: who matches, who has a cookie, and everybody else."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.support.burst import Burst
from e2e.support.gateway import TRAEFIK, gateway
from e2e.support.world import SKLEARN, World, deployment, quiet_afterwards

GOOD = {"uri": "pvc://models/elec2/good", "format": SKLEARN}
MATCH = [
    {"headers": [{"name": "X-Beta", "value": "yes"}]},
    {"cookies": [{"name": "beta", "value": "v1.2"}]},
    {"headers": [{"name": "X-Team", "value": "^(a|b)$", "type": "RegularExpression"}]},
]
REQUESTS = 200


class Model:
    """A model with a canary in its first step, as clients of the gateway see it."""

    def __init__(self, world: World, name: str, step: dict[str, Any], **traffic: Any) -> None:
        self.world, self.name, self.bursts = world, name, 0
        steps = [{**step, "analysis": False, "pauseSeconds": 3600}]
        traffic = gateway(world, name, **traffic)
        world.apply(deployment(name, GOOD, traffic=traffic, rollout={"steps": steps}))
        world.ready(name)
        world.patch("mdep", name, {"env": [{"name": "REVISION", "value": "two"}]})
        status = world.until("the canary is in its step", self._stepping)
        self.stable, self.canary = status["stable"]["revision"], status["canary"]["revision"]
        # Until then the gateway may know of the former rules alone.
        world.until("the gateway has the rules", lambda: self.taken(world))

    def _stepping(self) -> dict[str, Any] | None:
        status = self.world.deployment(self.name)
        return status if (status.get("canary") or {}).get("stage") == "Stepping" else None

    def taken(self, world: World) -> bool:
        """Whether the gateway has accepted the rules as they are."""
        route = world.get("httproute", self.name)
        generation = route["metadata"]["generation"]
        parents = (route.get("status") or {}).get("parents") or ()
        return any(
            c["type"] == "Accepted"
            and c["status"] == "True"
            and c.get("observedGeneration", generation) == generation
            for parent in parents
            for c in parent["conditions"]
        )

    def ask(self, **headers: str) -> dict[str, Any]:
        """All requests with these headers: who answered, and what cookies were set."""
        self.bursts += 1
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return Burst(
            self.world,
            f"{self.name}-{self.bursts}",
            TRAEFIK,
            self.name,
            count=REQUESTS,
            rate=50,
            clients=4,
            host=f"{self.name}.example",
            headers=sent,
        ).ended()


def test_who_matches_meets_the_canary(world: World) -> None:
    with quiet_afterwards(world):
        model = Model(world, "ab", {"match": MATCH})
        for headers in (
            {"X_Beta": "yes"},
            {"Cookie": "session=1; beta=v1.2; theme=dark"},
            {"X_Team": "b"},
        ):
            assert model.ask(**headers)["answered_by"] == {model.canary: REQUESTS}, headers
        for others in ({}, {"X_Beta": "no"}, {"Cookie": "beta=v1x2"}, {"X_Team": "c"}):
            assert model.ask(**others)["answered_by"] == {model.stable: REQUESTS}, others


def test_a_client_stays_where_it_was(world: World) -> None:
    with quiet_afterwards(world):
        model = Model(world, "sticky", {"weight": 50}, affinity={"cookie": {"name": "seen"}})
        new = model.ask()
        assert set(new["answered_by"]) == {model.stable, model.canary}
        assert new["answered_by"][model.canary] == pytest.approx(REQUESTS / 2, abs=50)
        cookies = {cookie.partition(";")[0] for cookie in new["cookies"]}
        assert cookies == {f"seen={model.stable}", f"seen={model.canary}"}
        for revision in (model.stable, model.canary):
            back = model.ask(Cookie=f"seen={revision}")
            assert back["answered_by"] == {revision: REQUESTS}
        world.patch("mdep", "sticky", {"rollout": {"abort": model.canary}})
        world.until("the trial is over", lambda: not world.deployment("sticky").get("canary"))
        world.until("the gateway has the rules", lambda: model.taken(world))
        gone = model.ask(Cookie=f"seen={model.canary}")
        assert gone["answered_by"] == {model.stable: REQUESTS}
        assert not gone["cookies"]
