"""When a canary leaves its step: after its pause, with a passing verdict, through its gates."""

from __future__ import annotations

from dataclasses import replace

from evenkeel.api.rollout import Step
from evenkeel.rollout.beside import not_beside
from evenkeel.rollout.causes import of_undecided
from evenkeel.rollout.exposure import present_step, step_number, told
from evenkeel.rollout.facts import Decision, Facts, Move
from evenkeel.rollout.gates import refused, waits
from evenkeel.rollout.health import unsteady
from evenkeel.rollout.shown import not_shown
from evenkeel.rollout.words import said
from evenkeel.verdict.verdict import NO_EVIDENCE, Value


def stepping(facts: Facts) -> Decision:
    """The move at a step of which nothing speaks against the canary."""
    step = present_step(facts.rollout, facts.canary)
    if step is None:
        held = unsteady(facts)
        return held or Decision(Move.PREPARE_PROMOTION, "NoSteps", "there are no steps any more")
    where = _where(facts, step)
    if (end := refused(facts, step)) is not None:
        return replace(end, message=f"{where}: {end.message}")
    if facts.rollout.paused:
        return Decision(Move.HOLD, "Paused", "spec.rollout.paused is set")
    if step.exposure != facts.canary.exposure:
        # It has yet to get the requests that the step is now about.
        edited = f"{where}: the step was edited in mid-trial, and begins"
        return Decision(Move.STEP_ANEW, "StepEdited", edited)
    if said("skip", facts.rollout, facts.canary):
        held = unsteady(facts, step.pause_seconds)
        return held or _left(facts, "SkippedByHand", f"{where}: spec.rollout.skip names this step")
    if (held := not_shown(facts) or not_beside(facts)) is not None:
        return held
    left = step.pause_seconds - facts.counted
    if not step.analysis:
        if left > 0:
            return Decision(Move.HOLD, "Pausing", f"{where}, {left:.0f} s left", left)
        return _next(facts, step, "PauseOver", where)
    verdict = facts.verdict
    if verdict is not None and verdict.value is Value.PASS:
        if left > 0:
            return Decision(Move.HOLD, "Pausing", f"{where}, passing, {left:.0f} s left", left)
        return _next(facts, step, verdict.reason, f"{where}: {verdict.message}")
    return _undecided(facts, step, where)


def _where(facts: Facts, step: Step) -> str:
    number, steps = step_number(facts.rollout, facts.canary), len(facts.rollout.steps)
    where = f"step {number} of {steps} {told(step)}"
    if facts.baseline is not None:
        where = f"{where} beside a baseline of {facts.baseline.wanted} pods"
    carried = 100 * facts.wanted // facts.full if facts.full else 100
    if carried >= max(facts.canary.weight, facts.canary.mirror):
        return where
    return f"{where}, of which the step's {facts.wanted} pods carry {carried} %"


def _undecided(facts: Facts, step: Step, where: str) -> Decision:
    verdict = facts.verdict
    reason = verdict.reason if verdict else "NoData"
    finding = verdict.message if verdict else "not looked at yet"
    message = f"{where}: {finding}"
    assert facts.analysis is not None, "CEL demands an analysis for such a step"
    # A verdict that is lost while a gate holds the step has its whole time to come back.
    fresh = step.pause_seconds if facts.canary.awaiting is not None else facts.counted
    if (left := step.settled_after - fresh) > 0:
        return Decision(Move.HOLD, reason, message, left)
    late = f"{message}; undecided after {step.settled_after} s"
    match facts.analysis.on_undecided:
        case "Rollback":
            return Decision(Move.ROLL_BACK, "Undecided", late, cause=of_undecided(reason))
        case "Promote" if verdict is not None and verdict.reason not in NO_EVIDENCE:
            return _next(facts, step, "Undecided", late)
        case _:
            return Decision(Move.HOLD, reason, late)


def _next(facts: Facts, step: Step, reason: str, message: str) -> Decision:
    if (held := unsteady(facts, step.pause_seconds)) is not None:
        return held
    if (gate := waits(facts, step)) is not None:
        return replace(gate, message=f"{message}; {gate.message}")
    return _left(facts, reason, message)


def _left(facts: Facts, reason: str, message: str) -> Decision:
    if facts.canary.step + 1 < len(facts.rollout.steps):
        return Decision(Move.STEP, reason, message)
    return Decision(Move.PREPARE_PROMOTION, reason, message)
