"""Keeps the store current for one kind: a paginated list, then a watch that resumes."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Any, Self

from evenkeel.kube.client import ApiError, Client
from evenkeel.kube.diagnosis import Diagnosis, Repeated, diagnose
from evenkeel.kube.store import Store, version_of
from evenkeel.meta.objects import Key
from evenkeel.meta.resources import ResourceType

log = logging.getLogger(__name__)

Change = Callable[[str, dict[str, Any]], None]
"""Called with the kind and the changed (or deleted) object."""

SHORT_WATCH = 1.0
"""Seconds; a server that ends watches sooner is asked again with growing pauses."""
MAX_WAIT = 30.0
"""Seconds; longest of these pauses, and how long a broken watch has worked if it counts as new."""
WATCH_SECONDS = (300, 600)
"""How long a watch lasts; each chooses anew, so that hundreds do not end at once."""
LOOK_AGAIN = 60.0
"""Seconds after which a kind that the cluster lacks is looked for again."""
RELIST_ROUNDS = 8
"""Watches after which all is listed again: about an hour."""
BEGIN_AT_ONCE = 4
"""Watches of a kind that list or connect at the same time."""


class Fellows:
    """What the watches of one kind share, one for each watched namespace.

    They begin a few at a time: lists of hundreds of namespaces would be in memory at once, and
    their connections would time out each other. A fault of them all is logged once. A kind that
    does not answer holds up no other.
    """

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(BEGIN_AT_ONCE)
        self.faults = Repeated(log)


class _Turn:
    """A turn that may end before its context does."""

    def __init__(self, turns: asyncio.Semaphore) -> None:
        self._turns, self._has = turns, False

    async def __aenter__(self) -> Self:
        await self._turns.acquire()
        self._has = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        if self._has:
            self._has = False
            self._turns.release()


class Watcher:
    """Watches one kind with a server-side label selector.

    `synced` is set after the first complete list. A list removes what is gone from the store, so
    that no deletion is missed after a gap. `diagnosis` says what was wrong at the last try, if
    anything. optional: without the kind all else goes on. asked_for: its lack is told even so.
    """

    def __init__(
        self,
        client: Client,
        store: Store,
        type_: ResourceType,
        on_change: Change,
        *,
        selector: str = "",
        namespace: str = "",
        optional: bool = False,
        asked_for: bool = False,
        fellows: Fellows | None = None,
    ) -> None:
        self._client = client
        self._store = store
        self._type = type_
        self._on_change = on_change
        self._selector = selector
        self._namespace = namespace
        self._optional = optional
        self._asked_for = asked_for
        self.synced = asyncio.Event()
        self.diagnosis: Diagnosis | None = None
        self._fellows = fellows or Fellows()

    @property
    def plural(self) -> str:
        """What is watched."""
        return self._type.plural

    async def run(self) -> None:
        """Runs until cancelled; whatever goes wrong, it tries again with growing pauses."""
        version = ""
        failures = rounds = 0
        while True:
            started = time.monotonic()
            fault: Exception | None = None
            try:
                if not version:
                    async with _Turn(self._fellows.turns):
                        version = await self._list()
                    self.diagnosis = None
                    self.synced.set()
                async with _Turn(self._fellows.turns) as turn:
                    version = await self._watch(version, turn)
                self.diagnosis = None
                rounds += 1
                if rounds % RELIST_ROUNDS == 0:
                    version = ""
            except ApiError as error:
                if error.status == 404 and self._optional:
                    # The kind isn't installed (Gateway API): look again later.
                    self._lacks(error)
                    version = ""
                    await asyncio.sleep(LOOK_AGAIN)
                    continue
                if error.status == 410:
                    version = ""
                self.diagnosis = None if error.status == 410 else diagnose(self._type, error)
                fault = error
            except Exception as error:
                # A dead watch would go unnoticed: whatever the answer was, list again.
                log.exception("watch of %s", self._type.plural)
                version, fault = "", error
            lasted = time.monotonic() - started
            if lasted >= (SHORT_WATCH if fault is None else MAX_WAIT):
                failures = 0
                continue
            failures += 1
            wait = min(MAX_WAIT, 0.1 * 2 ** min(failures, 9)) * random.uniform(0.5, 1)
            cause = fault or "the server ended it at once"
            said = self.diagnosis.message if self.diagnosis else cause
            self._fellows.faults.warn(f"watch of {self._type.plural}: {said}; trying again")
            await asyncio.sleep(wait)

    def _lacks(self, error: ApiError) -> None:
        self.diagnosis = None
        if self._asked_for:
            self.diagnosis = diagnose(self._type, error)._replace(lasts=False)
            self._fellows.faults.warn(self.diagnosis.message)
        self.synced.set()

    async def _list(self) -> str:
        kind, version, seen = self._type.kind, "", set()
        pages = self._client.pages(self._type, namespace=self._namespace, selector=self._selector)
        # All pages at once, before the store cuts their objects down, would be a multiple of it.
        async for items, at in pages:
            version = at
            for item in items:
                meta = item["metadata"]
                seen.add((meta.get("namespace", ""), meta["name"]))
                self._take(item)
        for key in self._store.keys(kind, self._namespace or None):
            known = self._store.get(key)
            assert known is not None
            # What was written meanwhile is newer than the list.
            if key[1:] in seen or version_of(known) > int(version):
                continue
            self._store.remove(key, version=int(version))
            self._on_change(self._type.kind, known)
        return version

    async def _watch(self, version: str, turn: _Turn) -> str:
        def opened() -> None:
            turn.end()
            self.diagnosis = None

        async for event in self._client.watch(
            self._type,
            namespace=self._namespace,
            selector=self._selector,
            resource_version=version,
            timeout_seconds=random.randint(*WATCH_SECONDS),
            opened=opened,
            known=lambda line: self._store.knows(self._type.kind, line),
        ):
            obj = event["object"]
            meta = obj["metadata"]
            version = meta["resourceVersion"]
            if event["type"] == "BOOKMARK":
                continue
            if event["type"] == "DELETED":
                key = Key(self._type.kind, meta.get("namespace", ""), meta["name"])
                if self._store.remove(key, meta.get("uid", ""), int(version)) is not None:
                    self._on_change(self._type.kind, obj)
            else:
                self._take(obj)
        return version

    def _take(self, obj: dict[str, Any]) -> None:
        kind, meta = self._type.kind, obj["metadata"]
        key = Key(kind, meta.get("namespace", ""), meta["name"])
        before = self._store.get(key)
        if not self._store.put(kind, obj):
            return
        self._on_change(kind, obj)
        now = self._store.get(key)
        if before is not None and now is not None and _labels(before) != _labels(now):
            # It may have belonged to another.
            self._on_change(kind, before)


def _labels(obj: dict[str, Any]) -> Any:
    return obj["metadata"].get("labels")
