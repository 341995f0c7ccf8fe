"""A step that waits for its Job, which has to succeed."""

from __future__ import annotations

from evenkeel.api.rollout import Step
from evenkeel.rollout.facts import Decision, Facts, Move


def job(facts: Facts, step: Step) -> Decision | None:
    """Holds until the Job has ended. A failed one takes the canary back at once."""
    if step.job is None:
        return None
    seen = facts.canary.job
    if seen is not None and seen.outcome == "Passed":
        return None
    if seen is not None and seen.outcome == "Failed":
        return Decision(Move.ROLL_BACK, "StepJobFailed", seen.message)
    if seen is not None and seen.outcome == "Unfinished":
        message = f"{seen.message}; set rollout.retry to try once more"
        return Decision(Move.ROLL_BACK, "StepJobUnfinished", message, cause="Infrastructure")
    allowed = step.job.active_deadline_seconds + step.gate_deadline
    words = "its Job is made" if seen is None else seen.message or "its Job is made"
    if (left := allowed - facts.awaited("Job")) <= 0:
        late = f"its Job has not ended in {allowed} s: {words}"
        return Decision(Move.ROLL_BACK, "StepJobUnfinished", late, cause="Infrastructure")
    return Decision(Move.HOLD, "StepJobRunning", words, left, awaiting="Job")
