"""What the meter costs the requests that it passes on, in one run on this machine.

    python -m bench.meter [--seconds 5] [--rounds 5] [--no-mlserver]

A model server is asked with and without the meter before it, one after the other, several times:
one that does nothing, by 1,000 requests a second, and MLServer with a scikit-learn model, by what
it can answer beside its load. The first one's requests are also passed on by a meter that mirrors
a fifth of them to another such server in every other round. Figures are medians over the rounds,
and differences between the two ways; what else runs on the machine is in both, and least in the
meter's processor time a request. Needs Go. Exits with 1 if a bound is missed.
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
MIRRORED_PERCENT, MIRRORED_P50_MS = 20, 0.1
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
def nothing(programs: Programs) -> Iterator[int]:
    """The port of a model server that does nothing."""
    port = free_port()
    command = [str(programs.bench), "upstream", f"127.0.0.1:{port}"]
    with process(command, f"http://127.0.0.1:{port}/"):
        yield port


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


def compare_mirrored(
    programs: Programs, upstream: int, canary: int, body: Path, seconds: int, rounds: int
) -> list[Row]:
    """What mirroring costs requests by one meter, by rounds with it and without it in turns."""
    listen, admin = free_port(), free_port()
    division = body.with_name("division")
    told = {
        "METER_LISTEN": f"127.0.0.1:{listen}",
        "METER_UPSTREAM": f"127.0.0.1:{upstream}",
        "METER_ADMIN_LISTEN": f"127.0.0.1:{admin}",
        "METER_DIVISION": str(division),
    }
    url = f"http://127.0.0.1:{canary}"
    mirror = {"percent": MIRRORED_PERCENT, "url": url, "revision": "canary"}
    ways = {True: json.dumps({"mirror": mirror}), False: ""}
    loads: dict[bool, list[Load]] = {way: [] for way in ways}
    with process([str(programs.meter)], f"http://127.0.0.1:{admin}/ready", **told) as meter:
        load(programs, listen, body, RATE, 1)
        for number in range(rounds):
            for way in (True, False) if number % 2 else (False, True):
                _divide(division, ways[way], admin)
                loads[way].append(load(programs, listen, body, RATE, seconds))
        rss = peak_rss(meter) / MEBIBYTE
        pairs, skipped = (_counted(admin, f"shadow_{name}_total") for name in ("pairs", "skipped"))
    plain, mirrored = loads[False], loads[True]
    each = [1000 * (one.p50 - other.p50) for one, other in zip(mirrored, plain, strict=True)]
    sent, failed = (sum(getattr(one, name) for one in mirrored) for name in ("sent", "failed"))
    print(f"mirroring, {RATE}/s, {rounds} x {seconds} s: without {_median(plain)}, ", end="")
    print(f"with {_median(mirrored)}; {pairs:.0f} pairs and {skipped:.0f} skipped of {sent}")
    print(f"mirroring: p50, more, by rounds: {' '.join(f'{more:.3f}' for more in each)} ms")
    percent = f"mirroring {MIRRORED_PERCENT} %"
    return [
        at_most(f"{percent}: p50, more", median(each), MIRRORED_P50_MS, "ms", 3),
        at_most(f"{percent}: the meter's memory", rss, RSS_MIB, "MiB"),
        at_most(f"{percent}: off by", abs(100 * pairs / sent - MIRRORED_PERCENT), 3, "points"),
        at_most(f"{percent}: failed", failed, 0, "", 0),
    ]


def _divide(file: Path, text: str, admin: int) -> None:
    """Writes a division as the kubelet does, and waits until the meter holds to it."""
    beside = file.with_suffix(".new")
    beside.write_text(text)
    beside.replace(file)
    until(lambda: (_counted(admin, "division_percent") > 0) == bool(text), 10)


def _counted(admin: int, name: str) -> float:
    """The sum of a metric of the meter over its series."""
    text = httpx.get(f"http://127.0.0.1:{admin}/metrics", timeout=5).text
    lines = (line for line in text.splitlines() if line.startswith(f"evenkeel_model_{name}{{"))
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


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
        port, canary = (stack.enter_context(nothing(programs)) for _ in range(2))
        rows = compare("nothing", programs, port, body, RATE, seconds, rounds)
        rows += compare_mirrored(programs, port, canary, body, seconds, rounds)
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
