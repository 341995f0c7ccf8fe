"""Takes snapshots: objects from the API server, figures from Prometheus through its proxy."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from evenkeel.api.resources import OWN
from evenkeel.kube.client import ApiError, Client
from evenkeel.meta.resources import EVENT, HTTP_ROUTE, ResourceType

from demo.world import MODEL, NAMESPACE, QUERY, Event, Figures, Snapshot, figures, weights

JSON = dict[str, Any]

# The API server's proxy works wherever the cluster runs; no port is opened for it.
PROMETHEUS = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query"


class Watch:
    """Sees the demonstration's namespace through one client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def snapshot(self) -> Snapshot:
        """The world now. Raises ApiError when the API server does not answer."""
        now = time.time()
        (measured, events, runs, versions), (deployment, route, schedule) = await asyncio.gather(
            asyncio.gather(
                self._figures(),
                self._all(EVENT),
                self._all(OWN["TrainingRun"]),
                self._all(OWN["ModelVersion"]),
            ),
            asyncio.gather(
                self._one(OWN["ModelDeployment"], MODEL),
                self._one(HTTP_ROUTE, MODEL),
                self._one(OWN["RetrainSchedule"], MODEL),
            ),
        )
        return Snapshot(
            time=now,
            figures=measured,
            deployment=deployment,
            route=weights(route),
            runs=runs,
            versions=versions,
            schedule=schedule,
            events=_events(events),
        )

    async def alert_is_quiet(self) -> bool:
        """Whether no alert of an earlier demonstration is left."""
        return not (await self._figures()).alert

    async def _figures(self) -> Figures:
        answer = await self._client.request("GET", PROMETHEUS, query={"query": QUERY})
        return figures(answer["data"]["result"])

    async def _one(self, type_: ResourceType, name: str) -> JSON | None:
        try:
            return await self._client.get(type_, NAMESPACE, name)
        except ApiError as error:
            if error.status != 404:
                raise
            return None

    async def _all(self, type_: ResourceType) -> dict[str, JSON]:
        items, _ = await self._client.list(type_, namespace=NAMESPACE)
        return {item["metadata"]["name"]: item for item in items}


def _events(found: dict[str, JSON]) -> tuple[Event, ...]:
    """Those of Evenkeel's objects, oldest first."""
    ours = [e for e in found.values() if e["involvedObject"].get("kind") in OWN]
    ours.sort(key=lambda e: (e.get("lastTimestamp") or "", int(e["metadata"]["resourceVersion"])))
    return tuple(
        Event(
            time=str(e.get("lastTimestamp") or ""),
            kind=e["involvedObject"]["kind"],
            name=e["involvedObject"]["name"],
            reason=str(e.get("reason") or ""),
            message=str(e.get("message") or ""),
            warning=e.get("type") == "Warning",
        )
        for e in ours
    )
