"""History limits: which finished runs may be deleted."""

from __future__ import annotations

from collections.abc import Sequence

from evenkeel.api.retrainschedule import FailurePolicy, History
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.training.restored import created
from evenkeel.training.run_state import ended, finished, inconclusive, succeeded


def expired(
    runs: Sequence[TrainingRun], history: History, policy: FailurePolicy
) -> tuple[TrainingRun, ...]:
    """Finished runs beyond the limits, oldest first; never the newest run of all.

    Failed runs since the last success are kept up to maxConsecutiveFailures, because back-off and
    circuit are counted from them.
    """
    if not runs:
        return ()
    newest = max(runs, key=lambda r: (created(r), r.metadata.name))
    done = sorted(
        (r for r in runs if finished(r) and r.metadata.deletion_timestamp is None),
        key=lambda r: (ended(r), r.metadata.name),
        reverse=True,
    )
    good = [r for r in done if succeeded(r)]
    bad = [r for r in done if not succeeded(r)]
    last_success = ended(good[0]) if good else None
    streak = [
        r for r in bad if not inconclusive(r) and (last_success is None or ended(r) >= last_success)
    ]
    kept = {r.metadata.name for r in good[: history.succeeded] + bad[: history.failed]}
    kept |= {r.metadata.name for r in streak[: policy.max_consecutive_failures]}
    kept.add(newest.metadata.name)
    return tuple(r for r in reversed(done) if r.metadata.name not in kept)
