"""Kubernetes Events (core/v1), sent after the writes they tell of."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from evenkeel.api.base import API_VERSION
from evenkeel.api.resources import EVENT
from evenkeel.client import ApiError, Client
from evenkeel.observe.store import Key
from evenkeel.plan.labels import digest
from evenkeel.plan.types import Event
from evenkeel.policies.clock import timestamp

log = logging.getLogger(__name__)


async def send(client: Client, key: Key, owner: dict[str, Any], events: tuple[Event, ...]) -> None:
    """Sends the events. A failure is logged only: an Event is news, never a record."""
    now = datetime.now(UTC)
    meta = owner["metadata"]
    for event in events:
        namespace = key.namespace or "default"
        name = f"{key.name}.{digest(meta['uid'], event.reason, event.message, str(now))}"
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name[:253], "namespace": namespace},
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": key.kind,
                "namespace": key.namespace,
                "name": key.name,
                "uid": meta["uid"],
            },
            "type": event.type,
            "reason": event.reason,
            "message": event.message[:1000],
            "firstTimestamp": timestamp(now),
            "lastTimestamp": timestamp(now),
            "count": 1,
            "source": {"component": "evenkeel"},
            "reportingComponent": "evenkeel.dev/operator",
        }
        try:
            await client.create(EVENT, namespace, body)
        except ApiError as error:
            log.warning("event %s on %s: %s", event.reason, key, error)
