"""All kinds that tests write or read, by name."""

from __future__ import annotations

from evenkeel.controllers import kinds
from evenkeel.meta.resources import EVENT, LEASE, ResourceType

BY_KIND = kinds.types() | {
    t.kind: t for t in (EVENT, LEASE, ResourceType("", "v1", "secrets", "Secret"))
}
