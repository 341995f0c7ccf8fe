"""A reference that the meter learns has the bins that a trainer would have written of its rows."""

from __future__ import annotations

import json
import math
import random
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from evenkeel.trainer.profile import profile

from bench.meter import process
from bench.process import free_port, until
from dev.paths import ROOT

PART = re.compile(r'^evenkeel_model_learned_profile\{.*,text="((?:[^"\\]|\\.)*)".*\} \d+$', re.M)
LEARNED = re.compile(r'^evenkeel_model_bodies_total\{.*result="learned".*\} (\d+)$', re.M)
COLUMNS: dict[str, Callable[[random.Random, int], object]] = {
    "normal": lambda r, i: r.gauss(0, 1),
    "wide": lambda r, i: r.choice((-1, 1)) * 10 ** r.uniform(-300, 300),
    "rounded": lambda r, i: round(r.gauss(0, 1), 1),
    "heavy": lambda r, i: 0 if r.random() < 0.7 else r.random(),
    "single": lambda r, i: r.randrange(1 << 20) / (1 << 18),
    "whole": lambda r, i: r.randrange(1000),
    "codes": lambda r, i: int(r.expovariate(1.5)),
    "many codes": lambda r, i: r.randrange(25),
    "constant": lambda r, i: 1.5,
    "nought": lambda r, i: -0.0,
    "huge": lambda r, i: r.choice((1.7e308, -1.7e308, 5e-324)),
    "beyond": lambda r, i: r.choice((math.inf, -math.inf, 1.0, 2.0)),
    "holes": lambda r, i: r.choice((None, math.nan, r.random())),
    "none": lambda r, i: None,
    "truths": lambda r, i: r.random() < 0.2,
    "texts": lambda r, i: r.choice(("red", "blue", "grün", 'a "quote"', "", "😀", "long" * 70)),
    "many texts": lambda r, i: f"t{min(int(r.expovariate(0.1)), 60)}",
    "mixed": lambda r, i: r.choice((1, 2.5, "1", "a", True, 1e-7, 1e21)),
    "sparse": lambda r, i: r.choice((None, None, None, "x")),
    "seldom": lambda r, i: 1 if i == 7 else None,
}


@pytest.fixture(scope="module")
def meter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("meter") / "meter"
    subprocess.run(["go", "build", "-o", str(made), "."], cwd=ROOT / "meter", check=True)
    return made


@pytest.fixture
def server(tmp_path: Path) -> Iterator[int]:
    """A model server that predicts how many values of the row are none."""
    port = free_port()
    program = tmp_path / "server.py"
    program.write_text(SERVER)
    with process(["python3", str(program), str(port)], f"http://127.0.0.1:{port}/"):
        yield port


SERVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.answer(b"{}")
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        told = [sum(value is None for value in row.values()) for row in body["instances"]]
        self.answer(json.dumps({"predictions": told}).encode())
    def answer(self, content):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
    def log_message(self, *_):
        pass
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.mark.parametrize("rows", [10, 300, 5000])
def test_it_is_the_trainers(meter: Path, server: int, rows: int) -> None:
    seed = random.Random(rows)
    table: list[dict[str, Any]] = [
        {name: make(seed, number) for name, make in COLUMNS.items()} for number in range(rows)
    ]
    learned = asked(meter, server, table)
    told = [sum(value is None for value in row.values()) for row in table]
    columns = {name: [row[name] for row in table] for name in table[0]}
    wanted = json.loads(profile(columns, told).text())
    for kind in ("features", "predictions"):
        found = [without_place(one) for one in learned[kind]]
        assert found == [without_place(one) for one in wanted[kind]]
    assert (learned["rows"], learned["source"]) == (rows, "learned")


def without_place(variable: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in variable.items() if key != "column"}


def asked(meter: Path, server: int, table: list[dict[str, Any]]) -> dict[str, Any]:
    """The reference that a meter learns of the rows, by its metrics."""
    listen, admin = free_port(), free_port()
    told = {
        "METER_LISTEN": f"127.0.0.1:{listen}",
        "METER_UPSTREAM": f"127.0.0.1:{server}",
        "METER_ADMIN_LISTEN": f"127.0.0.1:{admin}",
        "METER_LEARN_ROWS": str(len(table)),
    }

    def metrics() -> str:
        return httpx.get(f"http://127.0.0.1:{admin}/metrics").text

    with process([str(meter)], f"http://127.0.0.1:{admin}/ready", **told):
        for number, start in enumerate(range(0, len(table), 500), 1):
            body = json.dumps({"instances": table[start : start + 500]})
            url = f"http://127.0.0.1:{listen}/v1/models/m:predict"
            assert httpx.post(url, content=body).is_success
            # One after the other: nothing waits long enough to be passed over.
            until(lambda: LEARNED.findall(metrics()) == [str(number)], 30)  # noqa: B023
        found = PART.findall(metrics())
    text = "".join(found).replace('\\"', '"').replace("\\\\", "\\")
    document: dict[str, Any] = json.loads(text)
    return document
