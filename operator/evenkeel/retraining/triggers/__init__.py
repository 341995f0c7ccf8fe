"""The kinds of triggers, one file each, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from evenkeel.api.cause import Alert
from evenkeel.api.trigger import Trigger
from evenkeel.retraining.triggers.alert import ALERT
from evenkeel.retraining.triggers.cron import CRON
from evenkeel.retraining.triggers.kind import E, InvalidTrigger, Receiver, S, TriggerKind

TRIGGERS: tuple[TriggerKind[Any, Any], ...] = (ALERT, CRON)
"""Every kind; `evenkeel.api.trigger.Trigger` has a field for each."""


class MatchedAlert(NamedTuple):
    """A record of what a receiver was told, and the trigger that it matched.

    run: the TrainingRun whose creation was planned with it, empty if none was yet. Where that run
    exists, its cause counts the alert already.
    """

    trigger: str
    alert: Alert
    run: str = ""


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


def received_type(triggers: Iterable[Trigger], name: str) -> str:
    """The type of a cause that the trigger of that name received.

    Of a trigger that is gone the kind is unknown; the first kind with a receiver stands for it.
    """
    known = [c.kind for c in configured(triggers) if c.name == name]
    return next(k for k in (*known, *TRIGGERS) if k.receiver is not None).cause_type


def first_match(receiver: Receiver[S, E], specs: Sequence[tuple[str, S]], event: E) -> str | None:
    """The first trigger that the event fires, so that it counts once; None if none does.

    A trigger that cannot work matches nothing; `problems` reports it.
    """
    for name, spec in specs:
        try:
            if receiver.matches(spec, event):
                return name
        except InvalidTrigger:
            continue
    return None


def problems(triggers: Iterable[Trigger]) -> tuple[str, ...]:
    """One sentence for each trigger that cannot work."""
    found = []
    for name, kind, spec in configured(triggers):
        try:
            kind.check(spec)
        except InvalidTrigger as problem:
            found.append(f"trigger {name}: {problem}")
    return tuple(found)
