"""A Prometheus for the bench of looks: `python -m bench.looked_at PORT DELAY`.

Each revision has two pods with 10 requests a second, scraped every 5 s. DELAY: seconds until it
answers, or drip, a byte a second.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from contextlib import suppress

from aiohttp import web

SCRAPE = 5.0
_REVISION_OF_PART = re.compile(
    r'pod=~"([a-z0-9-]+)-\[a-z0-9\]\{1,10\}-[^"]*"(?:(?!evenkeel_part).)*'
    r'"evenkeel_part", "([^"]+)"',
    re.DOTALL,
)


def answer(query: str) -> str:
    """The API's answer."""
    now = time.time()
    scraped = now - now % SCRAPE
    total, head = int((scraped % 1e6) * 10), f'"value":[{now:.3f},"'
    found = []
    for revision, part in _REVISION_OF_PART.findall(query):
        value = f"{scraped:.3f}" if part.endswith("t") else str(total)
        found += [
            f'{{"metric":{{"evenkeel_part":"{part}","pod":"{revision}-5d9f7c-{pod}"}},'
            f'{head}{value}"]}}'
            for pod in ("aaaaa", "bbbbb")
        ]
    return f'{{"status":"success","data":{{"resultType":"vector","result":[{",".join(found)}]}}}}'


async def serve(port: int, delay: str) -> None:
    """Answers until it is ended."""

    async def handle(request: web.Request) -> web.StreamResponse:
        query = str((await request.post())["query"])
        if delay != "drip":
            await asyncio.sleep(float(delay))
            return web.Response(text=answer(query), content_type="application/json")
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionResetError):
            for byte in json.dumps({"status": "success"}):
                await response.write(byte.encode())
                await asyncio.sleep(1)
        return response

    app = web.Application(client_max_size=2**26)
    app.router.add_post("/api/v1/query", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
