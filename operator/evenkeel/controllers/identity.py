"""Under which names the operator writes."""

from __future__ import annotations

from evenkeel.api.base import GROUP
from evenkeel.api.labels import DEPLOYMENT
from evenkeel.kube.events import EventSource
from evenkeel.kube.ownership import Marks

FIELD_MANAGER = "evenkeel"
EVENT_SOURCE = EventSource("evenkeel", "evenkeel.dev/operator")
MARKS = Marks(applied=f"{GROUP}/applied", adopt=f"{GROUP}/adopt", owner=DEPLOYMENT)
