"""`python -m bench.watching [COUNT]`: the operator's own watch beside kopf's, on one API server.

Each watches the same ModelDeployments in a process of its own that does nothing else. Figures:
processor time and memory of the first list, processor time and latency of updates, and how many
deletions were seen that happened while the process and then the API server were halted, so that
the watch goes on with 410 Gone. The reasons for the own watch are in
docs/decisions/0001-kopf-hosts-the-process.md; a newer kopf is installed and this run again.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import kopf
from evenkeel.api.resources import OWN
from evenkeel.controllers.identity import FIELD_MANAGER
from evenkeel.controllers.kinds import indexed, indices, kept, slims
from evenkeel.kube.client import ApiError, Client
from evenkeel.kube.store import Store
from evenkeel.kube.watcher import Watcher
from evenkeel.meta.objects import Key

from bench.process import cpu_seconds, rss
from dev.cluster import binaries
from dev.cluster.control_plane import ControlPlane
from dev.paths import CRDS, ROOT

KIND = OWN["ModelDeployment"]
NAMESPACE = "default"
MEBIBYTE = 2**20
PARALLEL = 50
CHANGES = 1000
CHANGES_A_SECOND = 100
DELETED = 100
PATIENCE = 120.0
"""Seconds until something that was not seen counts as unseen."""
AFTER_GONE = 30.0
"""The same for deletions in the gap, once an object that was made after it is seen."""
CHANGED = "evenkeel.dev/bench"
SIDES = ("own", "kopf")

JSON = dict[str, Any]


class Seen(NamedTuple):
    """One line of a watching process: the time, what happened, to which object, its mark."""

    at: float
    what: str
    name: str
    mark: str


def _tell(what: str, obj: JSON) -> None:
    meta = obj["metadata"]
    mark = (meta.get("annotations") or {}).get(CHANGED, "")
    print(json.dumps([time.time(), what, meta["name"], mark]), flush=False)


async def watch_own() -> None:
    """Watches as the operator does and tells what it sees."""
    store = Store(
        indexed=indexed(), indices=indices(), kept=kept(), slims=slims(), manager=FIELD_MANAGER
    )

    def changed(kind: str, obj: JSON) -> None:
        known = store.get(Key(kind, NAMESPACE, obj["metadata"]["name"]))
        _tell("there" if known is not None else "gone", obj)

    async with await Client.from_environment(field_manager=FIELD_MANAGER) as client:
        watcher = Watcher(client, store, KIND, changed)
        await asyncio.gather(watcher.run(), _flush())


async def watch_kopf() -> None:
    """Watches as kopf does it most cheaply and tells what it sees."""
    registry = kopf.OperatorRegistry()

    @kopf.on.startup(registry=registry, errors=kopf.ErrorsMode.PERMANENT)
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.scanning.disabled = True
        settings.posting.enabled = False
        settings.persistence.progress_storage = NoProgress()
        settings.persistence.diffbase_storage = NoDiffBase()

    @kopf.on.login(registry=registry)
    async def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.event(KIND.group, KIND.version, KIND.plural, registry=registry)
    async def changed(event: kopf.RawEvent, **_: Any) -> None:
        _tell("gone" if event["type"] == "DELETED" else "there", dict(event["object"]))

    flushing = asyncio.create_task(_flush())
    await kopf.operator(registry=registry, clusterwide=True, standalone=True)
    flushing.cancel()


class NoProgress(kopf.ProgressStorage):
    """Raw events have no progress to keep."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        pass

    def purge(self, **_: Any) -> None:
        pass

    def touch(self, **_: Any) -> None:
        pass

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


class NoDiffBase(kopf.DiffBaseStorage):
    """Nor a last state to compare with."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        pass


async def _flush() -> None:
    while True:
        sys.stdout.flush()
        await asyncio.sleep(0.002)


class Watching:
    """One side's process, and what it has seen."""

    def __init__(self, side: str, folder: Path) -> None:
        self.side, self._out = side, folder / f"{side}.jsonl"
        self._err = folder / f"{side}.log"
        self._read = 0
        self._tail = ""
        self.seen: list[Seen] = []

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "bench.watching", "--watch", self.side]
        with self._out.open("w") as out, self._err.open("w") as err:
            environment = {**os.environ, "PYTHONPATH": "operator:.", "POD_ID": "bench"}
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=out, stderr=err
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        if error is not None:
            print(self._err.read_text()[-3000:], file=sys.stderr)

    def look(self) -> list[Seen]:
        """All that was seen until now."""
        with self._out.open() as file:
            file.seek(self._read)
            text = self._tail + file.read()
            self._read = file.tell()
        *lines, self._tail = text.split("\n")
        self.seen += [Seen(*json.loads(line)) for line in lines]
        return self.seen

    def names(self, what: str) -> set[str]:
        """The objects to which this happened."""
        return {seen.name for seen in self.look() if seen.what == what}

    def alive(self) -> bool:
        return self.process.poll() is None


class Figures(NamedTuple):
    """One side's row in each line of the table."""

    list_seconds: float
    list_cpu: float
    rss: int
    change_cpu: float
    latencies: list[float]
    deletions_seen: int
    alive: bool


def _deployment(name: str) -> JSON:
    return {
        "apiVersion": KIND.api_version,
        "kind": KIND.kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"model": {"uri": "pvc://models/m", "format": {"name": "sklearn"}}},
    }


async def _all(work: Any) -> None:
    limit = asyncio.Semaphore(PARALLEL)

    async def one(coroutine: Any) -> None:
        async with limit:
            await coroutine

    await asyncio.gather(*(one(coroutine) for coroutine in work))


async def _create(client: Client, names: list[str]) -> None:
    await _all(client.create(KIND, NAMESPACE, _deployment(name)) for name in names)


async def _until(check: Any, patience: float = PATIENCE) -> bool:
    end = time.monotonic() + patience
    while not check():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.05)
    return True


async def _changes(client: Client, names: list[str], side: str) -> dict[str, float]:
    """When each change was sent, by its mark."""
    sent: dict[str, float] = {}

    async def change(index: int) -> None:
        await asyncio.sleep(index / CHANGES_A_SECOND)
        mark = f"{side}-{index}"
        sent[mark] = time.time()
        await client.request(
            "PATCH",
            KIND.path(NAMESPACE, names[index % len(names)]),
            body={"metadata": {"annotations": {CHANGED: mark}}},
            content_type="application/merge-patch+json",
        )

    await asyncio.gather(*(change(index) for index in range(CHANGES)))
    return sent


async def measure(side: str, plane: ControlPlane, folder: Path, count: int) -> Figures:
    """All figures of one side; the API server holds `count` ModelDeployments before and after."""
    names = [f"bench-{index}" for index in range(count)]
    started = time.time()
    with Watching(side, folder) as watching:
        if not await _until(lambda: watching.names("there") >= set(names)):
            raise RuntimeError(f"{side} has not seen all objects within {PATIENCE:.0f} s")
        list_seconds = max(seen.at for seen in watching.seen) - started
        await asyncio.sleep(2)
        pid = watching.process.pid
        list_cpu, memory = cpu_seconds(pid), rss(pid)
        async with await Client.from_environment(field_manager="bench") as client:
            sent = await _changes(client, names, side)
            await _until(lambda: sent.keys() <= {s.mark for s in watching.look()}, 30)
        change_cpu = cpu_seconds(pid) - list_cpu
        at = {seen.mark: seen.at for seen in reversed(watching.look())}
        latencies = [at[mark] - when for mark, when in sent.items() if mark in at]
        gone = await _gap(plane, watching, names[:DELETED])
        return Figures(
            list_seconds, list_cpu, memory, change_cpu, latencies, gone, watching.alive()
        )


async def _gap(plane: ControlPlane, watching: Watching, doomed: list[str]) -> int:
    """How many deletions are seen that happened in a gap which ends in 410 Gone.

    The first new API server has no stream to the halted process, and the second knows no version
    from before its own start.
    """
    watching.process.send_signal(signal.SIGSTOP)
    plane.stop()
    plane.start()
    async with await Client.from_environment(field_manager="bench") as client:
        await _served(client)
        await _all(client.delete(KIND, NAMESPACE, name, "") for name in doomed)
    plane.stop()
    plane.start()
    async with await Client.from_environment(field_manager="bench") as client:
        await _served(client)
        watching.process.send_signal(signal.SIGCONT)
        after = f"after-{watching.side}"
        await _create(client, [after])
        await _until(lambda: after in watching.names("there") or not watching.alive())
        await _until(lambda: watching.names("gone") >= set(doomed), AFTER_GONE)
        await client.delete(KIND, NAMESPACE, after, "")
        await _create(client, doomed)
    return len(watching.names("gone") & set(doomed))


async def _served(client: Client) -> None:
    """Until a kind from a CRD is served again."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            await client.list(KIND, namespace=NAMESPACE)
            return
        except ApiError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.2)


async def compare(plane: ControlPlane, folder: Path, count: int) -> dict[str, Figures]:
    """Both sides, one after the other."""
    async with await Client.from_environment(field_manager="bench") as client:
        await _served(client)
        await _create(client, [f"bench-{index}" for index in range(count)])
    return {side: await measure(side, plane, folder, count) for side in SIDES}


def _table(count: int, figures: dict[str, Figures]) -> list[tuple[str, list[str]]]:
    def row(name: str, text: Any) -> tuple[str, list[str]]:
        return name, [text(figures[side]) for side in SIDES]

    def quantile(values: list[float], part: float) -> str:
        if not values:
            return "-"
        return f"{sorted(values)[int(part * (len(values) - 1))] * 1000:.0f} ms"

    return [
        row(f"{count} ModelDeployments seen after the start", lambda f: f"{f.list_seconds:.1f} s"),
        row("  processor time, start of Python included", lambda f: f"{f.list_cpu:.1f} s"),
        row("  memory (RSS)", lambda f: f"{f.rss / MEBIBYTE:.0f} MiB"),
        row(
            f"{CHANGES} updates, processor time each",
            lambda f: f"{f.change_cpu / CHANGES * 1000:.1f} ms",
        ),
        row("  seen", lambda f: str(len(f.latencies))),
        row("  latency p50", lambda f: f"{statistics.median(f.latencies or [0]) * 1000:.0f} ms"),
        row("  latency p99", lambda f: quantile(f.latencies, 0.99)),
        row(f"{DELETED} deletions in a gap, seen", lambda f: str(f.deletions_seen)),
        row("still running at the end", lambda f: "yes" if f.alive else "no"),
    ]


def main() -> int:
    if sys.argv[1:2] == ["--watch"]:
        asyncio.run({"own": watch_own, "kopf": watch_kopf}[sys.argv[2]]())
        return 0
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    folder = Path(tempfile.mkdtemp(prefix="evenkeel-watching-"))
    try:
        with ControlPlane(folder / "cp", die_with_parent=True) as plane:
            os.environ["KUBECONFIG"] = str(plane.kubeconfig)
            subprocess.run(
                [binaries.path("kubectl"), "apply", "--server-side", "-f", str(CRDS)],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            figures = asyncio.run(compare(plane, folder, count))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{'figure':<52}{'own':>14}{'kopf ' + version('kopf'):>14}")
    for name, values in _table(count, figures):
        print(f"{name:<52}" + "".join(f"{value:>14}" for value in values))
    return 0


if __name__ == "__main__":
    sys.exit(main())
