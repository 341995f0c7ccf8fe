"""What figures recommend for the pods, beside what is set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.performance import Performance, Recommended, Sizing
from evenkeel.meta.objects import Manifest
from evenkeel.performance.report import decimal
from evenkeel.pods.slim import SERVES

HEADROOM = 1.2
"""Memory over the peak that was seen: the load lasted minutes, a model serves for months."""
_CPU_STEP, _MEMORY_STEP = 0.05, 16 * 2**20


def recommended(md: ModelDeployment, figures: Performance) -> Recommended | None:
    """What pods with these figures should have; None without a rate."""
    profile, rate = md.spec.performance, Decimal(figures.rate or 0)
    if profile is None or not rate:
        return None
    pods, cost = None, None
    if profile.peak_rate is not None:
        pods = int((Decimal(profile.peak_rate) / rate).to_integral_value(ROUND_CEILING))
    if profile.cost_per_hour is not None:
        cost = decimal(float(Decimal(profile.cost_per_hour) / (rate * 3600) * 1000))
    return Recommended(
        recommended_replicas=pods,
        recommended_cpu=_cpu(figures.cpu),
        recommended_memory=_memory(figures.memory_bytes),
        cost_per_1000=cost,
    )


def sizing(md: ModelDeployment, figures: Performance, template: Manifest | None) -> Sizing | None:
    """What is recommended beside what is set. template: of the pods, if that is known."""
    found = recommended(md, figures)
    if found is None:
        return None
    resources, scaling = _resources(template), md.spec.autoscaling
    requests, limits = (resources.get(k) or {} for k in ("requests", "limits"))
    return Sizing(
        **dict(found),
        replicas=md.spec.replicas if scaling is None else scaling.max_replicas,
        cpu=_text(requests.get("cpu")),
        memory=_text(limits.get("memory") or requests.get("memory")),
    )


def shortage(found: Sizing | None) -> str:
    """What is too little for peakRate, in words; empty if nothing is."""
    if found is None or found.recommended_replicas is None or found.replicas is None:
        return ""
    if found.replicas >= found.recommended_replicas:
        return ""
    return f"peakRate needs {found.recommended_replicas} pods, and {found.replicas} may be"


def _cpu(cores: str | None) -> str | None:
    if cores is None or not float(cores):
        return None
    return f"{math.ceil(float(cores) / _CPU_STEP) * _CPU_STEP * 1000:.0f}m"


def _memory(peak: int | None) -> str | None:
    if not peak:
        return None
    return f"{math.ceil(peak * HEADROOM / _MEMORY_STEP) * _MEMORY_STEP // 2**20}Mi"


def _resources(template: Manifest | None) -> Mapping[str, Any]:
    """Those of the model server's container."""
    containers: list[Mapping[str, Any]] = template["spec"]["containers"] if template else []
    for container in containers:
        if any(variable.get("name") == SERVES for variable in container.get("env") or ()):
            found: Mapping[str, Any] = container.get("resources") or {}
            return found
    return {}


def _text(quantity: Any) -> str | None:
    return None if quantity is None else str(quantity)[:64]
