"""`python -m demo.traffic`: one bounded replay, set up by environment variables."""

import asyncio
import os
import signal
import sys

import httpx
from prometheus_client import CollectorRegistry

from demo.data import elec2
from demo.traffic.metrics import Metrics, serve
from demo.traffic.replay import TIMEOUT_SECONDS, Replay
from demo.traffic.settings import settings
from demo.trainer import store


async def main() -> None:
    chosen = settings(os.environ)
    data = elec2.load(chosen.data)
    metrics = Metrics(CollectorRegistry())
    baseline = None
    if chosen.baseline is not None:
        end = chosen.start + chosen.records
        baseline = store.load(chosen.baseline).predict(data.features[chosen.start : end])
    replay = Replay(chosen, data, metrics, baseline)
    server = serve(metrics, lambda: replay.labels.labelled, chosen.port)
    print(
        f"replaying {chosen.records} records from {elec2.moment(chosen.start)} "
        f"at {chosen.rate:g} per second through {chosen.url}",
        flush=True,
    )
    # A kept connection stays with one pod of a Service; a canary would see all of it or nothing.
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(limits=limits, timeout=TIMEOUT_SECONDS) as client:
        work = asyncio.create_task(replay.run(client))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
        sent = await work
    print(f"sent {sent} records", flush=True)
    server.shutdown()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except (ValueError, OSError) as error:
        sys.exit(f"traffic failed: {error}")
    except asyncio.CancelledError:
        print("stopped by SIGTERM")
