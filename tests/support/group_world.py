"""Several worlds side by side: the members of a group, each of which reads the others' statuses."""

from __future__ import annotations

from typing import Any

from evenkeel.api import ModelDeployment
from evenkeel.api.groupstatus import Decided

from tests.support.rollout_world import INDICATORS, World

JSON = dict[str, Any]
NAMES = ("fraud", "geo", "price")
OLD = "s3://m/old"
GOOD, BAD = "s3://m/good", "s3://m/bad"


def group(release: str = "1", members: tuple[str, ...] = NAMES, name: str = "checkout") -> JSON:
    return {"name": name, "members": list(members), "release": release}


class Groups:
    """Members that serve OLD. `late`: who reads of whom what was known a while ago."""

    def __init__(self, *names: str, **rollout: Any) -> None:
        self.worlds: dict[str, World] = {}
        self.gone: set[str] = set()
        self.late: dict[tuple[str, str], ModelDeployment] = {}
        for name in names or NAMES:
            self.add(name, **rollout)
        self.settle()
        self.pods_ready()
        self.settle()

    def __getitem__(self, name: str) -> World:
        return self.worlds[name]

    def add(self, name: str, **rollout: Any) -> World:
        spec = {
            "model": {"uri": OLD, "format": {"name": "sklearn"}},
            "replicas": 2,
            "rollout": {"steps": [{"weight": 50}], "group": group(), **rollout},
            "analysis": {"indicators": list(INDICATORS), "minRequests": 50},
        }
        quality = {OLD: 0.0, GOOD: 0.0, BAD: 0.5}
        made = World(spec, name=name, quality=quality, requests=400)
        made.around = lambda: self.read_by(name)
        self.worlds[name] = made
        return made

    def read_by(self, name: str) -> tuple[ModelDeployment, ...]:
        """What a member reads of all others."""
        rest = (n for n in self.worlds if n != name and n not in self.gone)
        return tuple(self.late.get((name, n)) or self.worlds[n].md for n in rest)

    def keep_late(self, reader: str, of: str) -> None:
        """From now on the reader knows no more of the other than it does now."""
        if reader != of and of not in self.gone:
            self.late.setdefault((reader, of), self.worlds[of].md)

    def forget(self, name: str) -> None:
        """The object is deleted."""
        self.gone.add(name)
        self.late = {pair: md for pair, md in self.late.items() if pair[1] != name}

    def living(self) -> list[World]:
        return [w for name, w in self.worlds.items() if name not in self.gone]

    def release(self, release: str, uri: str = GOOD, **others: str) -> None:
        """All members get a new model and show a new release."""
        for name in self.worlds:
            self.show(name, release, others.get(name, uri))

    def show(self, name: str, release: str, uri: str = GOOD) -> None:
        """One member gets a new model and shows a new release."""
        w = self.worlds[name]
        w.edit_rollout(group={**w.spec["rollout"]["group"], "release": release})
        w.edit(model={"uri": uri, "format": {"name": "sklearn"}})

    def settle(self, most: int = 30) -> None:
        """Reconciles all of them until nothing follows."""
        for _ in range(most):
            before = [w.status for w in self.living()]
            for w in self.living():
                w.settle()
            if before == [w.status for w in self.living()]:
                return
        raise AssertionError("no rest")

    def pods_ready(self) -> None:
        for w in self.living():
            w.pods_ready()

    def run(self, seconds: int = 120, step: int = 5) -> None:
        """Time passes, and pods get ready."""
        for _ in range(0, seconds, step):
            for w in self.living():
                w.pass_time(step)
                w.pods_ready()
            self.settle()

    def outcomes(self, name: str) -> list[str]:
        """How its rollouts ended, newest first."""
        history = self.worlds[name].status.get("history", ())
        return [f"{o['outcome']} {o['reason']}" for o in history]

    def serves(self, name: str) -> str:
        return str(self.worlds[name].status["stable"]["uri"])

    def told(self, name: str) -> JSON:
        """Its status.group."""
        found: JSON = self.worlds[name].status["group"]
        return found

    def standing(self, name: str) -> str:
        return str(self.told(name)["standing"])

    def decided(self) -> list[Decided]:
        """All decisions that any status tells of."""
        groups = (w.md.status.group for w in self.worlds.values())
        return [one for g in groups if g is not None for one in g.decided]
