"""A step that waits until a system outside the cluster lets it pass.

It is asked once pause, verdict and Job are over, and again until it says yes or no. No fault ever
lets a canary pass.
"""

from __future__ import annotations

from evenkeel.api.gates import StepWebhookStatus
from evenkeel.api.rollout import Step
from evenkeel.rollout.facts import Decision, Facts, Move


def webhook(facts: Facts, step: Step) -> Decision | None:
    """Holds until the gate allows it."""
    if step.webhook is None:
        return None
    seen = facts.canary.webhook
    if seen is None or seen.url != step.webhook.url:
        seen = StepWebhookStatus(url=step.webhook.url)
    if seen.answer == "Allow":
        return None
    if seen.answer == "Deny":
        return Decision(Move.ROLL_BACK, "GateDenied", _words(seen, "denies it"), cause="User")
    if seen.answer == "Wait" and seen.unanswered_since is None:
        return _waiting(facts, step, seen)
    return _unanswered(facts, step, seen)


def _waiting(facts: Facts, step: Step, seen: StepWebhookStatus) -> Decision:
    """It answers, so that it is waited for as long as nobody says otherwise."""
    message = _words(seen, "asks to wait")
    if step.deadline_seconds is None:
        return Decision(Move.HOLD, "GateWaiting", message, awaiting="Webhook")
    left = step.deadline_seconds - facts.awaited("Webhook")
    if left > 0:
        return Decision(Move.HOLD, "GateWaiting", message, left, awaiting="Webhook")
    late = f"{message}, for more than {step.deadline_seconds} s"
    return Decision(Move.ROLL_BACK, "GateOverdue", late, cause="User")


def _unanswered(facts: Facts, step: Step, seen: StepWebhookStatus) -> Decision:
    silent = facts.awaited("Webhook")
    if seen.unanswered_since is not None:
        silent = min(silent, facts.since(seen.unanswered_since))
    left = step.gate_deadline - silent
    reason = "GateUnavailable" if seen.message else "AskingGate"
    message = f"gate {seen.url}: {seen.message or 'it is being asked'}"
    if left > 0:
        return Decision(Move.HOLD, reason, message, left, awaiting="Webhook")
    late = (
        f"{message}; without an answer for {step.gate_deadline} s. Mend the gate and set "
        "rollout.retry, or pass it by rollout.skip"
    )
    return Decision(Move.ROLL_BACK, "GateUnavailable", late, cause="Infrastructure")


def _words(seen: StepWebhookStatus, does: str) -> str:
    return f"gate {seen.url} {does}: {seen.message}".removesuffix(": ")
