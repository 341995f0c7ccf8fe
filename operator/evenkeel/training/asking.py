"""What a system outside the cluster is asked for a run that is to train there, or is to end.

It is asked once the status, and with it the record, say that the run trains: a crash before leaves
nothing behind, and after it the question is asked again, which searches before it makes anything.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.outside.poll import Poll
from evenkeel.training.engine import GONE, Engine
from evenkeel.training.engines import engine_of
from evenkeel.training.restored import restored
from evenkeel.training.run_state import ended, finished, succeeded

TRIED = timedelta(days=1)
"""For so long a run that has ended here is ended there, should the server not answer."""


def question(run: TrainingRun, champion: ModelVersion | None, now: datetime) -> Poll | None:
    """What is asked now; None if there is nothing to know any more, or not yet."""
    engine = engine_of(run.spec.training)
    if engine is None or engine.asks is None or not _begun(run) or _over(run, engine):
        return None
    if finished(run):
        give_up = succeeded(run) or now >= ended(run) + TRIED
        return None if give_up else engine.asks(run, champion, "End")
    leaving = run.metadata.deletion_timestamp is not None
    return engine.asks(run, champion, "End" if leaving else "Train")


def parting(run: TrainingRun) -> Poll | None:
    """What is asked should the run be deleted from one moment to the next."""
    engine = engine_of(run.spec.training)
    if engine is None or engine.asks is None or not _begun(run) or _over(run, engine):
        return None
    return None if succeeded(run) else engine.asks(run, None, "End")


def _begun(run: TrainingRun) -> bool:
    """A run of an earlier life is none of this one's."""
    return run.status.start_time is not None and not restored(run)


def _over(run: TrainingRun, engine: Engine) -> bool:
    known = run.status.run
    return known is not None and known.last_seen in (*engine.ends, GONE)
