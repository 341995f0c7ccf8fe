"""The way to a canary that no client takes: a Service, and a route where it has host names."""

from __future__ import annotations

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.meta.objects import Manifest
from evenkeel.meta.resources import HTTP_ROUTE, SERVICE
from evenkeel.serving.ports import Ports
from evenkeel.traffic.services import preview_service
from evenkeel.traffic.strategy import Division


def preview_name(md: ModelDeployment) -> str:
    """Name of its Service and of its HTTPRoute."""
    return f"{md.metadata.name}-preview"


def preview_hostnames(md: ModelDeployment) -> tuple[str, ...]:
    """The host names of all steps, each once."""
    steps = md.spec.rollout.steps
    given = (h for step in steps if step.preview is not None for h in step.preview.hostnames)
    return tuple(dict.fromkeys(given))


def preview_services(md: ModelDeployment, ports: Ports, division: Division) -> list[Manifest]:
    """The Service while there is a preview, else none."""
    if division.canary is None or not division.preview:
        return []
    return [preview_service(md, preview_name(md), division.canary, ports)]


def left_over(md: ModelDeployment, division: Division, kind: str, name: str) -> bool:
    """Whether an object is that of a preview which is over, or which has it no more."""
    if name != preview_name(md):
        return False
    wanted = {SERVICE.kind: True, HTTP_ROUTE.kind: bool(preview_hostnames(md))}
    return not (division.preview and wanted.get(kind, False))
