"""Runs the stages one after the other."""

from __future__ import annotations

import asyncio
import secrets
import time
from pathlib import Path

from evenkeel.kube.client import ApiError, Client

from demo.observations import trouble
from demo.progress import Done, Progress
from demo.stages import Stage
from demo.watch import Watch
from demo.world import FEEDBACK_KEYS, NAMESPACE, Snapshot
from dev.cluster.errors import ClusterError
from dev.paths import MANIFESTS
from dev.stack.install import Stack

POLL_SECONDS = 0.7


class NotObserved(Exception):
    """A stage ended without its evidence; the message says why."""


class Runner:
    """One demonstration on one cluster.

    installed: the stack is there already, from an earlier demonstration.
    """

    def __init__(self, progress: Progress, provider: str, *, installed: bool) -> None:
        self.progress = progress
        self.stack: Stack | None = None
        self._provider = provider
        self._installed = installed

    async def run(self) -> None:
        """Until the last stage. Raises NotObserved, ClusterError or ApiError."""
        setup, scenario = self.progress.stages[:2], self.progress.stages[2:]
        self._begin(setup[0])
        self.stack = await asyncio.to_thread(Stack.on_cluster, self._say, self._provider)
        self._end(f"{self.stack.cluster.name}, kubeconfig {_short(self.stack.kubeconfig)}")
        self._begin(setup[1])
        if not self._installed:
            await asyncio.to_thread(self.stack.everything)
        file = str(self.stack.kubeconfig)
        async with await Client.from_kubeconfig(file, field_manager="demo") as client:
            watch = Watch(client)
            await self._reset(self.stack, watch)
            self._end(f"running; namespace {NAMESPACE} is empty")
            try:
                for stage in scenario:
                    await self._stage(self.stack, watch, stage)
            finally:
                await self._stop_traffic(self.stack)

    async def _reset(self, stack: Stack, watch: Watch) -> None:
        """An empty namespace, and no alert of an earlier demonstration."""
        self._say(f"an empty namespace {NAMESPACE}")
        which = (NAMESPACE, "--ignore-not-found")
        await asyncio.to_thread(stack.kubectl, "delete", "namespace", *which, "--wait=false")
        # Nobody is served any more, so there is nothing to end gracefully.
        quick = ("--all", "--grace-period=1", "--wait=false")
        await asyncio.to_thread(stack.kubectl, "delete", "pods", "-n", NAMESPACE, *quick)
        await asyncio.to_thread(stack.kubectl, "delete", "namespace", *which, "--timeout=180s")
        await asyncio.to_thread(stack.namespace, NAMESPACE)
        key = secrets.token_hex(32)
        await asyncio.to_thread(stack.secret, NAMESPACE, FEEDBACK_KEYS, "1", key)
        deadline = time.time() + 60
        # Prometheus may have just been started.
        while not await watch.alert_is_quiet():
            if time.time() > deadline:
                raise NotObserved("an alert of an earlier demonstration still fires")
            await asyncio.sleep(1)

    async def _stage(self, stack: Stack, watch: Watch, stage: Stage) -> None:
        assert stage.observe is not None
        done = self._begin(stage)
        for manifest in stage.begin:
            await asyncio.to_thread(stack.apply, MANIFESTS / manifest)
        history = self.progress.history
        while True:
            began = time.time()
            blind = ""
            try:
                history.append(await watch.snapshot())
            except ApiError as error:
                # One unanswered question is no failure of the stage.
                blind = f"; the cluster does not answer: {error}"
            if history and not blind:
                if (evidence := stage.observe(history)) is not None:
                    self._end(evidence)
                    return
                if (reason := trouble(history)) is not None:
                    raise NotObserved(reason)
            if time.time() - done.began > stage.limit:
                raise NotObserved(f"not seen within {stage.limit:.0f} s{blind}")
            await asyncio.sleep(max(0.0, began + POLL_SECONDS - time.time()))

    async def _stop_traffic(self, stack: Stack) -> None:
        """The replay would end by itself, but later."""
        await asyncio.to_thread(
            stack.kubectl,
            *("--namespace", NAMESPACE, "delete", "job", "traffic", "--ignore-not-found"),
            *("--wait=false",),
        )

    def _begin(self, stage: Stage) -> Done:
        done = Done(stage, time.time())
        self.progress.done.append(done)
        return done

    def _end(self, evidence: str) -> None:
        done = self.progress.done[-1]
        done.ended, done.observed, done.evidence = time.time(), True, evidence

    def _say(self, line: str) -> None:
        self.progress.log.append((time.time(), line))


def fail(progress: Progress, reason: str) -> None:
    """Ends the stage under way as not observed."""
    if (current := progress.current) is not None:
        current.ended, current.evidence = time.time(), reason


def diagnosis(stack: Stack | None, last: Snapshot | None) -> list[str]:
    """What a person would look at after a failure: conditions, events, pods, the operator's log."""
    lines: list[str] = []
    if last is not None:
        objects = [last.deployment, last.schedule, *last.runs.values(), *last.versions.values()]
        for thing in filter(None, objects):
            for c in (thing.get("status") or {}).get("conditions") or ():
                what = f"{c['type']}={c['status']} {c['reason']}: {c['message']}"
                lines.append(f"{thing['metadata']['name']}: {what}")
        lines += [f"{e.time} {e.kind} {e.name} {e.reason}: {e.message}" for e in last.events[-12:]]
    if stack is None:
        return lines
    for arguments in (
        ("--namespace", NAMESPACE, "get", "pods,jobs", "-o", "wide"),
        ("--namespace", "evenkeel-system", "logs", "deployment/evenkeel", "--tail=15"),
    ):
        try:
            lines += ["$ kubectl " + " ".join(arguments), *stack.kubectl(*arguments).splitlines()]
        except ClusterError as error:
            lines.append(str(error))
    return lines


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
