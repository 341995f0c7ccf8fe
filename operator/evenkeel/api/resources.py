"""Where the kinds of this API live in the REST API."""

from __future__ import annotations

from evenkeel.api import GROUP, KINDS, VERSION
from evenkeel.meta.resources import ResourceType

OWN = {
    kind.kind: ResourceType(GROUP, VERSION, kind.plural, kind.kind, kind.namespaced)
    for kind in KINDS
}
