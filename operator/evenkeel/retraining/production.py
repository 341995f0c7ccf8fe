"""What becomes of the version in production, such as its age, and which of it needs a run.

Each occasion that a version gives has one run. One that failed is made again, as the back-off after
failures allows; one that succeeded settles the occasion, also if the new version is not promoted,
and so does any other run of the schedule that succeeds after it. Another version in production
begins anew; one that comes back after a rollback does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from evenkeel.api.decay import DecayEvidence
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.outgoing import OutgoingVersion
from evenkeel.api.retrainschedule import RetrainSchedule, SettledRevision
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.api.version_order import trained
from evenkeel.meta.times import parse, timestamp
from evenkeel.retraining.accounts import Book
from evenkeel.retraining.occurrences import Upcoming
from evenkeel.retraining.revisions import NOTHING, former_change, identity, settled, was_settled
from evenkeel.retraining.triggers import Configured, configured
from evenkeel.retraining.triggers.kind import (
    InvalidTrigger,
    Occasion,
    Occurrence,
    Production,
    Revision,
    attempt_at,
)
from evenkeel.training.restored import created
from evenkeel.training.run_state import ended, failed, outcomes, replaced, succeeded

Decays = Mapping[str, DecayEvidence]
"""By trigger what is shown of the metrics of the version in production."""


class Shown(NamedTuple):
    """That the version drifts: since when, and how in words."""

    since: datetime
    message: str


Drifts = Mapping[str, Shown]
"""By trigger what is shown of the version's drift."""


def oversees(schedule: RetrainSchedule) -> bool:
    """Whether a trigger looks at the version in production."""
    return any(c.kind.overseer is not None for c in configured(schedule.spec.triggers))


def occasions(
    book: Book,
    schedule: RetrainSchedule,
    runs: Sequence[TrainingRun],
    champion: ModelVersion | None,
    decays: Decays,
    drifts: Drifts,
    now: datetime,
) -> list[Occurrence]:
    """Those that wait for a run; the newest of each trigger alone."""
    found: list[Occurrence] = []
    for trigger in configured(schedule.spec.triggers):
        if trigger.kind.overseer is None:
            continue
        known = _known(book, trigger, runs, now)
        name = trigger.name
        version = (
            None if champion is None else _production(champion, decays.get(name), drifts.get(name))
        )
        occasion = None if version is None else _occasion(trigger, version, now)
        if version is None or occasion is None or schedule.spec.suspend:
            continue
        met = _met(known, version, occasion)
        revision, since = attempt_at(met), occasion.time
        if (known.revision, known.digest) == revision or was_settled(known, revision):
            continue
        book.revisions[trigger.name] = known
        if any(succeeded(run) and ended(run) >= since for run in runs):
            book.settle(trigger.name, revision, now)
            continue
        facts = {"champion": met, "change": known.change + 1}
        kind = trigger.kind
        found.append(Occurrence(name, kind, identity(revision), since, None, revision, facts))
    return found


def upcoming(
    schedule: RetrainSchedule, champion: ModelVersion | None, now: datetime
) -> Upcoming | None:
    """The next occasion that comes by itself."""
    if champion is None or schedule.spec.suspend:
        return None
    times = []
    for _, kind, spec in configured(schedule.spec.triggers):
        if kind.overseer is not None:
            try:
                time = kind.overseer.upcoming(spec, _production(champion), now)
            except InvalidTrigger:
                continue
            if time is not None:
                times.append(Upcoming(time, kind.field))
    return min(times, default=None)


def _production(
    champion: ModelVersion, decay: DecayEvidence | None = None, drift: Shown | None = None
) -> Production:
    name, since = champion.metadata.name, trained(champion)
    if drift is not None:
        return Production(name, since, drift.since, drift.message)
    if decay is None or decay.decayed_time is None or decay.version != name:
        return Production(name, since)
    return Production(name, since, parse(decay.decayed_time), decay.message)


def _occasion(trigger: Configured, version: Production, now: datetime) -> Occasion | None:
    assert trigger.kind.overseer is not None
    try:
        return trigger.kind.overseer.occasion(trigger.spec, version, now)
    except InvalidTrigger:
        return None


def _met(known: SettledRevision, version: Production, occasion: Occasion) -> OutgoingVersion:
    """The occasion at the attempt that is next or under way."""
    number, _, before = known.digest.partition(".")
    same = known.revision == version.name and number == str(occasion.number)
    attempt = int(before) + bool(known.failed) if same else 0
    return OutgoingVersion(
        name=version.name,
        trained_time=timestamp(version.trained),
        occasion=occasion.number,
        attempt=attempt,
        evidence=version.evidence,
    )


def _known(
    book: Book, trigger: Configured, runs: Sequence[TrainingRun], now: datetime
) -> SettledRevision:
    """What was settled last, and whether its run has failed.

    That is noted at once, since people delete failed runs to close the circuit.
    """
    known = book.revisions.get(trigger.name)
    if known is None:
        return settled(None, NOTHING, now, first=former_change(runs, trigger.name))
    if any(_is_for(run, trigger, known) and _in_vain(run, runs) for run in runs):
        known = book.revisions[trigger.name] = known.model_copy(update={"failed": True})
    return known


def _is_for(run: TrainingRun, trigger: Configured, known: SettledRevision) -> bool:
    """By its cause: runs of an earlier life, before a restore, have other names."""
    cause = run.spec.cause
    told = Revision(known.revision, known.digest)
    return cause.trigger == trigger.name and trigger.kind.told(cause) == told


def _in_vain(run: TrainingRun, runs: Sequence[TrainingRun]) -> bool:
    """Whether it failed, or was stopped for one that failed."""
    if not replaced(run):
        return failed(run)
    after = outcomes(other for other in runs if created(other) >= created(run))
    return bool(after) and not min(after).succeeded
