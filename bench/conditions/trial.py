"""One rollout of a condition, as a user sees it: spec written, status read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from evenkeel.api.resources import OWN

from bench.conditions.condition import Condition, edited, merged, usual
from bench.conditions.fleet import Model
from bench.conditions.verdict import PROMOTING, End, Ended

if TYPE_CHECKING:
    from bench.conditions.world import World

JSON = dict[str, Any]
MD = OWN["ModelDeployment"]


class Trial:
    """A ModelDeployment on its way to a new version.

    way: to Prometheus. done: the script has run to its end. refused: why the API server did not
    take an edit. notes: what a script wants its check to know.
    """

    def __init__(self, world: World, condition: Condition, model: Model, way: str) -> None:
        self.world, self.condition, self.model, self.way = world, condition, model, way
        self.spec = usual(condition, world.url(way))
        self.status: JSON = {}
        self.done = False
        self.refused = ""
        self.began = 0.0
        self.notes: set[str] = set()
        self._changed = asyncio.Event()

    @property
    def canary(self) -> JSON:
        """The status' canary; empty without one."""
        found: JSON = self.status.get("canary") or {}
        return found

    @property
    def stage(self) -> str:
        return str(self.canary.get("stage", ""))

    def updated(self, status: JSON) -> None:
        """News of the status."""
        self.status = status
        self._changed.set()

    def serves(self) -> bool:
        """Whether the first version serves with all its pods."""
        stable = self.status.get("stable") or {}
        return int(self.status.get("readyReplicas", 0)) >= self.condition.replicas and bool(stable)

    async def patch(self, change: JSON) -> None:
        """Merges a change into the spec."""
        self.spec = merged(self.spec, change)
        await self.world.client.request(
            "PATCH",
            MD.path(self.model.namespace, self.model.name),
            query={"fieldValidation": "Strict"},
            body={"spec": change},
            content_type="application/merge-patch+json",
        )

    async def edit(self, side: str = "canary") -> None:
        """Asks for a new version."""
        await self.patch(merged(edited(self.spec, side), self.condition.edit))

    async def until(self, check: Callable[[], bool], seconds: float = 60.0) -> bool:
        """Waits for the status; False if it did not come in time or the rollout has ended."""
        limit = time.monotonic() + seconds
        while not check():
            left = limit - time.monotonic()
            if left <= 0:
                return False
            self._changed.clear()
            try:
                async with asyncio.timeout(min(left, 1.0)):
                    await self._changed.wait()
            except TimeoutError:
                continue
        return True

    async def stepping(self, seconds: float = 60.0) -> bool:
        """Waits until the canary gets its share of the requests."""
        return await self.until(
            lambda: self.stage == "Stepping" or self.end() != "Held", seconds
        ) and (self.stage == "Stepping")

    def side_of(self, revision: str) -> str:
        return self.world.player.sides.get((self.model.namespace, revision), "")

    def end(self) -> End:
        """How the rollout of the final version stands."""
        stable = self.status.get("stable") or {}
        if self.side_of(stable.get("revision", "")) == self.condition.final:
            return "Promoted"
        canary = self.canary.get("revision", "")
        for outcome in self.status.get("history") or ():
            final = self.side_of(outcome["revision"]) == self.condition.final
            if final and outcome["outcome"] == "RolledBack" and outcome["revision"] != canary:
                return "RolledBack"
        return "Held"

    def ended(self) -> Ended:
        """The rollout's end, with its reason as the status tells it."""
        end = self.end()
        reason = str(self.canary.get("reason", "no canary"))
        message = str(self.canary.get("message", ""))
        if end != "Held":
            entries = [
                o
                for o in self.status.get("history") or ()
                if o["outcome"] == end and self.side_of(o["revision"]) == self.condition.final
            ]
            reason = str(entries[0].get("reason", "")) if entries else ""
            message = str(entries[0].get("message", "")) if entries else ""
        if self.refused:
            reason, message = "after a refused edit", self.refused
        message = f"[{self.way}] {message}"
        faults = {self.condition.check(self), PROMOTING if self.stage == PROMOTING else ""} - {""}
        return Ended(end, reason, message, frozenset(faults), self._unestablished(reason))

    def _unestablished(self, reason: str) -> str:
        if not self.began:
            return "never begun"
        if self.condition.traffic and not self.refused:
            if not self.model.served(self.condition.final):
                return "no request reached the canary"
            # One that crashes may be gone before the next scrape.
            crashed = reason == "CanaryCrashing"
            if not crashed and not self.model.scrapes(self.condition.final):
                return "the canary was never scraped"
        return ""
