"""The operator as a process of its own, with its memory and processor time."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import httpx

PATIENCE = 300
"""Seconds that a start may take at all."""
MEBIBYTE = 2**20
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
    """`python -m evenkeel` against a kubeconfig; it leads on entry.

    variables: of its environment. led_after: seconds from its start until it led.
    """

    def __init__(self, folder: Path, kubeconfig: str, **variables: str) -> None:
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
            **variables,
        }
        self.led_after = 0.0

    def __enter__(self) -> Self:
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "evenkeel"],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        started = time.monotonic()
        deadline = started + PATIENCE
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            if self.metric("evenkeel_leader") == 1:
                self.led_after = time.monotonic() - started
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

    def metric(self, name: str) -> float:
        """The value of a metric without labels; -1 if there is no answer."""
        try:
            text = httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5).text
        except httpx.HTTPError:
            return -1
        values = (line.split()[1] for line in text.splitlines() if line.startswith(f"{name} "))
        return float(next(values, -1))

    def alive(self) -> bool:
        """Whether `/healthz` is granted, within the second that a kubelet waits."""
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.http_port}/healthz", timeout=1)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200

    def runs(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def ended(self, seconds: float) -> float | None:
        """Seconds until it has ended by itself; None if it has not in time."""
        started = time.monotonic()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        return time.monotonic() - started

    def rss(self) -> int:
        """Resident memory in bytes."""
        return rss(self._process.pid)

    def peak_rss(self) -> int:
        """The most resident memory that it has had, in bytes."""
        return peak_rss(self._process.pid)

    def cpu_seconds(self) -> float:
        """User and system time since the start."""
        return cpu_seconds(self._process.pid)


def at_most(name: str, value: float, bound: float, unit: str, digits: int = 1) -> Row:
    """A figure that its bound must not be below."""
    said, most = (f"{number:.{digits}f} {unit}".strip() for number in (value, bound))
    return Row(name, said, f"<= {most}", value <= bound)


def until(check: Callable[[], bool], seconds: float = 300) -> None:
    """Polls until it holds. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.2)
