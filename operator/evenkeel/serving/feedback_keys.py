"""The keys that sign the tokens of answers, in the pods that sign and in the one that verifies."""

from __future__ import annotations

from typing import Any

from evenkeel.api.monitoring import Feedback

PATH = "/var/run/evenkeel/feedback-keys"
_NAME = "evenkeel-feedback-keys"


def volume(feedback: Feedback) -> dict[str, Any]:
    """The Secret. A pod starts without it: a model serves on, if without tokens."""
    return {"name": _NAME, "secret": {"secretName": feedback.keys.secret_name, "optional": True}}


def mount() -> dict[str, Any]:
    """Of that volume. Whole, so that the kubelet brings new keys without a restart."""
    return {"name": _NAME, "mountPath": PATH, "readOnly": True}
