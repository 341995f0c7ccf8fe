"""Sends a model server its first requests, and is ready once they are answered.

A pod is ready when all of its containers are; this one is not until the model server beside it has
answered the warm-up requests, and not again after the model server was restarted. All containers of
a pod share one network, whose table of sockets tells one process that listens from the next without
asking it: a restart that took less time than a probe's period is seen as well.

Standard library only, and little of it: it idles for the pod's whole life.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from typing import NamedTuple, NoReturn

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
LISTEN = "0A"
PERIOD = 0.5
"""Seconds between two looks at the model server while it is not warm, and after a failure."""
PATIENCE = 60.0
"""Seconds of failures alone after which they are told by exiting: the kubelet keeps last words."""
PATIENCE_WITHOUT_PROBE = 600.0
"""The same where nothing tells a model that is broken from one that still loads."""
WORDS = 500
"""Bytes of an answer that are told."""
HEAD = 65536
"""Bytes of an answer that are looked at."""

Processes = frozenset[str]


class Config(NamedTuple):
    """port: of the model server, on this host. listen: port of the readiness endpoint.

    ready_path: answers 2xx or 3xx once the model is loaded; empty if there is none. timeout: of one
    request in seconds. strict: only 2xx counts as an answer.
    """

    port: int
    listen: int
    path: str
    ready_path: str
    body: bytes
    content_type: str
    requests: int
    concurrency: int
    timeout: float
    strict: bool


class Failed(Exception):
    """The warm-up does not succeed; the message is for people."""


def config(env: Mapping[str, str]) -> Config:
    """The configuration in WARM_UP_ variables. Raises Failed where the body cannot be read."""
    body = env.get("WARM_UP_BODY", "").encode()
    if file := env.get("WARM_UP_BODY_FILE"):
        try:
            with open(file, "rb") as opened:
                body = opened.read()
        except OSError as error:
            raise Failed(
                f"cannot read {file}: {error.strerror}; put the body of a request there, beside "
                "the model, or set warmUp.body or bodyFile"
            ) from error
    return Config(
        port=int(env["WARM_UP_PORT"]),
        listen=int(env["WARM_UP_LISTEN"]),
        path=env["WARM_UP_PATH"],
        ready_path=env.get("WARM_UP_READY_PATH", ""),
        body=body,
        content_type=env["WARM_UP_CONTENT_TYPE"],
        requests=int(env["WARM_UP_REQUESTS"]),
        concurrency=int(env["WARM_UP_CONCURRENCY"]),
        timeout=float(env["WARM_UP_TIMEOUT_SECONDS"]),
        strict=env["WARM_UP_FAILURE_POLICY"] == "Fail",
    )


def listening(port: int, tables: tuple[str, ...] = TABLES) -> Processes:
    """Identities of the sockets that listen on a port; a new process has a new one.

    Where the kernel does not show them it is only told whether something listens.
    """
    found, shown = set(), False
    for table in tables:
        try:
            with open(table) as rows:
                next(rows)
                shown = True
                for row in rows:
                    fields = row.split()
                    if fields[3] == LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                        found.add(fields[9])
        except (OSError, StopIteration):
            continue
    if shown:
        return frozenset(found)
    try:
        socket.create_connection(("localhost", port), 1).close()
    except OSError:
        return frozenset()
    return frozenset({"something"})


def ask(config: Config, method: str, path: str) -> tuple[int, str]:
    """Status and first words of an answer. Raises OSError, also after the timeout."""
    ends = time.monotonic() + config.timeout
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: localhost:{config.port}",
        "User-Agent: evenkeel-warm-up",
        "Connection: close",
    ]
    body = b""
    if method == "POST":
        body = config.body
        lines += [f"Content-Type: {config.content_type}", f"Content-Length: {len(body)}"]
    with socket.create_connection(("localhost", config.port), config.timeout) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        return _answer(connection, ends)


def _answer(connection: socket.socket, ends: float) -> tuple[int, str]:
    """Reads to the answer's end, so that the model has done all of its work."""
    kept = b""
    while True:
        left = ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        connection.settimeout(left)
        chunk = connection.recv(65536)
        if not chunk:
            break
        kept = (kept + chunk)[:HEAD]
    head, _, body = kept.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    if not head.startswith(b"HTTP/") or not status or not status[0].isdigit():
        raise ConnectionError("the answer is not HTTP")
    return int(status[0]), body[:WORDS].decode(errors="replace").strip()


class WarmUp:
    """The model server as it is seen from here: which of its processes are warm."""

    def __init__(self, config: Config, tables: tuple[str, ...] = TABLES) -> None:
        self._config = config
        self._tables = tables
        self._warm: Processes = frozenset()
        self._lock = threading.Lock()
        self._left = 0
        self._failing_since: float | None = None
        self._words = ""

    def listening(self) -> Processes:
        """The model server's processes that listen now."""
        return listening(self._config.port, self._tables)

    @property
    def ready(self) -> bool:
        """Whether a process that was warmed up still listens. Others may have joined it."""
        return bool(self._warm & self.listening())

    def run(self) -> None:
        """Goes on for ever. Raises Failed if the model server keeps on failing."""
        while True:
            found = self.listening()
            if found & self._warm:
                self._warm = found
            elif found and self._loaded():
                began = time.monotonic()
                if self.send(found):
                    self._warm = found
                    took = time.monotonic() - began
                    _tell(f"warm after {self._config.requests} requests in {took:.1f} s")
            time.sleep(PERIOD)

    def _loaded(self) -> bool:
        if not self._config.ready_path:
            return True
        try:
            return 200 <= ask(self._config, "GET", self._config.ready_path)[0] < 400
        except OSError:
            return False

    def send(self, processes: Processes) -> bool:
        """Sends the requests; False if those processes are gone before all are answered.

        Raises Failed after a while without any success.
        """
        self._left, self._failing_since = self._config.requests, None
        threads = [
            threading.Thread(target=self._worker, args=(processes,), daemon=True)
            for _ in range(min(self._config.concurrency, self._config.requests))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._out_of_patience():
            raise Failed(self._words)
        return self._left <= 0

    def _worker(self, processes: Processes) -> None:
        while self._take():
            words = self._failure()
            if words and not processes & self.listening():
                self._give_back()
                return
            if words and self._config.strict:
                self._give_back()
                self._note(words)
                if self._out_of_patience():
                    return
                time.sleep(PERIOD)
            elif not words:
                self._failing_since = None

    def _failure(self) -> str:
        """Sends one request; why it has failed, or nothing."""
        what = f"POST {self._config.path}"
        try:
            status, words = ask(self._config, "POST", self._config.path)
        except OSError as error:
            return f"{what}: {error.strerror or error}"
        return "" if 200 <= status < 300 else f"{what} was answered {status}: {words}"

    def _take(self) -> bool:
        with self._lock:
            self._left -= 1
            return self._left >= 0

    def _give_back(self) -> None:
        with self._lock:
            self._left = max(self._left, 0) + 1

    def _note(self, words: str) -> None:
        with self._lock:
            if words != self._words:
                _tell(words)
            self._words = words
            if self._failing_since is None:
                self._failing_since = time.monotonic()

    def _out_of_patience(self) -> bool:
        since = self._failing_since
        patience = PATIENCE if self._config.ready_path else PATIENCE_WITHOUT_PROBE
        return since is not None and time.monotonic() - since >= patience


def serve(warm_up: WarmUp, listener: socket.socket) -> None:
    """Answers the kubelet's probes: 200 if the model server is warm, else 503."""
    while True:
        connection, _ = listener.accept()
        try:
            with connection:
                connection.settimeout(1)
                connection.recv(4096)
                status = "200 OK" if warm_up.ready else "503 Service Unavailable"
                answer = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                connection.sendall(answer.encode())
        except OSError:
            continue


def listener(port: int) -> socket.socket:
    """Of all addresses, of both families where the host has both."""
    dual = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual else socket.AF_INET
    return socket.create_server(("", port), family=family, dualstack_ipv6=dual)


def _tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def main() -> NoReturn:
    """Runs until SIGTERM, or until the model server has failed for a while."""
    # The first process of a container has no default handler.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        chosen = config(os.environ)
        warm_up = WarmUp(chosen)
        server = listener(chosen.listen)
        threading.Thread(target=serve, args=(warm_up, server), daemon=True).start()
        warm_up.run()
    except Failed as error:
        sys.exit(str(error))
    raise AssertionError("it goes on for ever")


if __name__ == "__main__":
    main()
