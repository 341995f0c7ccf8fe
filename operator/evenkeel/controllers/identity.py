"""Under which names the operator writes."""

from __future__ import annotations

from evenkeel.kube.events import EventSource

FIELD_MANAGER = "evenkeel"
EVENT_SOURCE = EventSource("evenkeel", "evenkeel.dev/operator")
