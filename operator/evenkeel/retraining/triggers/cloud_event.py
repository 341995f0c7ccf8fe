"""CloudEvents as triggers, by their attributes. An event is known by its source and id."""

from __future__ import annotations

from evenkeel.api.cloudevent import CloudEvent
from evenkeel.api.trigger import CloudEventTrigger
from evenkeel.retraining.triggers import alert
from evenkeel.retraining.triggers.event_message import ToldEvent, read
from evenkeel.retraining.triggers.event_permission import permission
from evenkeel.retraining.triggers.kind import Receiver, TriggerKind
from evenkeel.retraining.triggers.labelled import Labelled


def check(spec: CloudEventTrigger) -> None:
    """Raises InvalidMatcher for the first regular expression that is not RE2."""
    alert.check(spec.matchers)


def matches(spec: CloudEventTrigger, events: Labelled, among: int) -> int:
    """The events that are of the type and all else that is given. Raises InvalidMatcher."""
    among &= events.equal("type", spec.type)
    for name, value in (("source", spec.source), ("subject", spec.subject)):
        if value is not None:
            among &= events.equal(name, value)
    return alert.matches(spec.matchers, events, among)


def record(event: ToldEvent) -> CloudEvent:
    """The event as causes keep it."""
    told = event.attributes
    return CloudEvent(
        source=told["source"][:1024],
        id=told["id"][:256],
        type=told["type"][:256],
        subject=told.get("subject", "")[:1024],
        time=told.get("time", "")[:64],
        data=event.data,
        data_cut=True if event.cut else None,
    )


def identity(event: ToldEvent) -> tuple[str, ...]:
    """What tells it from all others."""
    return (event.attributes["source"], event.attributes["id"])


CLOUD_EVENT = TriggerKind(
    "cloud_event",
    check=check,
    receiver=Receiver(
        ("/events",),
        read,
        lambda event: event.attributes,
        matches,
        record,
        identity,
        most=4 * 2**20,
        smaller="send fewer events at once, or a reference instead of the data",
        silent=True,
        permission=permission,
    ),
)
