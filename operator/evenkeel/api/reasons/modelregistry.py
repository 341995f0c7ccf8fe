"""Reasons of a ModelRegistry."""

from __future__ import annotations

from evenkeel.api.reasons.reason import APPLY_FAILED, Reason
from evenkeel.api.reasons.source import source_reasons

MODEL_REGISTRY = (
    Reason("Reachable", ("Ready",), "The registry answers, and takes the credentials."),
    Reason("AwaitingRegistry", ("Ready",), "The registry was not asked yet."),
    *source_reasons("Ready"),
    APPLY_FAILED,
)
