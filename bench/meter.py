"""What the meter costs the requests that it passes on, in one run on this machine.

    python -m bench.meter [--seconds 5] [--rounds 5] [--no-mlserver]

A model server is asked with and without the meter before it, one after the other, several times:
one that does nothing, by 1,000 requests a second, and MLServer with a scikit-learn model, by what
it can answer beside its load. Figures are medians over the rounds, and differences between the two
ways; what else runs on the machine is in both, and least in the meter's processor time a request.
Needs Go. Exits with 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import httpx

from bench.process import MEBIBYTE, Row, at_most, cpu_seconds, free_port, peak_rss, until
from dev.images import build, parts
from dev.paths import ROOT

P50_MS, P99_MS, RSS_MIB = 0.3, 2.0, 30.0
RATE, MLSERVER_RATE = 1000, 100
SECONDS, ROUNDS = 5, 5
PATH = "/v2/models/model/infer"
FEATURES = 8
TRAIN = """
import sys, joblib, numpy
from sklearn.linear_model import LogisticRegression
rows = numpy.random.default_rng(1).normal(size=(500, {features}))
joblib.dump(LogisticRegression().fit(rows, rows[:, 0] > 0), sys.argv[1])
"""


class Load(NamedTuple):
    """p50, p99: seconds."""

    p50: float
    p99: float
    sent: int
    failed: int


class Programs(NamedTuple):
    """Paths of the meter, and of load and the model server that does nothing."""

    meter: Path
    bench: Path


def built(folder: Path) -> Programs:
    """Compiles both. Raises CalledProcessError."""
    made = Programs(folder / "meter", folder / "meter-bench")
    for target, module in zip(made, ("meter", "meter/bench"), strict=True):
        command = ["go", "build", "-trimpath", "-ldflags=-s -w", "-o", str(target), "."]
        subprocess.run(command, cwd=ROOT / module, env=_plain(CGO_ENABLED="0"), check=True)
    return made


@contextmanager
def process(command: list[str], url: str, **variables: str) -> Iterator[int]:
    """The id of a process that answers at the URL."""
    with tempfile.TemporaryFile() as log:
        made = subprocess.Popen(command, env=_plain(**variables), stdout=log, stderr=log)
        try:
            until(lambda: _answers(url), 120)
            yield made.pid
        finally:
            made.terminate()
            made.wait(30)


@contextmanager
def mlserver(folder: Path, port: int) -> Iterator[None]:
    """MLServer with a logistic regression."""
    site = parts.site("requirements/mlserver.txt", build.cache_folder()) / "site"
    environment = {"PYTHONPATH": str(site)}
    model = folder / "model.joblib"
    train = [sys.executable, "-c", TRAIN.format(features=FEATURES), str(model)]
    subprocess.run(train, env=_plain(**environment), check=True)
    settings = {
        "name": "model",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(model)},
    }
    (folder / "model-settings.json").write_text(json.dumps(settings))
    ports = {
        "MLSERVER_HTTP_PORT": str(port),
        "MLSERVER_GRPC_PORT": str(free_port()),
        "MLSERVER_METRICS_PORT": str(free_port()),
        "MLSERVER_PARALLEL_WORKERS": "0",
        "MLSERVER_METRICS_DIR": str(folder),
        "MLSERVER_ENVIRONMENTS_DIR": str(folder),
    }
    main = "from mlserver.cli import main; main()"
    command = [sys.executable, "-c", main, "start", str(folder)]
    with process(command, f"http://127.0.0.1:{port}/v2/health/ready", **environment, **ports):
        yield


def load(programs: Programs, port: int, body: Path, rate: int, seconds: int) -> Load:
    """Sends requests to a port of this machine. Raises CalledProcessError."""
    url = f"http://127.0.0.1:{port}{PATH}"
    command = [str(programs.bench), "load", url, str(body), str(rate), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Load(**json.loads(done.stdout))


def compare(
    name: str, programs: Programs, upstream: int, body: Path, rate: int, seconds: int, rounds: int
) -> list[Row]:
    """The figures of one model server."""
    listen, admin = free_port(), free_port()
    variables = {
        "METER_LISTEN": f"127.0.0.1:{listen}",
        "METER_UPSTREAM": f"127.0.0.1:{upstream}",
        "METER_ADMIN_LISTEN": f"127.0.0.1:{admin}",
    }
    ready = f"http://127.0.0.1:{admin}/ready"
    with process([str(programs.meter)], ready, **variables) as meter:
        for port in (upstream, listen):
            load(programs, port, body, rate, 1)
        began = cpu_seconds(meter)
        pairs = []
        for _ in range(rounds):
            bare = load(programs, upstream, body, rate, seconds)
            metered = load(programs, listen, body, rate, seconds)
            pairs.append((bare, metered))
        spent = cpu_seconds(meter) - began
        rss = peak_rss(meter) / MEBIBYTE
    p50 = 1000 * median(metered.p50 - bare.p50 for bare, metered in pairs)
    p99 = 1000 * median(metered.p99 - bare.p99 for bare, metered in pairs)
    told = [_median([pair[side] for pair in pairs]) for side in (0, 1)]
    print(f"{name}, {rate}/s, {rounds} x {seconds} s: bare {told[0]}, metered {told[1]}")
    each = 1e6 * spent / sum(metered.sent for _, metered in pairs)
    print(f"{name}: the meter used {each:.0f} microseconds of a processor a request", flush=True)
    return [
        at_most(f"{name}: p50, more", p50, P50_MS, "ms", 2),
        at_most(f"{name}: p99, more", p99, P99_MS, "ms", 2),
        at_most(f"{name}: the meter's memory", rss, RSS_MIB, "MiB"),
        at_most(f"{name}: failed", sum(metered.failed for _, metered in pairs), 0, "", 0),
    ]


def _median(loads: list[Load]) -> str:
    p50, p99 = (1000 * median(one[place] for one in loads) for place in (0, 1))
    return f"p50 {p50:.2f} ms p99 {p99:.2f} ms"


def _plain(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return kept | variables


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.HTTPError:
        return False


def measured(seconds: int, rounds: int, *, beside_mlserver: bool = True) -> list[Row]:
    """All figures, printed as a table."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        programs = built(folder)
        tensor = {"name": "x", "shape": [1, FEATURES], "datatype": "FP32", "data": [0.5] * FEATURES}
        body = folder / "body.json"
        body.write_text(json.dumps({"inputs": [tensor]}))
        port = free_port()
        command = [str(programs.bench), "upstream", f"127.0.0.1:{port}"]
        stack.enter_context(process(command, f"http://127.0.0.1:{port}/"))
        rows = compare("nothing", programs, port, body, RATE, seconds, rounds)
        if beside_mlserver:
            models = folder / "models"
            models.mkdir()
            port = free_port()
            stack.enter_context(mlserver(models, port))
            rows += compare("MLServer", programs, port, body, MLSERVER_RATE, seconds, rounds)
    print(f"\n{'figure':<40}{'measured':>14}{'target':>14}")
    for row in rows:
        mark = "" if row.met else "   MISSED"
        print(f"{row.name:<40}{row.value:>14}{row.target:>14}{mark}")
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--no-mlserver", action="store_true")
    options = parser.parse_args()
    rows = measured(options.seconds, options.rounds, beside_mlserver=not options.no_mlserver)
    held = sum(row.met for row in rows)
    print(f"{held} bounds held of {len(rows)} tried")
    return 0 if held == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
