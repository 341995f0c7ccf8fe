"""What the detectors of drift are told in vain: nothing is lost, and the status says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from evenkeel.controllers.modeldeployment import drifts

from tests.support.metered import (
    MOVED,
    SAME,
    Metered,
    Pod,
    day_text,
    days_ago,
    drifted,
    monitoring,
    of,
    set_back,
    vector,
    watched,
)
from tests.support.operating import World, until

JSON = dict[str, Any]
LOAD = {"kind": "feature", "name": "load", "bin": "0"}

UNUSED: dict[str, tuple[Callable[[World, str], list[Pod]], str, str, str]] = {
    "broken": (
        lambda w, name: [of(w, name, [SAME], state="Broken", why="edges do\nnot rise", digest="")],
        "the profile was broken: edges do not rise",
        "ProfileBroken",
        "evenkeel-profile.json: edges do not rise",
    ),
    "absent": (
        lambda w, name: [of(w, name, [{}], state="Absent", digest="")],
        "the profile was absent",
        "ProfileAbsent",
        "have the trainer write it",
    ),
    "mixed": (
        lambda w, name: [of(w, name, [SAME]), of(w, name, [SAME], "bcdef", digest="d2")],
        "pods had different profiles",
        "Counting",
        "",
    ),
    "mismatched": (
        lambda w, name: [of(w, name, [{}], bodies="mismatched")],
        "fewer rows than minRows 200",
        "ProfileMismatched",
        "name each feature's tensor and column",
    ),
    "strange": (
        lambda w, name: [of(w, name, [{("feature", "load"): {"7": 800}}])],
        "the reference has no bins ['7']",
        "Counting",
        "",
    ),
}
"""By name: the pods, what the block tells, and what Monitored says."""


async def test_a_block_that_tells_nothing_is_void_and_says_why(w: World, m: Metered) -> None:
    for name in UNUSED:
        w.ns.create(watched(name))
    async with w.operator():
        for name in UNUSED:
            await until(lambda name=name: monitoring(w, name))  # type: ignore[misc]
    await m.have(w.ns.name, *(pod for name, each in UNUSED.items() for pod in each[0](w, name)))
    for name in UNUSED:
        set_back(w, name, days_ago(1))
    async with w.operator():
        for name, (_, told, reason, message) in UNUSED.items():
            await until(lambda name=name: monitoring(w, name)["blocks"] == 1)  # type: ignore[misc]
            seen = monitoring(w, name)
            assert (seen["void"], seen["until"]) == (1, day_text(0)), name
            assert told in seen["message"]
            found = drifted(w, name)
            assert (found["status"], found["reason"]) == ("Unknown", "AwaitingBlocks"), name
            assert told in found["message"]
            await until(
                lambda name=name, reason=reason: (  # type: ignore[misc]
                    w.ns.condition(name, "Monitored")["reason"] == reason
                ),
                f"{name}: {w.ns.condition(name, 'Monitored')}",
            )
            assert message in w.ns.condition(name, "Monitored")["message"]
            assert w.ns.ready(name)["status"] == "True", "its serving has no part in it"


@pytest.mark.parametrize("number", ["NaN", "-5", "1e300", "+Inf"])
async def test_counts_that_are_none_make_a_block_void(w: World, m: Metered, number: str) -> None:
    await prepared(w, m)
    m.fault = lambda query, at: (
        vector((LOAD, number)) if "values_total" in query and at == days_ago(1) else None
    )
    async with w.operator():
        await until(lambda: monitoring(w)["blocks"] == 2)
    assert (monitoring(w)["void"], drifted(w)["reason"]) == (1, "NoDrift")


def error() -> web.Response:
    return web.Response(status=503, text="down")


def garbage() -> web.Response:
    return web.Response(text="<html>" * 100)


def flood() -> web.Response:
    return vector(*((LOAD | {"n": str(n)}, "1") for n in range(70_000)))


def nested() -> web.Response:
    return web.Response(text="[" * 400_000)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (error, "SourceUnavailable"),
        (garbage, "SourceNotUnderstood"),
        (flood, "SourceNotUnderstood"),
        (nested, "SourceNotUnderstood"),
    ],
)
async def test_a_block_that_cannot_be_asked_about_is_asked_again(
    w: World,
    m: Metered,
    monkeypatch: pytest.MonkeyPatch,
    wrong: Callable[[], web.Response],
    reason: str,
) -> None:
    """Only its own questions fail: how the meters count now is known."""
    monkeypatch.setattr(drifts, "AGAIN", 0.2)
    await prepared(w, m)
    m.fault = lambda query, at: wrong() if at == days_ago(0) else None
    async with w.operator():
        await until(lambda: w.ns.condition("elec", "Monitored")["reason"] == reason)
        assert (monitoring(w)["blocks"], monitoring(w)["until"]) == (1, day_text(1))
        m.fault = lambda query, at: None
    # Another process asks at once, however long the pauses after failures have become.
    async with w.operator():
        await until(lambda: w.ns.condition("elec", "Monitored")["reason"] == "Counting")
        await until(lambda: monitoring(w)["blocks"] == 2)
    assert (monitoring(w)["void"], drifted(w)["reason"]) == (0, "NoDrift")


async def prepared(w: World, m: Metered) -> None:
    """Two days that are as the profile, and nobody asked about yet."""
    w.ns.create(watched("elec"))
    async with w.operator():
        await until(lambda: monitoring(w))
    await m.have(w.ns.name, of(w, "elec", [SAME, SAME]))
    set_back(w, "elec", days_ago(2))


HOSTILE = {
    "control": "a\x00b\x1b[31m\n\r\u202e\u2028",
    "long": "n" * 10_000,
    "wide": "\U0001f600" * 2_500,
    "quotes": "'\"\\{}`$(x) %s {{revision}}",
}


async def test_hostile_names_are_told_in_one_short_line(w: World, m: Metered) -> None:
    for name in HOSTILE:
        w.ns.create(watched(name))
    async with w.operator():
        for name in HOSTILE:
            await until(lambda name=name: monitoring(w, name))  # type: ignore[misc]

    def pod(name: str) -> Pod:
        text = HOSTILE[name]
        same, moved = (
            {(kind, n + text): bins for (kind, n), bins in rows.items()} for rows in (SAME, MOVED)
        )
        return of(w, name, [same, moved, moved], reference=same, digest=text[:256])

    await m.have(w.ns.name, *map(pod, HOSTILE))
    for name in HOSTILE:
        set_back(w, name, days_ago(3))
    async with w.operator():
        for name in HOSTILE:
            await until(lambda name=name: monitoring(w, name)["blocks"] == 3)  # type: ignore[misc]
            await until(lambda name=name: drifted(w, name)["status"] == "True")  # type: ignore[misc]
            assert drifted(w, name)["message"].isprintable()
            for group in monitoring(w, name)["groups"]:
                for feature in group["features"]:
                    assert feature["name"].isprintable()
            await until(lambda name=name: told(w, name))  # type: ignore[misc]
            assert all(note.isprintable() for note in told(w, name))


def told(w: World, name: str) -> list[str]:
    """What Events say of its drift."""
    path = f"/apis/events.k8s.io/v1/namespaces/{w.ns.name}/events"
    items = w.server.http.get(path).raise_for_status().json()["items"]
    ours = [e for e in items if e["regarding"]["name"] == name and e["reason"] == "Drifted"]
    return [e["note"] for e in ours]
