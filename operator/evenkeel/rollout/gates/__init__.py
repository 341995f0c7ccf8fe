"""What a step waits for besides pause and verdict: one file a gate, all in `GATES`."""

from __future__ import annotations

from collections.abc import Callable

from evenkeel.api.rollout import Step
from evenkeel.rollout.facts import Decision, Facts, Move
from evenkeel.rollout.gates.approval import approval
from evenkeel.rollout.gates.job import job
from evenkeel.rollout.gates.webhook import webhook

Gate = Callable[[Facts, Step], Decision | None]
"""None lets the step pass; a gate that was asked and says no takes the canary back."""

GATES: tuple[Gate, ...] = (job, webhook, approval)
"""In the order in which they are waited for; a person comes last, who sees the others' answers."""


def refused(facts: Facts, step: Step) -> Decision | None:
    """What a gate takes the canary back for, whatever else the step waits for."""
    found = (decision for gate in GATES if (decision := gate(facts, step)) is not None)
    return next((d for d in found if d.move is Move.ROLL_BACK), None)


def waits(facts: Facts, step: Step) -> Decision | None:
    """The first gate that the step waits for."""
    return next((d for gate in GATES if (d := gate(facts, step)) is not None), None)
