"""A step with a baseline, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support.operating import B, World, model_deployment, until

JSON = dict[str, Any]
STEPS = "[{weight: 25, baseline: true, pauseSeconds: 3}]"


def beside(w: World) -> str:
    """Name of the baseline in force; "" if there is none."""
    return str((w.ns.canary("fraud") or {}).get("baseline", ""))


def stable(w: World) -> str:
    return str(w.ns.status("fraud")["stable"]["revision"])


def sizes(w: World) -> dict[str, int]:
    return {d["metadata"]["name"]: d["spec"]["replicas"] for d in w.ns.all("Deployment")}


async def test_the_copy_is_made_once_compared_with_and_deleted(w: World) -> None:
    """The operator dies as it makes the copy, which is stable's own to the last field."""
    w.ns.create(model_deployment("fraud", steps=STEPS))
    async with w.operator():
        await until(lambda: w.ns.ready("fraud").get("status") == "True")
    w.kubelet.broken = lambda revision: "-base-" in revision
    w.ns.serve("fraud", B)
    dead = asyncio.Event()

    def fault(method: str, path: str) -> int | str | None:
        if "-base-" in path and method in ("PATCH", "POST"):
            dead.set()
        return 500 if dead.is_set() and method != "GET" and "/leases" not in path else None

    w.wire.fault = fault
    async with w.operator(wired=True):
        await asyncio.wait_for(dead.wait(), 60)
    assert beside(w), "the decision is durable before its effect"
    assert beside(w) not in sizes(w)
    async with w.operator():
        await until(lambda: (w.ns.canary("fraud") or {}).get("reason") == "BaselineStarting")
        await until(lambda: beside(w) in sizes(w))
        former, canary, copy = stable(w), w.ns.canary("fraud") or {}, beside(w)
        assert sizes(w) == {former: 2, canary["revision"]: 1, copy: 1}
        template = w.ns.get("Deployment", former)["spec"]["template"]
        template["metadata"]["labels"]["evenkeel.dev/revision"] = copy
        assert w.ns.get("Deployment", copy)["spec"]["template"] == template
        service = w.ns.get("Service", "fraud")["spec"]["selector"]
        assert service["evenkeel.dev/revision"] == former
        made = w.ns.get("Deployment", copy)["metadata"]["uid"]
    # The copy is worse than stable, and the canary as bad as that: by stable it would fail.
    w.counters.bad = lambda revision: 0.0 if revision == former else 0.2
    w.kubelet.broken = lambda revision: False
    async with w.operator():
        await until(lambda: (w.ns.canary("fraud") or {}).get("trafficWeight") == 25)
        assert w.ns.get("Deployment", copy)["metadata"]["uid"] == made
        await until(lambda: w.ns.outcomes("fraud") == ["Promoted AllIndicatorsPass"])
        await until(lambda: sizes(w) == {canary["revision"]: 2})


async def test_a_canary_worse_than_the_baseline_goes_back_and_both_go(w: World) -> None:
    w.ns.create(model_deployment("fraud", steps=STEPS))
    async with w.operator():
        await until(lambda: w.ns.ready("fraud").get("status") == "True")
        former = stable(w)
        # By stable, of which everything is bad, the canary would pass.
        w.counters.bad = lambda revision: (
            1.0 if revision == former else 0.0 if "-base-" in revision else 0.3
        )
        w.ns.serve("fraud", B)
        await until(lambda: w.ns.outcomes("fraud") == ["RolledBack WorseThanStable"])
        await until(lambda: sizes(w) == {former: 2})
