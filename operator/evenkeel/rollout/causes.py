"""Whose fault a rollback is: the model's own, the infrastructure's or a person's wish."""

from __future__ import annotations

from evenkeel.api.modeldeploymentstatus import Cause
from evenkeel.verdict.verdict import NO_EVIDENCE

_PODS = ("Unschedulable", "SchedulingGated", "ErrImagePull", "ImagePullBackOff", "exceeded quota")
_EVIDENCE = (NO_EVIDENCE | {"NoStableTraffic", "TooFewRequests"}) - {"AwaitingConfirmation"}


def of_pods(diagnosis: str) -> Cause:
    """Of pods that do not get ready; a model that cannot be loaded crashes, or says nothing."""
    return "Infrastructure" if any(word in diagnosis for word in _PODS) else "Model"


def of_undecided(reason: str) -> Cause:
    """Of a verdict that did not come, by its reason: nothing was seen, or not enough."""
    return "Infrastructure" if reason in _EVIDENCE else "Model"
