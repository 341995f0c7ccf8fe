"""After failed runs: exponential back-off, then an open circuit that one trial run can close."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from evenkeel.api.retrainschedule import FailurePolicy
from evenkeel.meta.times import timestamp
from evenkeel.retraining.admission.request import Blocked, Failures, Request, runs
from evenkeel.training.run_state import Outcome


def blocked(request: Request) -> Blocked | None:
    """Until the wait after the last failure has passed."""
    failures, policy = request.failures, request.spec.failure_policy
    retry = retry_at(failures, policy)
    if retry is None or request.now >= retry:
        return None
    if not circuit_open(failures, policy, request.now):
        return Blocked(
            "BackingOff", f"after {failures.number} failed {runs(failures.number)}", retry
        )
    message = (
        f"{failures.number} runs failed in a row; one run is tried not before "
        f"{timestamp(retry)}; mend the cause, then delete the failed TrainingRuns to "
        "close the circuit at once"
    )
    return Blocked("CircuitOpen", message, retry, stalled=True)


def streak(outcomes: Iterable[Outcome]) -> Failures:
    """The failures at the end of the outcomes, which may come in any order."""
    count, last = 0, None
    # Of two that ended in the same second the success counts as the later.
    for outcome in sorted(outcomes):
        if outcome.succeeded:
            count, last = 0, None
        else:
            count, last = count + 1, outcome.ended
    return Failures(count, last)


def circuit_open(failures: Failures, policy: FailurePolicy, now: datetime) -> bool:
    """Whether no run may start, because too many failed and the reset time has not passed."""
    if failures.last is None or failures.number < policy.max_consecutive_failures:
        return False
    return now < failures.last + timedelta(seconds=policy.circuit_reset_seconds)


def retry_at(failures: Failures, policy: FailurePolicy) -> datetime | None:
    """When the next run may start; None if no failure holds it back.

    Below the limit the wait doubles from backoffSeconds up to maxBackoffSeconds; from the limit on
    it is circuitResetSeconds, after which one run is tried: its success closes the circuit, its
    failure keeps it open for as long again.
    """
    if failures.last is None:
        return None
    if failures.number >= policy.max_consecutive_failures:
        return failures.last + timedelta(seconds=policy.circuit_reset_seconds)
    doubled = policy.backoff_seconds * 2 ** min(failures.number - 1, 62)
    return failures.last + timedelta(seconds=min(doubled, policy.max_backoff_seconds))
