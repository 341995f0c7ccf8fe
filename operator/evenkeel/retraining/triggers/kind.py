"""What a kind of trigger consists of: its field of spec.triggers[], and what makes it fire.

S is the model of the trigger's field, E an event as the receiver reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic.alias_generators import to_camel

from evenkeel.api.cause import Cause, Record
from evenkeel.api.outgoing import OutgoingVersion
from evenkeel.api.trigger import Trigger, cause_type
from evenkeel.outside.poll import Poll
from evenkeel.retraining.triggers.labelled import Labelled

S = TypeVar("S")
E = TypeVar("E")


class InvalidTrigger(ValueError):
    """A trigger cannot work; the message says what is wrong with its spec and what is expected."""


class MalformedBody(ValueError):
    """A request is not what the receiver reads; the message says what was expected and found."""


class Message(NamedTuple):
    """A request. headers: by names in lower case."""

    body: bytes
    headers: Mapping[str, str] = {}


class Batch(NamedTuple, Generic[E]):
    """What a request brought.

    events: those that may match a trigger. received: the number of all, for the answer. group: of
    which they are, if the sender has groups. warning: what the log shall say of the request.
    """

    events: tuple[E, ...]
    received: int
    group: str = ""
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Clock(Generic[S]):
    """When a trigger's times come: all in UTC, pure, and each time with one identity only.

    due(spec, handled, now): the newest time in (handled, now], or None. Raises InvalidTrigger.
    deadline(spec, time): until when that time's run may start: startingDeadlineSeconds later.
    upcoming(spec, now): the first time later than now. Raises InvalidTrigger.
    """

    due: Callable[[S, datetime, datetime], datetime | None]
    deadline: Callable[[S, datetime], datetime]
    upcoming: Callable[[S, datetime], datetime]


@dataclass(frozen=True, slots=True)
class Receiver(Generic[S, E]):
    """How requests become what causes keep.

    paths: of the webhook's routes, without slash at the end; PATH/NAMESPACE are the namespaces'.
    read(message): raises MalformedBody. labels(event): the one of the tenant's namespace among
    them. matches(spec, events, among): which events the spec matches of those in `among`, both as
    bits of a number; raises InvalidTrigger. record(event): cut to the limits of the API.
    identity(event): the same whenever it is sent, together with the group that it came in.
    most: bytes of a body. smaller: what to do about a larger one. noun: what an event is called.
    owner: what to do about one without the label of a namespace, {label}. silent: whether 2xx has
    no body, since senders would take one for a reply. permission(headers): the headers that answer
    who asks by OPTIONS whether it may send; raises MalformedBody. None: nobody asks.
    """

    paths: tuple[str, ...]
    read: Callable[[Message], Batch[E]]
    labels: Callable[[E], Mapping[str, str]]
    matches: Callable[[S, Labelled, int], int]
    record: Callable[[E], Record]
    identity: Callable[[E], tuple[str, ...]]
    most: int = 2**20
    smaller: str = "send less at once"
    noun: str = "event"
    owner: str = "events without the attribute {label} belong to no namespace; have it sent"
    silent: bool = False
    permission: Callable[[Mapping[str, str]], Mapping[str, str]] | None = None


class Revision(NamedTuple):
    """A state of a source. name: what the source calls it, such as a commit. digest: what tells
    it from others; the trigger fires when it becomes another."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Poller(Generic[S]):
    """How a source outside the cluster is looked at, and how its state becomes a cause. Pure.

    poll(spec): the question. revision(answer): the state that the answer to it tells. facts(spec,
    answer): fields of the Cause that keep it. told(cause): the state that a cause of this kind
    keeps; None if it keeps none. news(spec, known, found): whether a state with another digest than
    the known one's is one that fires.
    """

    poll: Callable[[S], Poll]
    revision: Callable[[Any], Revision]
    facts: Callable[[S, Any], Mapping[str, Any]]
    told: Callable[[Cause], Revision | None]
    news: Callable[[S, Revision, Revision], bool] = lambda spec, known, found: True


class Production(NamedTuple):
    """The version in production, to one trigger. decayed: when its metric was shown to have
    decayed, or its requests to have drifted, if so, and `evidence` for that in words."""

    name: str
    trained: datetime
    decayed: datetime | None = None
    evidence: str | None = None


class Occasion(NamedTuple):
    """That the version in production needs a successor: the how many-th time, and since when."""

    number: int
    time: datetime


@dataclass(frozen=True, slots=True)
class Overseer(Generic[S]):
    """How the version in production is looked at. Pure; both raise InvalidTrigger.

    occasion(spec, version, now): the newest so far. upcoming(spec, version, now): when the next one
    comes by itself, if any does.
    """

    occasion: Callable[[S, Production, datetime], Occasion | None]
    upcoming: Callable[[S, Production, datetime], datetime | None]


def attempt_at(version: OutgoingVersion) -> Revision:
    """What tells an attempt at a version's occasion from others."""
    return Revision(version.name, f"{version.occasion}.{version.attempt}")


@dataclass(frozen=True, slots=True)
class TriggerKind(Generic[S, E]):
    """A kind of trigger; it has a clock, a receiver, a poller, an overseer or several of them.

    field: the attribute of `Trigger` that it reads. check(spec): raises InvalidTrigger for what
    cannot work. outside: whether an outside system is asked for its overseer.
    """

    field: str
    check: Callable[[S], None]
    clock: Clock[S] | None = None
    receiver: Receiver[S, E] | None = None
    poller: Poller[S] | None = None
    overseer: Overseer[S] | None = None
    outside: bool = False

    @property
    def cause_type(self) -> str:
        """The type of the causes that it gives."""
        return cause_type(self.field)

    @property
    def name(self) -> str:
        """As specs call it, such as gitData."""
        return to_camel(self.field)

    @property
    def by_revision(self) -> bool:
        """Whether its causes are about revisions: of a source, or of the version in production."""
        return self.poller is not None or self.overseer is not None

    def told(self, cause: Cause) -> Revision | None:
        """The revision that a cause is about, if it is of this kind and keeps one."""
        if cause.type != self.cause_type:
            return None
        if self.poller is not None:
            return self.poller.told(cause)
        if self.overseer is not None and cause.champion is not None:
            return attempt_at(cause.champion)
        return None

    def spec(self, trigger: Trigger) -> S | None:
        """The trigger's spec, if it is of this kind."""
        found: S | None = getattr(trigger, self.field, None)
        return found

    def specs(self, triggers: Iterable[Trigger]) -> tuple[tuple[str, S], ...]:
        """The triggers of this kind: names and specs, in their order."""
        found = ((t.name, self.spec(t)) for t in triggers)
        return tuple((name, spec) for name, spec in found if spec is not None)


class Occurrence(NamedTuple):
    """What happened once and needs one run, such as a time of a trigger's clock.

    identity: which one it was; the run is named after it. deadline: until when it may start; None:
    whenever that may be. revision: the state of a source that it is about. facts: fields of the
    Cause besides.
    """

    trigger: str
    kind: TriggerKind[Any, Any]
    identity: str
    time: datetime
    deadline: datetime | None
    revision: Revision | None = None
    facts: Mapping[str, Any] = {}
