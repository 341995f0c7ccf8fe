"""Daemons: started once, recognised later, stopped for certain. Real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.cluster.errors import ClusterError
from dev.cluster.processes import Daemon, Processes, start_mark

SLEEP = Daemon("sleeper", ("sleep", "60"))


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path)
    yield made
    for name in made.names():
        made.stop(name, grace_s=0.1)


def test_a_running_daemon_is_not_started_again(processes: Processes) -> None:
    assert processes.ensure(SLEEP)
    pid = processes.pid("sleeper")
    assert not processes.ensure(SLEEP)
    assert processes.pid("sleeper") == pid


def test_a_later_program_finds_the_daemon(processes: Processes, tmp_path: Path) -> None:
    processes.start(SLEEP)
    assert Processes(tmp_path).pid("sleeper") == processes.pid("sleeper")


def test_a_dead_daemon_is_started_again(processes: Processes) -> None:
    processes.start(SLEEP)
    first = processes.pid("sleeper")
    assert first is not None
    os.kill(first, signal.SIGKILL)
    while processes.pid("sleeper") is not None:
        time.sleep(0.01)
    assert processes.ensure(SLEEP)
    assert processes.pid("sleeper") not in (None, first)


def test_changed_input_restarts(processes: Processes, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("a")
    daemon = Daemon("sleeper", ("sleep", "60"), inputs=(config,))
    processes.ensure(daemon)
    config.write_text("b")
    assert processes.ensure(daemon)


def test_another_process_with_the_same_id_is_left_alone(
    processes: Processes, tmp_path: Path
) -> None:
    processes.start(SLEEP)
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        file = tmp_path / "run" / "sleeper.pid"
        record = json.loads(file.read_text())
        ours = record["pid"]
        file.write_text(json.dumps({**record, "pid": stranger.pid, "mark": "another boot:1"}))
        assert Processes(tmp_path).pid("sleeper") is None
        Processes(tmp_path).stop("sleeper")
        assert stranger.poll() is None
        os.kill(ours, signal.SIGKILL)
    finally:
        stranger.kill()
        stranger.wait()


def test_stop_kills_what_ignores_the_request(processes: Processes) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
    processes.start(Daemon("stubborn", ("sh", "-c", script)))
    pid = processes.pid("stubborn")
    assert pid is not None
    while "ready" not in processes.log("stubborn").read_text():
        time.sleep(0.01)
    processes.stop("stubborn", grace_s=0.2)
    assert start_mark(pid) is None
    assert processes.names() == []


def test_a_daemon_that_ends_is_reported_with_its_log(processes: Processes) -> None:
    processes.start(Daemon("broken", ("sh", "-c", "echo the reason; exit 3")))
    with pytest.raises(ClusterError, match="the reason") as caught:
        processes.wait_for("broken", lambda: False, 10, "waiting", "mend it")
    assert caught.value.remedy == "mend it"


def test_a_daemon_that_never_gets_ready_is_reported(processes: Processes) -> None:
    processes.start(SLEEP)
    with pytest.raises(ClusterError, match="not within"):
        processes.wait_for("sleeper", lambda: False, 0.1, "waiting", "mend it")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's death signal")
def test_daemons_die_with_a_killed_parent(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from dev.cluster.processes import Daemon, Processes\n"
        "made = Processes(Path(sys.argv[1]), die_with_parent=True)\n"
        "made.start(Daemon('sleeper', ('sleep', '60')))\n"
        "print(made.pid('sleeper'), flush=True); time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        # The death signal is set just before the daemon's own program begins.
        while Path(f"/proc/{pid}/comm").read_text().strip() != "sleep":
            time.sleep(0.01)
        parent.kill()
    deadline = time.monotonic() + 5
    while start_mark(pid) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert start_mark(pid) is None
