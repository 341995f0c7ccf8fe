"""Sources of triggers: what is asked of them, and which of their changes need a run.

The first revision of a source that is seen is where its changes count from; it fires nothing. After
that another digest fires, once for each revision: one that was settled before and comes back, as
after a push that was forced, is not trained again, but the same data in a new revision are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from evenkeel.api.retrainschedule import RetrainSchedule, SettledRevision
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.conditions import Observation, find
from evenkeel.outside.poll import Poll, Sighting
from evenkeel.retraining.accounts import Book
from evenkeel.retraining.revisions import former_change, identity, settled, was_settled
from evenkeel.retraining.triggers import configured
from evenkeel.retraining.triggers.kind import InvalidTrigger, Occurrence, Poller, Revision

Sightings = Mapping[str, Sighting[Any]]
"""By trigger what is known of its source; a trigger may be missing."""

UNKNOWN: Sighting[Any] = Sighting()
CONDITION = "SourcesRead"


def polls(schedule: RetrainSchedule) -> dict[str, Poll]:
    """By trigger what is asked of its source; nothing while nothing would come of it."""
    found: dict[str, Poll] = {}
    if schedule.spec.suspend or schedule.metadata.deletion_timestamp is not None:
        return found
    for name, kind, spec in configured(schedule.spec.triggers):
        if kind.poller is not None:
            try:
                kind.check(spec)
            except InvalidTrigger:
                continue
            found[name] = kind.poller.poll(spec)
    return found


def changes(
    book: Book,
    schedule: RetrainSchedule,
    runs: Iterable[TrainingRun],
    sightings: Sightings,
    now: datetime,
) -> list[Occurrence]:
    """Those that wait for a run; the newest of each source alone."""
    found: list[Occurrence] = []
    if schedule.spec.suspend:
        return found
    for name, kind, spec in configured(schedule.spec.triggers):
        sighting = sightings.get(name, UNKNOWN)
        if kind.poller is None or sighting.answer is None:
            continue
        revision = kind.poller.revision(sighting.answer)
        known = book.revisions.get(name)
        if known is None:
            first = former_change(runs, name)
            book.revisions[name] = settled(None, revision, now, first=first)
        elif _fires(kind.poller, spec, known, revision):
            facts = kind.poller.facts(spec, sighting.answer)
            since = sighting.since or now
            found.append(
                Occurrence(
                    name,
                    kind,
                    identity(revision),
                    since,
                    None,
                    revision,
                    {**facts, "change": known.change + 1},
                )
            )
    return found


def _fires(poller: Poller[Any], spec: Any, known: SettledRevision, found: Revision) -> bool:
    if found.digest == known.digest or was_settled(known, found):
        return False
    return poller.news(spec, Revision(known.revision, known.digest), found)


def observations(schedule: RetrainSchedule, sightings: Sightings) -> tuple[Observation, ...]:
    """Whether the sources can be read; nothing where none is asked."""
    polled = polls(schedule)
    asked = [*polled, *_overseen(schedule)]
    if not asked:
        return ()
    failing = [(n, f) for n in asked if (f := sightings.get(n, UNKNOWN).failure) is not None]
    if failing:
        text = "; ".join(f"trigger {name}: {failure.message}" for name, failure in failing)
        others = len(schedule.spec.triggers) > len(failing)
        text += "; the other triggers work" if others else ""
        return (Observation(CONDITION, "False", failing[0][1].reason, text),)
    unread = [name for name in polled if sightings.get(name, UNKNOWN).answer is None]
    before = find(schedule.status.conditions, CONDITION)
    if not unread:
        return (Observation(CONDITION, "True", "Read", "every source was read"),)
    if before is not None:
        # As after a start: what was so is told until it is known to be otherwise.
        return (before.observation,)
    text = f"trigger {', '.join(unread)}: the source was not read yet"
    return (Observation(CONDITION, "Unknown", "NotReadYet", text),)


def _overseen(schedule: RetrainSchedule) -> Iterator[str]:
    """Triggers for which an outside system is asked about the version in production."""
    if not schedule.spec.suspend and schedule.metadata.deletion_timestamp is None:
        yield from (c.name for c in configured(schedule.spec.triggers) if c.kind.outside)


def failure(schedule: RetrainSchedule, trigger: str, sightings: Sightings) -> str:
    """What the trigger's status says of its source, which is empty if nothing is wrong."""
    sighting = sightings.get(trigger, UNKNOWN)
    if sighting.failure is not None:
        return f"{sighting.failure.reason}: {sighting.failure.message}"[:1024]
    if sighting.answer is not None or trigger not in polls(schedule):
        return ""
    return next((t.failure for t in schedule.status.triggers if t.name == trigger), "")
