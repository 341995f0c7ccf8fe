"""Division by numbers of replicas: one Service, whose pods get equal shares."""

from __future__ import annotations

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.meta.objects import Manifest
from evenkeel.serving.ports import Ports
from evenkeel.traffic.preview import preview_services
from evenkeel.traffic.services import WATCH, model_service, revision_service, service_url
from evenkeel.traffic.strategy import Division, Strategy


def _objects(md: ModelDeployment, ports: Ports, division: Division) -> list[Manifest]:
    """While the canary has a share, the Service selects the pods of all revisions. What stable's
    meters pass on goes to a Service of the canary's own, which is there before they do."""
    served = model_service(md, ports, None if division.weight else division.stable)
    own = division.revisions if division.apart else ()
    apart = (revision_service(md, revision, ports) for revision in own)
    return [served, *preview_services(md, ports, division), *apart]


def _share(weight: int, canary: int, stable: int) -> float:
    return canary / (canary + stable) if weight and canary else 0.0


REPLICAS = Strategy(
    field="",
    watches=(WATCH,),
    objects=_objects,
    kinds=frozenset({"Service"}),
    url=service_url,
    share=_share,
)
