"""The kinds of triggers, one file each, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from evenkeel.api.cause import Record
from evenkeel.api.trigger import Trigger
from evenkeel.retraining.triggers.alert import ALERT
from evenkeel.retraining.triggers.cloud_event import CLOUD_EVENT
from evenkeel.retraining.triggers.cron import CRON
from evenkeel.retraining.triggers.drift import DRIFT
from evenkeel.retraining.triggers.git_data import GIT_DATA
from evenkeel.retraining.triggers.kind import InvalidTrigger, Receiver, S, TriggerKind
from evenkeel.retraining.triggers.labelled import Labelled
from evenkeel.retraining.triggers.metric_decay import METRIC_DECAY
from evenkeel.retraining.triggers.objects import OBJECTS
from evenkeel.retraining.triggers.version_age import VERSION_AGE

TRIGGERS: tuple[TriggerKind[Any, Any], ...] = (
    ALERT,
    CRON,
    GIT_DATA,
    OBJECTS,
    CLOUD_EVENT,
    VERSION_AGE,
    METRIC_DECAY,
    DRIFT,
)
"""Every kind; `evenkeel.api.trigger.Trigger` has a field for each."""


class Matched(NamedTuple):
    """A record of what a receiver was told, and the trigger that it matched.

    identity: a digest, the same for the same alert or event whenever it is sent. delivery: that of
    all that came with it. arrived: when the webhook took it. kind: the field of the trigger then.
    """

    trigger: str
    record: Record
    identity: str = ""
    delivery: str = ""
    arrived: datetime | None = None
    kind: str = ""


class Configured(NamedTuple):
    """A trigger of a schedule with its kind and spec."""

    name: str
    kind: TriggerKind[Any, Any]
    spec: Any


def configured(triggers: Iterable[Trigger]) -> Iterator[Configured]:
    """The triggers with their kinds, in their order."""
    for trigger in triggers:
        for kind in TRIGGERS:
            if (spec := kind.spec(trigger)) is not None:
                yield Configured(trigger.name, kind, spec)


def standing(triggers: Iterable[Trigger]) -> Callable[[Matched], bool]:
    """Whether what was told matched a trigger that is still there, and still of that kind."""
    known = {(found.name, found.kind.field) for found in configured(triggers)}
    return lambda told: (told.trigger, told.kind) in known


def received_type(triggers: Iterable[Trigger], name: str, *, event: bool) -> str:
    """The type of a cause that the trigger of that name received.

    Of a trigger that is gone the kind is unknown; that of alerts, or of events, stands for it.
    """
    known = [c.kind for c in configured(triggers) if c.name == name]
    fallback = CLOUD_EVENT if event else ALERT
    return next(k for k in (*known, fallback) if k.receiver is not None).cause_type


def first_matches(
    receiver: Receiver[S, Any], specs: Sequence[tuple[str, S]], events: Labelled, among: int
) -> dict[str, int]:
    """By trigger the events that fire it and none before it, so that each counts once.

    A trigger that cannot work matches nothing; `problems` reports it.
    """
    found = {}
    for name, spec in specs:
        try:
            fired = receiver.matches(spec, events, among)
        except InvalidTrigger:
            continue
        if fired:
            found[name] = fired
            among &= ~fired
    return found


def problems(triggers: Iterable[Trigger]) -> tuple[str, ...]:
    """One sentence for each trigger that cannot work."""
    found = []
    for name, kind, spec in configured(triggers):
        try:
            kind.check(spec)
        except InvalidTrigger as problem:
            found.append(f"trigger {name}: {problem}")
    return tuple(found)
