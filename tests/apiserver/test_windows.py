"""What a real Prometheus tells of a window of the past."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from evenkeel.adapters.access import Access
from evenkeel.adapters.prometheus import Prometheus
from evenkeel.adapters.source import NotUnderstood
from evenkeel.adapters.windows import Windows
from evenkeel.outside.prometheus import WindowQuestion

from tests.support.operating import until
from tests.support.real_prometheus import RealPrometheus, prometheus

TEXT = """
# TYPE requests_total counter
requests_total{{code="200"}} {good}
requests_total{{code="500"}} {bad}
"""
POD = "elec-7d9f"


async def exposes(server: RealPrometheus, adapter: Prometheus, good: int, bad: int) -> None:
    """Exposes the counters until they have been scraped twice."""
    server.targets = {POD: TEXT.format(good=good, bad=bad)}
    access = Access(server.url, guarded=False)
    began = time.time()

    async def scraped() -> bool:
        query = f'timestamp(requests_total{{code="200"}} == {good})'
        found = await adapter.ask(access, query)
        return any(s.value > began + 1 for s in found.samples)

    deadline = began + 30
    while not await scraped():
        assert time.time() < deadline


async def test_counters_are_followed_over_a_restart_whenever_one_asks(tmp_path: Path) -> None:
    adapter = Prometheus()
    async with prometheus(tmp_path, POD) as server:
        began = int(time.time())
        for good, bad in ((90, 10), (180, 20), (5, 5)):
            await exposes(server, adapter, good, bad)
        end = int(time.time()) + 1
        await until(lambda: time.time() > end)
        ask, access = Windows(adapter), Access(server.url, guarded=False)
        total, good = "requests_total", 'requests_total{code="200"} # good ones'
        question = WindowQuestion(None, total, good, good=True, seconds=end - began, end=end)
        found = await ask(question, access, None)
        # 100 until the restart and 10 after it, drawn out to the ends of the window.
        assert found.void == ""
        assert 100 <= found.total <= 200
        assert found.bad / found.total == pytest.approx(15 / 110, abs=0.05)
        server.targets = {POD: None}
        await until(lambda: time.time() > end + 3)
        assert await ask(question, access, None) == found, "the past stays as it was"
        later = WindowQuestion(None, total, good, good=True, seconds=60, end=end + 10_000)
        assert (await ask(later, access, None)).void == "total has no series"
        wrong = 'requests_total{code="204"}'
        other = WindowQuestion(None, total, wrong, good=True, seconds=end - began, end=end)
        assert "good has no series" in (await ask(other, access, None)).void
        function = WindowQuestion(None, "sum(requests_total)", good, good=True, seconds=60, end=end)
        with pytest.raises(NotUnderstood, match="answered 400"):
            await ask(function, access, None)
    await adapter.close()
