"""Revisions, of sources and of the version in production, that need no run any more."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from evenkeel.api.retrainschedule import DIGEST, KEPT_REVISION_DIGESTS, SettledRevision
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.times import timestamp
from evenkeel.retraining.counted import digest
from evenkeel.retraining.triggers.kind import Revision

NOTHING = Revision("", "")
"""That there was none yet."""


def identity(revision: Revision) -> str:
    """What the run for a revision is named after."""
    return f"{revision.name} {revision.digest}"


def settled(
    known: SettledRevision | None, revision: Revision, now: datetime, *, first: int = 0
) -> SettledRevision:
    """The revision as settled after the one that is known; None: it is the first.

    first: the number of its change then.
    """
    earlier = known.earlier + _mark(known.revision, known.digest) if known else ""
    return SettledRevision(
        revision=revision.name,
        digest=revision.digest,
        change=known.change + 1 if known else first,
        time=timestamp(now),
        earlier=earlier[-DIGEST * KEPT_REVISION_DIGESTS :],
    )


def former_change(runs: Iterable[TrainingRun], trigger: str) -> int:
    """The newest change that a trigger of that name had before it was removed and came back.

    Its runs would look like news to one that counts from 0.
    """
    own = (run.spec.cause for run in runs if run.spec.cause.trigger == trigger)
    return max((cause.change or 0 for cause in own), default=0)


def was_settled(known: SettledRevision, revision: Revision) -> bool:
    """Whether the revision was settled before the one that is known."""
    marks = known.earlier
    kept = {marks[at : at + DIGEST] for at in range(0, len(marks), DIGEST)}
    return _mark(revision.name, revision.digest) in kept


def _mark(name: str, digest_: str) -> str:
    return digest((name, digest_))
