"""RolloutHealthy: whether the present or else the last rollout is going or went well."""

from __future__ import annotations

from evenkeel.controllers.modeldeployment.conditions.situation import Situation
from evenkeel.meta.conditions import ConditionStatus, Observation
from evenkeel.rollout.exposure import shown
from evenkeel.rollout.trials import what_follows


def rollout_healthy(situation: Situation) -> tuple[Observation, ...]:
    """False after a rollback."""
    canary, history = situation.rollout.canary, situation.rollout.history
    if canary is not None:
        where = f"{canary.revision} {shown(canary)}: {situation.finding}"
        reason = situation.awaiting or canary.reason or canary.stage
        return (Observation("RolloutHealthy", "True", reason, where),)
    if not history:
        return (Observation("RolloutHealthy", "True", "NoRollout", "no rollout yet"),)
    last = history[0]
    status: ConditionStatus = "False" if last.outcome == "RolledBack" else "True"
    message = f"{last.revision}: {last.reason}: {last.message}"
    if last.outcome == "RolledBack":
        next_ = what_follows(last, situation.md, situation.now)
        message = f"{message}; cause: {last.cause or 'unknown'}; {next_}"
    if failed := ", ".join(dry.name for dry in last.dry_runs if dry.value == "Fail"):
        message = f"{message}; on a dry run, would have rolled it back: {failed}"
    return (Observation("RolloutHealthy", status, last.outcome, message),)
