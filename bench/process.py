"""The operator as a process of its own, with its memory and processor time."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import httpx

PAGE = os.sysconf("SC_PAGE_SIZE")
TICK = os.sysconf("SC_CLK_TCK")


class Row(NamedTuple):
    """One figure of the table."""

    name: str
    value: str
    target: str
    met: bool


def free_port() -> int:
    """A TCP port that is free now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def rss(pid: int) -> int:
    """Resident memory of a process in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


def peak_rss(pid: int) -> int:
    """The most resident memory that a process has had, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])


def cpu_seconds(pid: int) -> float:
    """User and system time of a process since its start."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class OperatorProcess:
    """`python -m evenkeel` against a kubeconfig, ready on entry."""

    def __init__(self, folder: Path, kubeconfig: str) -> None:
        self.webhook_port, self.http_port, self.metrics_port = (free_port() for _ in range(3))
        self._log = folder / "operator.log"
        self._environment = {
            **os.environ,
            "KUBECONFIG": kubeconfig,
            "PYTHONPATH": "operator",
            "EVENKEEL_NAMESPACE": "default",
            "EVENKEEL_LOG_FORMAT": "plain",
            "EVENKEEL_LOG_LEVEL": "warning",
            "EVENKEEL_WEBHOOK_PORT": str(self.webhook_port),
            "EVENKEEL_HTTP_PORT": str(self.http_port),
            "EVENKEEL_METRICS_PORT": str(self.metrics_port),
        }

    def __enter__(self) -> Self:
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "evenkeel"],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            if self._leads():
                return self
            time.sleep(0.2)
        text = self._log.read_text()[-3000:]
        self._process.kill()
        raise RuntimeError(f"the operator did not become the leader:\n{text}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if error is not None:
            print(self._log.read_text()[-3000:], file=sys.stderr)

    def _leads(self) -> bool:
        try:
            text = httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=2).text
        except httpx.HTTPError:
            return False
        return "evenkeel_leader 1.0" in text

    def rss(self) -> int:
        """Resident memory in bytes."""
        return rss(self._process.pid)

    def cpu_seconds(self) -> float:
        """User and system time since the start."""
        return cpu_seconds(self._process.pid)
