"""LabelsReady: whether the labels of predictions are taken.

The Secret is not read: the server has it, and is not ready without a key.
"""

from __future__ import annotations

from evenkeel.api.labels import FEEDBACK
from evenkeel.controllers.modeldeployment.conditions.situation import Situation
from evenkeel.meta.conditions import Observation
from evenkeel.serving.feedback import feedback_name, feedback_of, feedback_url
from evenkeel.serving.observed import Pods, feedback_pods

TYPE = "LabelsReady"
AWAITED = 10.0
"""Seconds that a server which runs has until it is ready."""


def labels_ready(situation: Situation) -> tuple[Observation, ...]:
    """Absent without spec.monitoring.feedback. It never makes the model unready."""
    md = situation.md
    asked, pods = feedback_of(md), feedback_pods(situation.children)
    if asked is None or situation.rollout.stable is None:
        return ()
    if pods.ready:
        message = f"labels are taken at {feedback_url(md)}"
        return (Observation(TYPE, "True", "LabelsTaken", message),)
    if pods.diagnosis or pods.stuck:
        message = f"the pod of Deployment {feedback_name(md.metadata.name)} is not ready: " + (
            pods.diagnosis or pods.stuck
        )
        return (Observation(TYPE, "False", "FeedbackUnavailable", message),)
    if awaited(pods, situation.now.timestamp()) == 0:
        secret = asked.keys.secret_name
        message = (
            f"Secret {secret} is missing or has no key of 16 to 4096 bytes, so that answers have "
            f"no token and no label is taken: kubectl create secret generic {secret} "
            f'--from-literal="$(date +%F)=$(openssl rand -hex 32)"'
        )
        return (Observation(TYPE, "False", "KeysMissing", message),)
    message = "the server for labels starts"
    if asked.claim_name is not None:
        message += (
            f"; if it does not, see kubectl describe pod -l {FEEDBACK}={md.metadata.name}: another "
            f"node may still have the claim {asked.claim_name}"
        )
    return (Observation(TYPE, "Unknown", "FeedbackStarting", message),)


def awaited(pods: Pods, now: float) -> float | None:
    """Seconds until one that runs without being ready has no key; None where none runs so."""
    running = [p.started for p in pods.processes if p.started and not (p.ready or p.leaving)]
    return max(0.0, min(running) + AWAITED - now) if running else None
