"""Holds a Lease beside the operator's loop: no burst of work or requests delays its renewal."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import TypeVar

from evenkeel.kube.client import Client
from evenkeel.kube.diagnosis import Diagnosis
from evenkeel.kube.lease import Lease

T = TypeVar("T")


class Elector:
    """A Lease in a thread with a loop and a connection of its own.

    connect, lease: make that connection's client and the Lease, in the thread. The methods are for
    the operator's loop.
    """

    def __init__(self, connect: Callable[[], Client], lease: Callable[[Client], Lease]) -> None:
        self._connect = connect
        self._make = lease
        self._client: Client | None = None
        self._lease: Lease | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._loop = asyncio.new_event_loop()
        # As a daemon it never outlives the process, whatever it waits for.
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    @property
    def diagnosis(self) -> Diagnosis | None:
        """Why neither this process nor another is known to lead, if so."""
        return None if self._lease is None else self._lease.diagnosis

    def holds(self) -> bool:
        """Whether no other can have taken over yet, by this process' own clock alone."""
        return self._lease is not None and self._lease.holds()

    async def acquire(self) -> None:
        """Returns once this process leads. From then on the Lease is renewed."""
        self._thread.start()
        await self._there(self._acquire())

    async def lost(self) -> None:
        """Returns once this process leads no longer."""
        await self._there(self._kept())

    async def release(self) -> None:
        """Gives leadership up, so that another takes over at once, and ends the thread."""
        if not self._thread.is_alive():
            self._loop.close()
            return
        try:
            await self._there(self._release())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    async def _there(self, work: Coroutine[None, None, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _acquire(self) -> None:
        self._client = self._connect()
        self._lease = self._make(self._client)
        await self._lease.acquire()
        # At once: the operator's loop may be long in hearing of it.
        self._keeping = asyncio.create_task(self._lease.keep())

    async def _kept(self) -> None:
        assert self._keeping is not None
        await self._keeping

    async def _release(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
        if self._lease is not None:
            await self._lease.release()
        if self._client is not None:
            await self._client.close()
