"""How requests are divided between revisions: one file a strategy, all in `STRATEGIES`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evenkeel.api.traffic import Traffic
from evenkeel.meta.resources import Watch, distinct
from evenkeel.traffic.gateway import GATEWAY
from evenkeel.traffic.inference_pool import POOLS
from evenkeel.traffic.replicas import REPLICAS
from evenkeel.traffic.strategy import Division, Strategy

__all__ = ["STRATEGIES", "Division", "Strategy", "diagnosis", "strategy_of", "watches"]

STRATEGIES: dict[str, Strategy] = {s.field: s for s in (GATEWAY, REPLICAS)}
"""By the field of spec.traffic that chooses it."""


def strategy_of(traffic: Traffic) -> Strategy:
    """The strategy whose field is set; by numbers of replicas where none is."""
    if traffic.gateway is not None and traffic.gateway.inference_pool is not None:
        return POOLS
    chosen = (s for name, s in STRATEGIES.items() if name and getattr(traffic, name) is not None)
    return next(chosen, STRATEGIES[""])


def watches() -> tuple[Watch, ...]:
    """What all strategies watch and own."""
    return distinct(w for s in _all() for w in s.watches)


def diagnosis(kind: str, obj: Mapping[str, Any]) -> str:
    """Why an object of some strategy does not do its work; empty if it does."""
    found = (s.diagnoses[kind] for s in _all() if kind in s.diagnoses)
    return next((diagnose(obj) for diagnose in found), "")


def _all() -> tuple[Strategy, ...]:
    return (*STRATEGIES.values(), POOLS)
