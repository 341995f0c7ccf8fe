"""The end-to-end tests' burst of requests tells each one that was lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from e2e.support.burst import BURST

JSON = dict[str, Any]


@contextmanager
def server(answers: dict[int, int]) -> Iterator[str]:
    """A server that answers 200; by number of the request another code, or 0 for no answer."""
    lock, seen = threading.Lock(), [0]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            with lock:
                seen[0] += 1
                code = answers.get(seen[0], 200)
            self.rfile.read(int(self.headers["Content-Length"]))
            if not code:
                self.close_connection = True
                return
            self.send_response(code)
            self.send_header("Content-Length", "2")
            self.send_header("Evenkeel-Revision", str(self.headers["X-To"]))
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{made.server_port}"
        made.shutdown()


def burst(target: str) -> JSON:
    env = {
        "TARGET": target,
        "HOST": "",
        "HEADERS": json.dumps({"X-To": "green"}),
        "REQUEST_PATH": "/v2/models/m/infer",
        "COUNT": "60",
        "RATE": "600",
        "CLIENTS": "4",
        "BODY": "{}",
    }
    ran = subprocess.run(
        [sys.executable, "-c", BURST], env={**os.environ, **env}, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    told: JSON = json.loads(ran.stdout.splitlines()[-1])
    return told


def test_whoever_answers_all_has_lost_none() -> None:
    with server({}) as target:
        told = burst(target)
    assert told["codes"] == {"200": 60}
    assert told["answered_by"] == {"green": 60}
    assert (told["sent"], told["lost"], told["ended"]) == (60, [], True)


@pytest.mark.parametrize(("code", "why"), [(0, "RemoteDisconnected"), (503, "503")])
def test_each_lost_request_tells_its_error(code: int, why: str) -> None:
    with server({7: code, 30: code}) as target:
        told = burst(target)
    assert told["codes"]["200"] == 58
    assert len(told["lost"]) == 2
    assert all(why in line for line in told["lost"])
