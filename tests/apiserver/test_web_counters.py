"""A canary that is judged by what a web API counts, from the Secret to the verdict."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.manifests import manifest
from tests.support.operating import JSON, A, B, C, World, model_deployment, until

TOKEN = "hush-hush"


class Outcomes:
    """A web API whose counters rise by `rate` a second for each revision that it knows.

    bad: share of bad events by revision. unknown: whether it knows no revision.
    """

    def __init__(self, rate: int = 3000) -> None:
        self.rate, self.unknown = rate, False
        self.bad: dict[str, float] = {}
        self._since: dict[str, float] = {}

    async def handle(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"message": "who are you?"}, status=401)
        revision = request.query["revision"]
        if self.unknown:
            return web.json_response({"message": f"no revision {revision}"}, status=404)
        start = self._since.setdefault(revision, time.monotonic())
        total = 1000 + int(self.rate * (time.monotonic() - start))
        good = int(total * (1 - self.bad.get(revision, 0.0)))
        return web.json_response({"counts": [{"all": total, "good": good}]})


@asynccontextmanager
async def serving(outcomes: Outcomes) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/v1/counts", outcomes.handle)
    async with TestServer(app) as server:
        yield f"http://127.0.0.1:{server.port}/v1/counts"


def judged(url: str, name: str = "fraud") -> JSON:
    made = model_deployment(name, steps="[{weight: 50}]")
    args = [{"name": "of", "value": "{{revision}}"}]
    indicator = {"name": "refunds", "templateRef": {"name": "refunds"}, "args": args}
    made["spec"]["analysis"]["indicators"] = [indicator]
    return made


def template(url: str) -> JSON:
    spec = f"""
        parameters: [{{name: of}}]
        total: null
        good: null
        web:
          url: '{url}?revision={{{{args.of}}}}'
          total: /counts/0/all
          good: /counts/0/good
          secretName: outcomes
    """
    return manifest("IndicatorTemplate", spec, "refunds")


async def test_a_web_api_promotes_takes_back_and_is_never_passed_unheard(w: World) -> None:
    outcomes = Outcomes()
    async with serving(outcomes) as url, w.operator():
        w.ns.create(template(url))
        w.ns.create(judged(url))
        await until(lambda: w.ns.ready("fraud").get("status") == "True")

        # Without its Secret nothing is promoted, whatever onUndecided says.
        w.ns.patch("ModelDeployment", "fraud", {"spec": {"analysis": {"onUndecided": "Promote"}}})
        w.ns.serve("fraud", B)
        await until(lambda: (w.ns.canary("fraud") or {}).get("reason") == "SourceAccessDenied")
        assert "there is no Secret 'outcomes'" in (w.ns.canary("fraud") or {})["message"]
        w.server.kubectl(
            *("-n", w.ns.name, "create", "secret", "generic", "outcomes"),
            f"--from-literal=token={TOKEN}",
        )
        await until(lambda: w.ns.outcomes("fraud") == ["Promoted AllIndicatorsPass"], seconds=120)
        told = w.ns.status("fraud")["history"][0]["message"]
        assert "refunds: canary 0/" in told

        # A bad one goes back by the same counters.
        good = w.ns.revisions("fraud")
        w.ns.serve("fraud", C)
        await until(lambda: set(w.ns.revisions("fraud")) - set(good))
        (bad,) = set(w.ns.revisions("fraud")) - set(good)
        outcomes.bad[bad] = 0.5
        await until(lambda: w.ns.outcomes("fraud")[0].startswith("RolledBack"))
        assert (w.ns.outcomes("fraud")[0], w.ns.stable_uri("fraud")) == (
            "RolledBack WorseThanStable",
            B,
        )


async def test_what_the_api_does_not_know_is_told_and_undecided(w: World) -> None:
    outcomes = Outcomes()
    outcomes.unknown = True
    async with serving(outcomes) as url, w.operator():
        w.server.kubectl(
            *("-n", w.ns.name, "create", "secret", "generic", "outcomes"),
            f"--from-literal=token={TOKEN}",
        )
        w.ns.create(template(url))
        w.ns.create(judged(url))
        await until(lambda: w.ns.ready("fraud").get("status") == "True")
        w.ns.serve("fraud", B)
        await until(lambda: (w.ns.canary("fraud") or {}).get("reason") == "SourceNotFound")
        message = (w.ns.canary("fraud") or {})["message"]
        assert "counters of the canary: " in message
        assert "answered 404: no revision fraud-" in message
        assert TOKEN not in message
        assert w.ns.stable_uri("fraud") == A
