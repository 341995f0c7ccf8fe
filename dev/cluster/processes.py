"""Daemons with a pid file and a log, recognised again after the program that started them ended."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from dev.cluster.errors import ClusterError


class _Record(TypedDict):
    pid: int
    mark: str
    digest: str


@dataclass(frozen=True)
class Daemon:
    """How to start one component.

    `inputs` are the files that it reads at start: a change in them asks for a restart.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[Path, ...] = ()

    def digest(self) -> str:
        """A hash of everything that decides how the component runs."""
        parts = [*self.argv, *(f"{k}={v}" for k, v in sorted(self.env.items()))]
        digest = hashlib.sha256("\0".join(parts).encode())
        for file in self.inputs:
            digest.update(file.read_bytes())
        return digest.hexdigest()


def start_mark(pid: int) -> str | None:
    """What tells this process from a later one with the same id; None when it has ended."""
    if not sys.platform.startswith("linux"):
        done = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return done.stdout.strip() or None
    try:
        # The command in parentheses may hold spaces; the fields after it do not.
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"


class Processes:
    """The daemons of one state directory: `run/NAME.pid` and `log/NAME.log` below it."""

    def __init__(self, directory: Path, *, die_with_parent: bool = False) -> None:
        """With `die_with_parent` the kernel kills each daemon when the thread that started it
        ends (Linux only), so start from a thread that lives as long as the program."""
        self._run = directory / "run"
        self._log = directory / "log"
        self._die_with_parent = die_with_parent
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def names(self) -> list[str]:
        """The daemons that were started and not stopped, alive or not."""
        return sorted(file.stem for file in self._run.glob("*.pid"))

    def log(self, name: str) -> Path:
        return self._log / f"{name}.log"

    def pid(self, name: str) -> int | None:
        """The process id of the named daemon if it is alive and the one that was started here."""
        if (child := self._children.get(name)) is not None:
            child.poll()  # reaps it, so that it does not look alive as a zombie
        record = self._record(name)
        if record is None or start_mark(record["pid"]) != record["mark"]:
            return None
        return record["pid"]

    def started_at(self, name: str) -> float:
        """When the named daemon was started, in seconds since the epoch."""
        return (self._run / f"{name}.pid").stat().st_mtime

    def ensure(self, daemon: Daemon) -> bool:
        """Start the daemon unless it runs as described; True when it was started."""
        if self.pid(daemon.name) is not None:
            record = self._record(daemon.name)
            if record is not None and record["digest"] == daemon.digest():
                return False
            self.stop(daemon.name)
        self.start(daemon)
        return True

    def start(self, daemon: Daemon) -> None:
        self._run.mkdir(parents=True, exist_ok=True)
        self._log.mkdir(parents=True, exist_ok=True)
        log = self.log(daemon.name)
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        argv = [*self._prefix(), *daemon.argv]
        with log.open("wb") as out:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self._run.parent,
                env={**os.environ, **daemon.env},
            )
        self._children[daemon.name] = child
        # A daemon that ended already has no mark, and an empty one matches no process.
        mark = start_mark(child.pid) or ""
        record = _Record(pid=child.pid, mark=mark, digest=daemon.digest())
        (self._run / f"{daemon.name}.pid").write_text(json.dumps(record))

    def stop(self, name: str, grace_s: float = 10.0) -> None:
        """Ask the daemon to end; kill it after `grace_s` seconds."""
        for sent, wait_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 10.0)):
            pid = self.pid(name)
            if pid is None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sent)
            deadline = time.monotonic() + wait_s
            while self.pid(name) is not None and time.monotonic() < deadline:
                time.sleep(0.02)
        if (pid := self.pid(name)) is not None:
            raise ClusterError(
                f"{name} (process {pid}) does not end, not even by SIGKILL",
                f"see what it waits for in /proc/{pid}/wchan; a reboot ends it",
            )
        self._children.pop(name, None)
        (self._run / f"{name}.pid").unlink(missing_ok=True)

    def wait_for(
        self, name: str, ready: Callable[[], bool], timeout_s: float, what: str, remedy: str
    ) -> None:
        """Wait until `ready` holds; raises ClusterError with the log's tail when the daemon ends
        first or `timeout_s` seconds pass."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if self.pid(name) is None:
                raise ClusterError(f"{name} ended while {what}.\n{self.tail(name)}", remedy)
            if time.monotonic() > deadline:
                cause = f"{what}: not within {timeout_s:.0f} s.\n{self.tail(name)}"
                raise ClusterError(cause, remedy)
            time.sleep(0.05)

    def tail(self, name: str, lines: int = 15) -> str:
        """The last lines of the daemon's log, headed by the log's path."""
        log = self.log(name)
        if not log.exists():
            return f"(no log at {log})"
        text = log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join([f"--- the end of {log}", *(f"  {line[:400]}" for line in text)])

    def _prefix(self) -> list[str]:
        setpriv = shutil.which("setpriv") if self._die_with_parent else None
        return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []

    def _record(self, name: str) -> _Record | None:
        try:
            record: _Record = json.loads((self._run / f"{name}.pid").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return record
