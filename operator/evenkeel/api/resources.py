"""Where each kind lives in the REST API."""

from __future__ import annotations

from evenkeel.api import GROUP, KINDS, VERSION
from evenkeel.meta.resources import (
    DEPLOYMENT,
    EVENT,
    HPA,
    HTTP_ROUTE,
    JOB,
    LEASE,
    PDB,
    POD,
    SECRET,
    SERVICE,
    ResourceType,
)

OWN = {
    kind.kind: ResourceType(GROUP, VERSION, kind.plural, kind.kind, kind.namespaced)
    for kind in KINDS
}
CORE = (DEPLOYMENT, SERVICE, POD, EVENT, SECRET, JOB, HPA, PDB, HTTP_ROUTE, LEASE)
BY_KIND = OWN | {t.kind: t for t in CORE}
