"""The operator as a process of its own, to be killed, paused and started again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from dev.paths import ROOT


class Process:
    """`python -m evenkeel`, killed and started again."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = {**os.environ, **environment}
        self._process: asyncio.subprocess.Process | None = None
        self.starts = 0

    async def start(self) -> None:
        self.starts += 1
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "evenkeel",
            env={**self._environment, "PYTHONPATH": "operator"},
            cwd=ROOT,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )

    def signal(self, number: int) -> None:
        """Such as SIGSTOP; the process must be running."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()

    async def ended(self) -> int:
        assert self._process is not None
        return await self._process.wait()

    async def terminate(self) -> int:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            return await self._process.wait()
