"""The Service of a preview comes with a trial and goes with it; one of another's stays."""

from __future__ import annotations

from typing import Any

from tests.support.operating import B, World, model_deployment, until

NAME, PREVIEW = "payments", "payments-preview"
STEPS = "[{preview: {}, analysis: false, pauseSeconds: 2}]"
PROMOTED = ["Promoted PauseOver"]


def selected(w: World, name: str) -> str | None:
    found = {s["metadata"]["name"]: s["spec"]["selector"] for s in w.ns.all("Service")}
    return found.get(name, {}).get("evenkeel.dev/revision")


async def serves(w: World) -> str:
    w.ns.create(model_deployment(NAME, steps=STEPS))
    await until(lambda: w.ns.ready(NAME).get("reason") == "Serving", f"{NAME} serves")
    return str(w.ns.status(NAME)["stable"]["revision"])


async def test_it_leads_to_the_revision_on_trial_alone(w: World) -> None:
    async with w.operator():
        stable = await serves(w)
        assert selected(w, PREVIEW) is None
        w.ns.serve(NAME, B)
        await until(lambda: selected(w, PREVIEW), "the preview is there")
        canary = selected(w, PREVIEW)
        assert canary != stable
        assert selected(w, NAME) == stable
        await until(lambda: selected(w, NAME) == canary, "all are switched")
        await until(lambda: selected(w, PREVIEW) is None, "the preview is gone")
        assert w.ns.outcomes(NAME) == PROMOTED


async def test_no_trial_begins_while_its_name_is_anothers(w: World) -> None:
    theirs: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": PREVIEW},
        "spec": {"selector": {"app": "theirs"}, "ports": [{"port": 80}]},
    }
    made = w.ns.create(theirs)
    async with w.operator():
        stable = await serves(w)
        w.ns.serve(NAME, B)
        await until(lambda: w.ns.ready(NAME).get("reason") == "NameTaken")
        assert f"Service {PREVIEW}" in str(w.ns.ready(NAME)["message"])
        assert w.ns.revisions(NAME) == [stable]
        assert w.ns.get("Service", PREVIEW)["spec"] == made["spec"]
        w.ns.server.kubectl("-n", w.ns.name, "delete", "service", PREVIEW)
        await until(lambda: w.ns.outcomes(NAME) == PROMOTED)
