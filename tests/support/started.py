"""The operator as a process of its own, started in either way."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import yaml

from dev.cluster.ports import free_port
from dev.paths import ROOT

BY_PYTHON = ("-m", "evenkeel")
BY_KOPF = ("-m", "kopf", "run", "-m", "evenkeel.process.handlers", "-A", "--standalone")
SECONDS = 120.0
"""How long anything may take here; machines that run tests are slow at times."""


def kubeconfig(file: Path, server: str) -> Path:
    """A kubeconfig for a server that does not look at the token."""
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    whole = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "any"}}],
        "contexts": [context],
        "current-context": "x",
    }
    file.write_text(yaml.safe_dump(whole))
    return file


class Started:
    """A process that `running` has started."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.ports = {name: free_port() for name in ("WEBHOOK", "HTTP", "METRICS")}
        own = {k: v for k, v in os.environ.items() if not k.startswith("EVENKEEL_")}
        ports = {f"EVENKEEL_{name}_PORT": str(port) for name, port in self.ports.items()}
        common = {
            "EVENKEEL_APPROVAL_POLICY": "",
            "PYTHONPATH": "operator",
            "EVENKEEL_LOG_FORMAT": "plain",
            "POD_ID": "test",
        }
        self.environment = {**own, **common, **ports, **variables}
        self._log = folder / "operator.log"
        self.process: asyncio.subprocess.Process

    async def start(self, how: tuple[str, ...]) -> None:
        with self._log.open("w") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, *how, env=self.environment, cwd=ROOT, stdout=log, stderr=log
            )

    def log(self) -> str:
        """What it has written."""
        return self._log.read_text()

    async def ended(self) -> int:
        """Exit status, once it has ended by itself."""
        async with asyncio.timeout(SECONDS):
            return await self.process.wait()

    async def terminate(self) -> int:
        """Exit status after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    def readyz(self) -> tuple[int, str]:
        """Status and body; status 0 if there is no answer."""
        return self._get(f"http://127.0.0.1:{self.ports['HTTP']}/readyz")

    def leads(self) -> bool:
        status, text = self._get(f"http://127.0.0.1:{self.ports['METRICS']}/metrics")
        return status == 200 and "evenkeel_leader 1.0" in text

    def liveness(self, port: int) -> object:
        """What kopf's own endpoint says; None if there is no answer."""
        status, text = self._get(f"http://127.0.0.1:{port}/healthz")
        return json.loads(text)["evenkeel"] if status == 200 else None

    @staticmethod
    def _get(url: str) -> tuple[int, str]:
        try:
            answer = httpx.get(url, timeout=5)
        except httpx.HTTPError:
            return 0, ""
        return answer.status_code, answer.text


@asynccontextmanager
async def running(folder: Path, how: tuple[str, ...], **variables: str) -> AsyncIterator[Started]:
    """The operator with these variables and with ports of its own; killed in the end."""
    started = Started(folder, variables)
    await started.start(how)
    try:
        yield started
    except BaseException:
        # pytest shows it beside what failed.
        print(started.readyz(), started.log()[-5000:], sep="\n")
        raise
    finally:
        if started.process.returncode is None:
            started.process.kill()
            await started.process.wait()
