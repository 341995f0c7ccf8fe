"""What becomes of evidence of drift when objects change, lose their status or go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.metered import (
    MOVED,
    SAME,
    Metered,
    begin,
    day_text,
    days_ago,
    drifted,
    monitoring,
    of,
    set_back,
    watched,
)
from tests.support.operating import World, until
from tests.support.restoring import quiet

JSON = dict[str, Any]
NOTHING = {"status": None}


async def drift(w: World, m: Metered) -> JSON:
    """Three days of which two show a drift, and the run that it causes."""
    async with w.operator():
        begin(w)
        await until(lambda: drifted(w)["reason"] == "AwaitingBlocks")
    await m.have(w.ns.name, of(w, "elec", [SAME, MOVED, MOVED]))
    set_back(w, "elec", days_ago(3))
    async with w.operator():
        await until(lambda: w.ns.all("Job"))
        await until(lambda: w.ns.status("retrain", "RetrainSchedule").get("active"))
        await quiet(w.ns)
    assert len(w.ns.all("TrainingRun")) == 1
    return monitoring(w)


@pytest.mark.parametrize("lost", ["evidence", "monitoring", "all status"])
async def test_what_is_lost_begins_anew_and_starts_no_second_run(
    w: World, m: Metered, lost: str
) -> None:
    before = await drift(w, m)
    if lost == "evidence":
        damaged = {"status": {"monitoring": {"evidence": "1;damaged"}}}
        w.ns.patch("ModelDeployment", "elec", damaged, "status")
    elif lost == "monitoring":
        w.ns.patch("ModelDeployment", "elec", {"status": {"monitoring": None}}, "status")
    else:
        for kind, name in (("ModelDeployment", "elec"), ("RetrainSchedule", "retrain")):
            w.ns.patch(kind, name, NOTHING, "status")
    async with w.operator():
        await until(lambda: monitoring(w) and drifted(w))
        await quiet(w.ns)
    # All of it is asked about once more, as the operator was down.
    set_back(w, "elec", days_ago(3))
    async with w.operator():
        await until(lambda: drifted(w)["status"] == "True")
        await until(lambda: monitoring(w)["until"] == before["until"])
        await quiet(w.ns)
    assert monitoring(w)["groups"] == before["groups"]
    assert len(w.ns.all("TrainingRun")) == len(w.ns.all("Job")) == 1


def another_model(w: World) -> None:
    w.ns.serve("elec", "s3://m/b")


def other_terms(w: World) -> None:
    terms = {"detection": {"tolerance": "0.06"}}
    w.ns.patch("ModelDeployment", "elec", {"spec": {"monitoring": terms}})


@pytest.mark.parametrize("change", [another_model, other_terms])
async def test_evidence_is_of_one_revision_and_detection(
    w: World, m: Metered, change: Callable[[World], None]
) -> None:
    async with drifting(w, m):
        before = monitoring(w)
        change(w)
        await until(lambda: drifted(w)["reason"] == "AwaitingBlocks")
        now = monitoring(w)
    assert (now["blocks"], now.get("groups", []), now["evidence"]) == (0, [], "")
    assert (now["revision"], now["terms"]) != (before["revision"], before["terms"])


async def test_without_monitoring_there_is_no_evidence_and_with_it_it_begins_anew(
    w: World, m: Metered
) -> None:
    async with drifting(w, m):
        w.ns.patch("ModelDeployment", "elec", {"spec": {"monitoring": None}})
        await until(lambda: not w.ns.status("elec")["stable"].get("meter"))
        assert not monitoring(w)
        assert not drifted(w)
        assert not w.ns.condition("elec", "Monitored")
        w.ns.patch("ModelDeployment", "elec", {"spec": {"monitoring": {}}})
        await until(lambda: drifted(w)["reason"] == "AwaitingBlocks")
        assert monitoring(w)["blocks"] == 0


async def test_evidence_is_of_one_profile(w: World, m: Metered) -> None:
    """Another one lies in the folder of the same revision, by which nothing has drifted."""
    w.ns.create(watched("elec"))
    async with w.operator():
        await until(lambda: monitoring(w))
    old = of(w, "elec", [SAME, MOVED, MOVED], end=days_ago(1))
    await m.have(w.ns.name, old, of(w, "elec", [MOVED], "bcdef", reference=MOVED, digest="d2"))
    set_back(w, "elec", days_ago(4))
    async with w.operator():
        await until(lambda: monitoring(w)["until"] == day_text(0))
        await until(lambda: drifted(w)["status"] == "False")
    seen = monitoring(w)
    assert (seen["blocks"], seen["void"], seen["reference"]["digest"]) == (1, 0, "d2")


@asynccontextmanager
async def drifting(w: World, m: Metered) -> AsyncIterator[None]:
    """A model that is shown to drift, and an operator."""
    w.ns.create(watched("elec"))
    async with w.operator():
        await until(lambda: monitoring(w))
    await m.have(w.ns.name, of(w, "elec", [SAME, MOVED, MOVED]))
    set_back(w, "elec", days_ago(3))
    async with w.operator():
        await until(lambda: drifted(w)["status"] == "True")
        yield


async def test_a_model_that_is_deleted_in_the_middle_leaves_nothing(w: World, m: Metered) -> None:
    w.ns.create(watched("elec"))
    async with w.operator():
        await until(lambda: monitoring(w))
    await m.have(w.ns.name, of(w, "elec", [SAME, MOVED, MOVED]))
    set_back(w, "elec", days_ago(3))

    def gone() -> bool:
        return not w.ns.all("ModelDeployment")

    def delete(query: str, at: int | None) -> None:
        if at == days_ago(1) and not gone():
            w.ns.server.kubectl("-n", w.ns.name, "delete", "modeldeployment", "elec", "--wait=0")

    m.fault = delete
    async with w.operator() as operator:
        await until(gone)
        await until(lambda: operator._controller.queue.depth() == 0)
        await quiet(w.ns)
        asked = len(m.asked)
        w.ns.create(watched("elec"))
        await until(lambda: drifted(w)["reason"] == "AwaitingBlocks")
        assert monitoring(w)["blocks"] == 0
    assert len(m.asked) == asked
