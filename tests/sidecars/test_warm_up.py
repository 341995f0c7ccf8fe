"""The warm-up program against a real HTTP server, as the process that a pod runs."""

from __future__ import annotations

import ast
import http.client
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from evenkeel.sidecars import warm_up
from evenkeel.sidecars.warm_up import Config, Failed, WarmUp, ask, config, listening

from dev.cluster.ports import free_port
from dev.paths import ROOT

READY, INFER = "/ready", "/v2/models/fraud/infer"


class ModelServer:
    """Answers what `answer` says; keeps the bodies that it got."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answer: Callable[[str], int] = lambda path: 200
        self.bodies: list[bytes] = []
        self.types: set[str | None] = set()
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(outer.answer(self.path))

            def do_POST(self) -> None:
                with outer._lock:
                    outer._now += 1
                    outer.most = max(outer.most, outer._now)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = outer.answer(self.path)
                with outer._lock:
                    outer._now -= 1
                    outer.bodies.append(body)
                    outer.types.add(self.headers["Content-Type"])
                self._answer(status)

            def _answer(self, status: int) -> None:
                words = b"told why" if status >= 400 else b"{}"
                self.send_response(status)
                self.send_header("Content-Length", str(len(words)))
                self.end_headers()
                self.wfile.write(words)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class Sidecar:
    """The program in a process of its own."""

    def __init__(self, port: int, **more: str) -> None:
        self.listen = free_port()
        self.env = {
            "WARM_UP_PORT": str(port),
            "WARM_UP_LISTEN": str(self.listen),
            "WARM_UP_PATH": INFER,
            "WARM_UP_READY_PATH": READY,
            "WARM_UP_BODY": '{"a": 1}',
            "WARM_UP_CONTENT_TYPE": "application/json",
            "WARM_UP_REQUESTS": "5",
            "WARM_UP_CONCURRENCY": "1",
            "WARM_UP_TIMEOUT_SECONDS": "10",
            "WARM_UP_FAILURE_POLICY": "Fail",
            **more,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "evenkeel.sidecars.warm_up"],
            env={"PYTHONPATH": str(ROOT / "operator"), "PYTHONUNBUFFERED": "1", **self.env},
            stderr=subprocess.PIPE,
            text=True,
        )

    def status(self) -> int:
        """What the kubelet's probe gets; 0 before the program listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.listen, timeout=10)
        try:
            connection.request("GET", "/ready")
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def rss(self) -> int:
        """Memory of its own in KiB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(row.split()[1]) for row in text.splitlines() if row.startswith("RssAnon"))


@pytest.fixture
def server() -> Iterator[ModelServer]:
    made = ModelServer(free_port())
    yield made
    made.stop()


@pytest.fixture
def run(server: ModelServer) -> Iterator[Callable[..., Sidecar]]:
    started: list[Sidecar] = []

    def start(**more: str) -> Sidecar:
        started.append(Sidecar(server.port, **more))
        return started[-1]

    yield start
    for sidecar in started:
        sidecar.process.kill()
        sidecar.process.communicate()


def until(holds: Callable[[], object]) -> None:
    ends = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < ends, "not within 30 s"
        time.sleep(0.02)


def settings(port: int, **more: object) -> Config:
    made = Config(port, 1, INFER, READY, b"{}", "application/json", 5, 1, 5.0, True)
    return made._replace(**more)  # type: ignore[arg-type]


def test_it_waits_for_the_server_sends_the_requests_and_is_ready(
    server: ModelServer, run: Callable[..., Sidecar]
) -> None:
    sidecar = run()
    until(lambda: sidecar.status() == 503)
    server.start()
    until(lambda: sidecar.status() == 200)
    assert server.bodies == [b'{"a": 1}'] * 5
    assert server.types == {"application/json"}


def test_it_is_not_ready_before_slow_first_answers(
    server: ModelServer, run: Callable[..., Sidecar]
) -> None:
    released = threading.Event()
    server.answer = lambda path: 200 if path == READY or released.wait(20) else 500
    server.start()
    sidecar = run()
    until(lambda: server.most)
    assert sidecar.status() == 503
    released.set()
    until(lambda: sidecar.status() == 200)


def test_nothing_is_sent_to_a_model_that_is_not_loaded(
    server: ModelServer, run: Callable[..., Sidecar]
) -> None:
    asked: list[str] = []
    loaded = threading.Event()

    def answer(path: str) -> int:
        asked.append(path)
        return 200 if loaded.is_set() else 503

    server.answer = answer
    server.start()
    sidecar = run(WARM_UP_FAILURE_POLICY="Ignore")
    until(lambda: len(asked) >= 2)
    assert set(asked) == {READY}
    loaded.set()
    until(lambda: sidecar.status() == 200)
    assert asked.count(INFER) == 5


def test_a_restarted_server_is_warmed_up_again(
    server: ModelServer, run: Callable[..., Sidecar]
) -> None:
    server.start()
    sidecar = run()
    until(lambda: sidecar.status() == 200)
    released = threading.Event()
    server.answer = lambda path: 200 if path == READY or released.wait(20) else 500
    server.stop()
    server.start()
    # However short the absence: the very next probe knows.
    assert sidecar.status() == 503
    assert sidecar.status() == 503
    released.set()
    until(lambda: sidecar.status() == 200)
    assert len(server.bodies) == 10


def test_a_server_that_is_gone_is_not_ready(
    server: ModelServer, run: Callable[..., Sidecar]
) -> None:
    server.start()
    sidecar = run()
    until(lambda: sidecar.status() == 200)
    server.stop()
    assert sidecar.status() == 503


def test_failures_are_repeated_until_all_requests_have_succeeded(
    server: ModelServer, run: Callable[..., Sidecar]
) -> None:
    answers = iter([500, 200, 429, 200, 200])
    server.answer = lambda path: 200 if path == READY else next(answers, 200)
    server.start()
    sidecar = run()
    until(lambda: sidecar.status() == 200)
    assert len(server.bodies) == 7


def test_failures_may_be_ignored(server: ModelServer, run: Callable[..., Sidecar]) -> None:
    server.answer = lambda path: 200 if path == READY else 500
    server.start()
    sidecar = run(WARM_UP_FAILURE_POLICY="Ignore")
    until(lambda: sidecar.status() == 200)
    assert len(server.bodies) == 5


def test_requests_are_sent_side_by_side(server: ModelServer, run: Callable[..., Sidecar]) -> None:
    barrier = threading.Barrier(4)
    server.answer = lambda path: 200 if path == READY else 200 if barrier.wait(20) >= 0 else 500
    server.start()
    sidecar = run(WARM_UP_REQUESTS="8", WARM_UP_CONCURRENCY="4")
    until(lambda: sidecar.status() == 200)
    assert (server.most, len(server.bodies)) == (4, 8)


def test_a_body_comes_from_a_file(
    server: ModelServer, run: Callable[..., Sidecar], tmp_path: Path
) -> None:
    (tmp_path / "warm-up.json").write_bytes(b"\x00binary")
    server.start()
    sidecar = run(WARM_UP_BODY="", WARM_UP_BODY_FILE=str(tmp_path / "warm-up.json"))
    until(lambda: sidecar.status() == 200)
    assert set(server.bodies) == {b"\x00binary"}


def test_a_missing_file_is_told_at_once(run: Callable[..., Sidecar], tmp_path: Path) -> None:
    sidecar = run(WARM_UP_BODY="", WARM_UP_BODY_FILE=str(tmp_path / "warm-up.json"))
    _, words = sidecar.process.communicate(timeout=30)
    assert sidecar.process.returncode == 1
    assert "warm-up.json: No such file or directory; put the body of a request there" in words


def test_a_server_that_keeps_failing_is_told_in_its_own_words(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm_up, "PATIENCE", 0.0)
    server.answer = lambda path: 400
    server.start()
    program = WarmUp(settings(server.port))
    with pytest.raises(Failed, match=f"POST {INFER} was answered 400: told why"):
        program.send(program.listening())
    assert not program.ready


def test_a_request_has_a_timeout(server: ModelServer) -> None:
    released = threading.Event()
    server.answer = lambda path: 200 if released.wait(20) else 500
    server.start()
    with pytest.raises(TimeoutError):
        ask(settings(server.port, timeout=0.1), "POST", INFER)
    released.set()


def test_a_round_ends_when_the_process_is_gone(server: ModelServer) -> None:
    program = WarmUp(settings(server.port))
    assert program.send(frozenset({"gone"})) is False


def test_a_kernel_that_shows_no_sockets_is_asked_by_connecting(server: ModelServer) -> None:
    tables = ("/nowhere/tcp",)
    assert listening(server.port, tables) == frozenset()
    server.start()
    assert listening(server.port, tables)


def test_processes_that_come_and_go_one_by_one_are_no_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As workers do that share a port and are replaced now and then."""
    table = tmp_path / "tcp"

    def listen(*inodes: str) -> None:
        rows = [f"0: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0 1000 0 {i} 1" for i in inodes]
        other = "1: 0100007F:1F91 00000000:0000 0A 0:0 00:0 0 1000 0 77 1"
        client = "2: 0100007F:1F90 0100007F:9999 01 0:0 00:0 0 1000 0 88 1"
        table.write_text("\n".join(["header", *rows, other, client]) + "\n")

    class Stop(Exception):
        pass

    def sleep(_: float) -> None:
        raise Stop

    monkeypatch.setattr(warm_up.time, "sleep", sleep)
    program = WarmUp(settings(8080), (str(table),))
    sent: list[frozenset[str]] = []
    monkeypatch.setattr(program, "_loaded", lambda: True)
    monkeypatch.setattr(program, "send", lambda found: sent.append(found) or True)
    for inodes, ready in (("12", False), ("23", True), ("34", True), ("5", False), ("", False)):
        listen(*inodes)
        assert program.ready is ready
        with pytest.raises(Stop):
            program.run()
    assert sent == [frozenset("12"), frozenset("5")]


def test_it_ends_at_sigterm(run: Callable[..., Sidecar]) -> None:
    sidecar = run()
    until(sidecar.status)
    sidecar.process.terminate()
    assert sidecar.process.wait(30) == 0


def test_it_costs_little(run: Callable[..., Sidecar]) -> None:
    """Standard library only, nothing of the operator, and 15 MiB of its own at most."""
    sidecar = run()
    until(sidecar.status)
    assert sidecar.rss() < 15 * 1024
    tree = ast.parse(Path(warm_up.__file__).read_text())
    names = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }
    assert names <= sys.stdlib_module_names


def test_the_environment_is_read_literally() -> None:
    assert config(
        {
            "WARM_UP_PORT": "1",
            "WARM_UP_LISTEN": "2",
            "WARM_UP_PATH": "/p",
            "WARM_UP_BODY": "é$(A)",
            "WARM_UP_CONTENT_TYPE": "text/plain",
            "WARM_UP_REQUESTS": "3",
            "WARM_UP_CONCURRENCY": "4",
            "WARM_UP_TIMEOUT_SECONDS": "5",
            "WARM_UP_FAILURE_POLICY": "Ignore",
        }
    ) == Config(1, 2, "/p", "", "é$(A)".encode(), "text/plain", 3, 4, 5.0, False)
