"""Reasons of a ModelRegistry."""

from __future__ import annotations

from evenkeel.api.reasons.reason import Reason
from evenkeel.api.reasons.source import source_reasons

MODEL_REGISTRY = (
    Reason("Reachable", ("Ready",), "The registry answers, and takes the credentials."),
    Reason("AwaitingRegistry", ("Ready",), "The registry was not asked yet."),
    *source_reasons("Ready"),
    Reason(
        "ApplyFailed",
        ("Ready", "Event"),
        "The API server refuses a write; its answer is the message. An Event tells where it "
        "refuses the status itself: nothing of the object goes on until it takes it.",
        "Correct what the answer names.",
    ),
)
