"""Leader election by a Lease (coordination.k8s.io/v1), as client-go does it.

The `kubernetes` package's elector for asyncio keeps its record in a ConfigMap or Lease through
the typed models and cannot be released on shutdown, so the few requests stand here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import Any

from evenkeel.kube.client import ApiError, Client
from evenkeel.kube.diagnosis import Diagnosis, Repeated, diagnose
from evenkeel.meta.resources import LEASE
from evenkeel.meta.times import precise

log = logging.getLogger(__name__)

JSON = dict[str, Any]


class Lease:
    """Holds or waits for leadership.

    Durations in seconds: a holder that has not renewed for `renew_deadline` stops leading by
    itself before others may take over after `duration` on their own clocks. Clocks of machines
    are never compared: a candidate measures how long it has seen no renewal. `diagnosis` says why
    neither this process nor another is known to hold it, if so.
    """

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        identity: str,
        *,
        duration: float = 15.0,
        renew_deadline: float = 10.0,
        retry: float = 2.0,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._duration = duration
        self._renew_deadline = renew_deadline
        self._retry = retry
        self._observed: tuple[str, float] = ("", 0.0)
        self._own: JSON | None = None
        self._renewed = 0.0
        self.held = False
        self.diagnosis: Diagnosis | None = None
        self._faults = Repeated(log)

    async def acquire(self) -> None:
        """Returns once this process leads."""
        while not await self._in_time(self._renew_deadline):  # noqa: ASYNC110 - others hold it
            await asyncio.sleep(self._retry)
        log.info("%s leads", self._identity)

    async def keep(self) -> None:
        """Renews until leadership is lost, then returns."""
        while True:
            await asyncio.sleep(min(self._retry, self._left()))
            await self._in_time(self._left())
            if not self.held or self._left() <= 0:
                self.held = False
                log.error("%s no longer leads", self._identity)
                return

    def holds(self) -> bool:
        """Whether no other can have taken over yet, by this process' own clock alone."""
        return self.held and self._left() > 0

    async def _in_time(self, left: float) -> bool:
        """One attempt; another is made in time should it hang."""
        try:
            async with asyncio.timeout(min(self._renew_deadline / 2, left)):
                return await self._try()
        except TimeoutError:
            log.warning("the lease could not be renewed in time")
            return False

    def _left(self) -> float:
        return self._renew_deadline - (time.monotonic() - self._renewed)

    async def release(self) -> None:
        """Gives leadership up, so that another takes over at once."""
        if not self.held:
            return
        self.held = False
        try:
            lease = await self._client.get(LEASE, self._namespace, self._name)
            if lease["spec"].get("holderIdentity") == self._identity:
                lease["spec"]["holderIdentity"] = ""
                self._own = None
                await self._client.replace(LEASE, self._namespace, self._name, lease)
        except ApiError as error:
            log.warning("the lease could not be released: %s", error)

    async def _try(self) -> bool:
        started = time.monotonic()
        try:
            if self._own is not None and await self._renewed_at_once(self._own, started):
                return True
            try:
                lease = await self._client.get(LEASE, self._namespace, self._name)
            except ApiError as error:
                if error.status != 404:
                    raise
                body = self._body(None)
                return self._won(started, await self._client.create(LEASE, self._namespace, body))
            spec = lease.get("spec", {})
            holder = spec.get("holderIdentity") or ""
            if holder and holder != self._identity and not self._expired(lease):
                self.held = False
                self.diagnosis = None
                return False
            return self._won(started, await self._replace(lease))
        except ApiError as error:
            # A lost race isn't a lost lease: it may be with the own renewal whose answer was lost.
            # The next look tells.
            self.diagnosis = None if error.status == 409 else self._diagnose(error)
            self._faults.warn(f"lease: {self.diagnosis.message if self.diagnosis else error}")
            return False

    async def _renewed_at_once(self, own: JSON, started: float) -> bool:
        """Whether it is still as this process wrote it last: one request instead of two."""
        self._own = None
        try:
            return self._won(started, await self._replace(own))
        except ApiError as error:
            # Perhaps the answer to an own renewal was lost: how it is now tells.
            log.debug("lease: %s", error)
            return False

    async def _replace(self, lease: JSON) -> JSON:
        return await self._client.replace(LEASE, self._namespace, self._name, self._body(lease))

    def _diagnose(self, error: ApiError) -> Diagnosis:
        if error.status == 404:
            # Leases are always served: it is their namespace.
            return Diagnosis(f"the Lease cannot be made: {error.message}", True)
        return diagnose(LEASE, error)

    def _won(self, started: float, written: JSON) -> bool:
        self._own = written
        self._renewed = started
        self.held = True
        self.diagnosis = None
        return True

    def _expired(self, lease: JSON) -> bool:
        version = lease["metadata"]["resourceVersion"]
        now = time.monotonic()
        if version != self._observed[0]:
            self._observed = (version, now)
            return False
        duration = lease["spec"].get("leaseDurationSeconds") or self._duration
        return bool(now - self._observed[1] > duration)

    def _body(self, lease: JSON | None) -> JSON:
        now = precise(datetime.now(UTC))
        old = (lease or {}).get("spec", {})
        ours = old.get("holderIdentity") == self._identity
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": lease["metadata"]
            if lease
            else {"name": self._name, "namespace": self._namespace},
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": int(self._duration),
                "acquireTime": old.get("acquireTime") if ours else now,
                "renewTime": now,
                "leaseTransitions": (old.get("leaseTransitions") or 0) + (0 if ours else 1),
            },
        }
