"""A step that waits for a person's approval."""

from __future__ import annotations

from evenkeel.api.rollout import Step
from evenkeel.rollout.exposure import step_number
from evenkeel.rollout.facts import Decision, Facts, Move
from evenkeel.rollout.words import said


def approval(facts: Facts, step: Step) -> Decision | None:
    """Holds until rollout.approve names the step; nobody is waited for beyond its deadline."""
    if not step.approval or said("approve", facts.rollout, facts.canary):
        return None
    left = None
    if step.deadline_seconds is not None:
        left = step.deadline_seconds - facts.awaited("Approval")
        if left <= 0:
            late = f"nobody approved the step in {step.deadline_seconds} s"
            return Decision(Move.ROLL_BACK, "ApprovalOverdue", late, cause="User")
    number, revision = step_number(facts.rollout, facts.canary), facts.canary.revision
    message = f"set rollout.approve to {{revision: {revision}, step: {number}}} to go on"
    return Decision(Move.HOLD, "AwaitingApproval", message, left, awaiting="Approval")
