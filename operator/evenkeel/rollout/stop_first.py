"""Rollouts without spare capacity: who holds the room, when stable stops and when it comes back."""

from __future__ import annotations

from collections.abc import Mapping

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import CanaryStatus, RevisionStatus
from evenkeel.rollout.facts import Decision, Facts, Move
from evenkeel.serving.observed import Pods

LOOK_AGAIN = 2.0
"""Seconds between two looks while the room is taken. A pod's end wakes the plan; that of a lost
node's pod never comes, and a Deployment that this very plan deletes may have had none."""


def stops_first(md: ModelDeployment, own: Pods, full: int) -> bool:
    """Whether a trial that begins now stops stable; a revision with all its pods has its room.

    Asked once: to stop stable, or to start it, in mid-trial would take pods from their requests.
    """
    return md.spec.rollout.stop_first and own.ready < full


def occupied(pods: Mapping[str, Pods], present: Mapping[str, int]) -> int:
    """Pods that hold room, of whatever revision: those that are, will be or are still going.

    present: by revision those that have not ended.
    """
    names = {*pods, *present}
    return sum(max(pods.get(n, Pods()).existing, present.get(n, 0)) for n in names)


def stopping(facts: Facts) -> Decision | None:
    """The canary starts once no pod is left; its deadline begins then."""
    if facts.canary.stage != "Stopping":
        return None
    if not facts.occupied:
        return Decision(Move.START, "Stopped", "the room is free")
    pods = f"{facts.occupied} pods have yet to go before the canary starts"
    return Decision(Move.HOLD, "Stopping", pods, LOOK_AGAIN)


def stays_stopped(
    stable: RevisionStatus, canary: CanaryStatus | None, beside: Pods, taken: int
) -> bool:
    """Whether stable has no pods: during such a trial, and after it until the room is free.

    beside: stable's pods. taken: those that hold room.
    """
    if canary is not None:
        return canary.stop_first
    return waits(stable, canary, beside, taken)


def waits(stable: RevisionStatus, canary: CanaryStatus | None, beside: Pods, taken: int) -> bool:
    """Whether stable is to come back once the room is free."""
    stopped = stable.stopped_replicas is not None and not beside.wanted
    return canary is None and stopped and taken > 0


def remembered(stable: RevisionStatus, canary: CanaryStatus | None, beside: Pods) -> RevisionStatus:
    """Stable without the size that it had before it was stopped, once it has its pods again."""
    size = stable.stopped_replicas
    if size is None or (canary is not None and canary.stop_first) or not beside.wanted:
        return stable
    if beside.ready < min(size, beside.wanted):
        return stable
    return stable.model_copy(update={"stopped_replicas": None})
