"""Under which names the operator writes, and which labels it finds objects by."""

from __future__ import annotations

from evenkeel.api import labels
from evenkeel.kube.events import EventSource

FIELD_MANAGER = "evenkeel"
EVENT_SOURCE = EventSource("evenkeel", "evenkeel.dev/operator")
INDEXED_LABELS = (labels.DEPLOYMENT, labels.SCHEDULE, labels.RUN)
