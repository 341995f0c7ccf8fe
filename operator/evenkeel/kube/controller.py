"""The reconcile loop: watches feed a queue, workers plan and write."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from evenkeel.kube.client import ApiError, Client, Fenced
from evenkeel.kube.events import EventSource, Recorder
from evenkeel.kube.executor import Executor, NotCreated, NotOffered, Superseded
from evenkeel.kube.memory import Contested
from evenkeel.kube.metrics import LoopMetrics
from evenkeel.kube.ownership import NameTaken, Ownership
from evenkeel.kube.queue import Priority, WorkQueue
from evenkeel.kube.store import Store, version_of
from evenkeel.meta.admission import explained
from evenkeel.meta.conditions import REFUSED, TAKEN, Condition, refused_write
from evenkeel.meta.model import Model
from evenkeel.meta.objects import Event, Key
from evenkeel.meta.plan import Plan
from evenkeel.meta.resources import ResourceType

log = logging.getLogger(__name__)

JSON = dict[str, Any]
Reconcile = Callable[[Key, JSON, str | None], Awaitable[Plan]]
"""Observes and plans one object, given what the API server last called invalid, if anything."""
Dependents = Callable[[str, JSON], Iterable[Key]]
"""The keys that a change of an object concerns."""

MAX_BACKOFF = 60.0
INVALID = (400, 422)
"""Answers to an object that cannot be: it does not parse, or breaks a rule."""
PATIENCE = 3
"""Failures after which an internal error is told: it may be a fault that passes, but an applied
object that does not parse and an admission webhook that is down are answered so, too."""
PASSING = (0, 429, 502, 503, 504)
"""Answers, or none, of an API server that is in trouble itself, whatever it was asked."""
TERMINATING = "because it is being terminated"
"""In the API server's answer to a creation in a namespace that is being deleted."""


class Controller:
    """Reconciles the kinds of `reconciles`, one worker a key at a time.

    durable: told of a key and its plan once the status holds what was planned; its Events are sent
    then, too, since a later write that is refused is planned again without them. undurable: told of
    a key that is gone, or whose own writes the API server refuses while it takes others. types:
    where the kinds of all plans live. ownership: whose objects are. source: who Events are from.
    leads: whether this process may write; asked before each write.
    """

    def __init__(
        self,
        client: Client,
        store: Store,
        reconciles: Mapping[str, Reconcile],
        dependents: Dependents,
        durable: Callable[[Key, Plan], None],
        *,
        types: Mapping[str, ResourceType],
        ownership: Ownership,
        source: EventSource,
        metrics: LoopMetrics,
        undurable: Callable[[Key], None] = lambda key: None,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        self.queue = WorkQueue()
        self.recorder = Recorder(client, types, source, lambda: self.queue.depth() > 0)
        self._store = store
        self._metrics = metrics
        self._executor = Executor(client.fenced(leads), store, types, ownership, self._wrote)
        self._reconciles = reconciles
        self._dependents = dependents
        self._durable = durable
        self._undurable = undurable
        self._failures: dict[Key, int] = {}
        self._refusals: dict[Key, ApiError] = {}
        # Those whose status cannot be written at all: at which version, and until when they wait.
        self._mute: dict[Key, tuple[int, float]] = {}
        self.started = False

    def changed(self, kind: str, obj: JSON) -> None:
        """Queues whatever the change concerns."""
        for key in self._dependents(kind, obj):
            self.queue.add(key, self._priority(key))

    def _wrote(self, kind: str, obj: JSON, knows: Key | None) -> None:
        for key in self._dependents(kind, obj):
            if key != knows:
                self.queue.add(key, self._priority(key))

    def _priority(self, key: Key) -> Priority:
        obj = self._store.get(key)
        if obj is not None and not obj.get("status"):
            return Priority.FIRST
        return Priority.CHANGE if self.started else Priority.RESYNC

    async def work(self) -> None:
        """Reconciles keys until cancelled."""
        while True:
            key = await self.queue.get()
            started = time.perf_counter()
            result = "error"
            try:
                result = await self._one(key)
            except Fenced as error:
                # Whoever leads now does it.
                log.warning("%s %s/%s: %s", *key, error)
                self._retry(key)
                result = "fenced"
            except Exception:
                log.exception("%s %s/%s", *key)
                self._retry(key)
            finally:
                self.queue.done(key)
                self._metrics.reconciles.labels(key.kind, result).inc()
                seconds = time.perf_counter() - started
                self._metrics.reconcile_seconds.labels(key.kind).observe(seconds)
            # A plan that writes nothing waits for nothing: thousands would hold the loop up.
            await asyncio.sleep(0)

    async def _one(self, key: Key) -> str:
        obj = self._store.get(key)
        if obj is None:
            self._failures.pop(key, None)
            self._refusals.pop(key, None)
            self._mute.pop(key, None)
            self._executor.forget(key)
            self._undurable(key)
            return "gone"
        version, due = self._mute.get(key, (-1, 0.0))
        if version == version_of(obj) and (wait := due - time.monotonic()) > 0:
            # Whatever wakes it meanwhile, a look at a trial say, nothing could be kept of it.
            self._undurable(key)
            self.queue.add_after(key, wait)
            return "untold"
        refusal = self._refusals.get(key)
        invalid = refusal.message if refusal and refusal.status in INVALID else None
        try:
            plan = await self._reconciles[key.kind](key, obj, invalid)
        except ApiError as error:
            # What could not be read is read again.
            log.warning("%s %s/%s: %s", *key, error)
            self._retry(key)
            return "unread"
        if refusal is not None:
            plan = replace(plan, status=_with_refusal(plan.status, obj, refusal))
        try:
            contested = await self._executor.run(
                key, obj, plan, lambda: self._decided(key, obj, plan)
            )
        except Superseded:
            # The watch brings the newer object; should it be late, look again soon.
            self.queue.add_after(key, 0.2)
            return "superseded"
        except NotOffered as error:
            log.warning("%s %s/%s: %s", *key, error)
            said = f"the API server refused a write: {explained(error.message)}"
            self.recorder.record(key, obj, (Event("Warning", REFUSED, said),))
            contested = ()
        except ApiError as error:
            return await self._refused(key, obj, plan, error)
        self._mute.pop(key, None)
        if self._refusals.pop(key, None) is not None:
            self.queue.add(key)
        self._failures.pop(key, None)
        for child in contested:
            self._contest(key, obj, child)
        if plan.requeue_after is not None:
            if plan.requeue_after <= 0:
                self.queue.add(key)
            else:
                self.queue.add_after(key, plan.requeue_after)
        return "ok"

    async def _refused(self, key: Key, obj: JSON, plan: Plan, error: ApiError) -> str:
        if error.status == 403 and TERMINATING in error.message:
            # The object itself goes next; should the namespace stay, the retry is due.
            self._undurable(key)
            self._retry(key)
            return "terminating"
        log.warning("%s %s/%s: %s", *key, error)
        told = True
        if _lasts(error, self._failures.get(key, 0)):
            self._refusals[key] = error
            told = await self._tell(key, plan, error)
        if error.status not in PASSING:
            self._undurable(key)
        seconds = self._retry(key)
        if told:
            return "refused"
        self._mute[key] = (version_of(obj), time.monotonic() + seconds)
        return "untold"

    def _contest(self, key: Key, obj: JSON, child: Contested) -> None:
        what = f"{child.key.kind} {child.key.name}"
        message = f"another operator writes {what}, too; let one of them watch other namespaces"
        self.recorder.record(key, obj, (Event("Warning", "Contested", message),))
        self.queue.add_after(key, child.seconds)

    def _decided(self, key: Key, obj: JSON, plan: Plan) -> None:
        self._durable(key, plan)
        self.recorder.record(key, obj, plan.events)

    async def _tell(self, key: Key, plan: Plan, refusal: ApiError) -> bool:
        """Tells of the refusal in the status as it stands: the plan's own may not be true yet.

        False: that is refused as well, so that an Event and the metric have to tell.
        """
        obj = self._store.get(key)
        if obj is None:
            return True
        standing = type(plan.status).model_validate(obj.get("status", {}))
        kept = plan.uncreated if isinstance(refusal, NotCreated | NameTaken) else None
        told = Plan(_with_refusal(kept or standing, obj, refusal), shared_status=plan.shared_status)
        try:
            await self._executor.run(key, obj, told)
            if kept is not None:
                self._durable(key, told)
        except Superseded as error:
            log.warning("%s %s/%s: %s", *key, error)
        except ApiError as error:
            log.warning("%s %s/%s: %s", *key, error)
            if _lasts(error, self._failures.get(key, 0)):
                message = f"the API server refuses the status: {explained(error.message)}"
                self.recorder.record(key, obj, (Event("Warning", REFUSED, message),))
                return False
        return True

    def _retry(self, key: Key) -> float:
        """Queues it again after the seconds that it returns, ever more."""
        failures = self._failures.get(key, 0) + 1
        self._failures[key] = failures
        seconds: float = min(MAX_BACKOFF, 0.25 * 2.0 ** min(failures, 10))
        self.queue.add_after(key, seconds)
        return seconds


def _lasts(error: ApiError, failures: int) -> bool:
    """Whether a retry alone will hardly help, so that it must be told."""
    if isinstance(error, NameTaken):
        return True
    if error.status == 500:
        return failures >= PATIENCE
    return 400 <= error.status < 500 and error.status not in (409, 429)


def _with_refusal(status: Model, obj: JSON, refusal: ApiError) -> Model:
    """The status with a refused write told in its conditions."""
    generation = obj["metadata"].get("generation", 0)
    before = [Condition.model_validate(c) for c in obj.get("status", {}).get("conditions") or ()]
    now, planned = datetime.now(UTC), getattr(status, "conditions", ())
    if isinstance(refusal, NameTaken):
        message, reason = refusal.message, TAKEN
    else:
        message, reason = f"the API server refused a write: {explained(refusal.message)}", REFUSED
    conditions = refused_write(before, planned, message, generation, now, reason)
    return status.model_copy(update={"conditions": conditions})
