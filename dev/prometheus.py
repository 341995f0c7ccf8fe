"""The Prometheus server that the images contain, for what runs without containers."""

from __future__ import annotations

import asyncio
import fcntl
import shutil
from collections.abc import Mapping
from pathlib import Path

import httpx
import yaml

from dev.cluster.ports import free_port
from dev.cluster.processes import Daemon, Processes
from dev.images import build, parts

MODULE = "dev/images/prometheus"


def binary() -> Path:
    """Its program, built if it is not cached. Raises BuildError."""
    cache = build.cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return parts.go(MODULE, cache) / "go" / "bin" / "prometheus"


class Prometheus:
    """One server with an empty store, of a name that no other of these processes has."""

    def __init__(self, processes: Processes, folder: Path, name: str) -> None:
        port = free_port()
        self.name = name
        self.url = f"http://127.0.0.1:{port}"
        self._processes = processes
        self._folder = folder / name
        self._address = f"127.0.0.1:{port}"

    async def start(self, configuration: Mapping[str, object]) -> None:
        """Raises TimeoutError when it does not come up within a minute."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / "prometheus.yml"
        file.write_text(yaml.safe_dump(dict(configuration)))
        self._daemon = Daemon(
            self.name,
            (
                str(await asyncio.to_thread(binary)),
                f"--config.file={file}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address={self._address}",
                "--log.level=warn",
            ),
            {"GOGC": "100"},
        )
        await self._up()

    async def empty(self) -> None:
        """Restarts it without all that it had stored."""
        await asyncio.to_thread(self.stop)
        await asyncio.to_thread(shutil.rmtree, self._folder / "data", ignore_errors=True)
        await self._up()

    def stop(self) -> None:
        """Ends it."""
        self._processes.stop(self.name, 2.0)

    async def _up(self) -> None:
        # Linux ends a daemon with the thread that began it, so it must be this one.
        self._processes.start(self._daemon)
        async with httpx.AsyncClient() as http, asyncio.timeout(60):
            while not await self._ready(http):  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.1)

    async def _ready(self, http: httpx.AsyncClient) -> bool:
        try:
            return (await http.get(f"{self.url}/-/ready")).status_code == 200
        except httpx.HTTPError:
            return False
