"""What the probes answer, and that kopf's probe tells the same."""

from __future__ import annotations

from types import SimpleNamespace

import kopf
import pytest
from aiohttp.test_utils import TestClient, TestServer
from evenkeel.process import handlers
from evenkeel.process.health import STALLED_AFTER, Health, health

WELL = Health()
IMPAIRED = Health(impaired=("pods: 500",))
UNREADY = Health(unready=("a right is missing: x", "y"), impaired=("z",))
STALLED = Health(STALLED_AFTER + 1)


async def answers(now: Health) -> tuple[int, int, str]:
    """Statuses of /healthz and /readyz, and the latter's body."""
    async with TestClient(TestServer(health(lambda: now))) as client:
        alive, ready = await client.get("/healthz"), await client.get("/readyz")
        return alive.status, ready.status, await ready.text()


@pytest.mark.parametrize(
    ("now", "answered"),
    [
        (WELL, (200, 200, "ok\n")),
        (IMPAIRED, (200, 200, "ok\npods: 500\n")),
        (UNREADY, (200, 503, "a right is missing: x\ny\n")),
        (STALLED, (500, 200, "ok\n")),
    ],
)
async def test_probes(now: Health, answered: tuple[int, int, str]) -> None:
    assert await answers(now) == answered


@pytest.mark.parametrize("now", [WELL, IMPAIRED, UNREADY, STALLED])
async def test_kopfs_probe_tells_the_same(now: Health) -> None:
    memo = kopf.Memo(operator=SimpleNamespace(health=lambda: now))
    alive, ready, body = await answers(now)
    if alive != 200:
        with pytest.raises(kopf.PermanentError, match="stalled"):
            await handlers.probe(memo=memo)
        return
    told = await handlers.probe(memo=memo)
    assert told["ready"] == (ready == 200)
    assert set(body.split("\n")) - {"ok", ""} <= set(told["diagnoses"])
