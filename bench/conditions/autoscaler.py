"""What a cluster's autoscaler does: Deployments get as many pods as their requests need."""

from __future__ import annotations

import asyncio
from math import ceil
from typing import Any

from evenkeel.kube.client import ApiError, Client
from evenkeel.meta.resources import DEPLOYMENT

from bench.conditions.fleet import Fleet, Model
from bench.conditions.player import Player

JSON = dict[str, Any]
PERIOD = 1.0
"""Seconds between two looks; a cluster's controller takes 15, and its load grows more slowly."""
TARGET = 0.8
"""Share of what a pod is made for that it is to have."""


class Autoscaler:
    """The HorizontalPodAutoscalers' controller. It never takes pods away from a load that stays,
    as within the five minutes for which a real one waits."""

    def __init__(self, client: Client, fleet: Fleet, player: Player) -> None:
        self._client, self._fleet, self._player = client, fleet, player
        self._known: dict[tuple[str, str], JSON] = {}

    def changed(self, hpa: JSON, *, deleted: bool) -> None:
        """The watch's news."""
        key = hpa["metadata"]["namespace"], hpa["metadata"]["name"]
        self._known.pop(key, None)
        if not deleted:
            self._known[key] = hpa

    async def run(self) -> None:
        """Scales until it is cancelled."""
        while True:
            await asyncio.sleep(PERIOD)
            await asyncio.gather(*(self._scale(hpa) for hpa in list(self._known.values())))

    async def _scale(self, hpa: JSON) -> None:
        namespace, spec = hpa["metadata"]["namespace"], hpa["spec"]
        labels = hpa["metadata"].get("labels") or {}
        model = self._fleet.models.get((namespace, labels.get("evenkeel.dev/deployment", "")))
        target = spec["scaleTargetRef"]["name"]
        present = self._player.replicas(namespace, target)
        if model is None or not present:
            return
        replicas = desired(model, target, present, spec.get("minReplicas", 1), spec["maxReplicas"])
        if replicas == present:
            return
        try:
            await self._client.request(
                "PATCH",
                DEPLOYMENT.path(namespace, target, "scale"),
                body={"spec": {"replicas": replicas}},
                content_type="application/merge-patch+json",
            )
        except ApiError as error:
            if error.status not in (404, 409):
                raise


def desired(model: Model, deployment: str, present: int, least: int, most: int) -> int:
    """Pods for what the Deployment's pods get at the moment."""
    rate = sum(m.pod.rate for m in model.members.values() if m.deployment == deployment)
    return min(most, max(least, present, ceil(rate / (TARGET * model.limit))))
