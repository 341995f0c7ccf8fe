"""Conditions: set by type, with the transition time kept while the status stays the same."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from evenkeel.meta.model import Model, map_list
from evenkeel.meta.text import printable
from evenkeel.meta.times import Timestamp, timestamp

REFUSED = "ApplyFailed"
TAKEN = "NameTaken"
ConditionStatus = Literal["True", "False", "Unknown"]


class Condition(Model):
    """An observation of the object's state (Kubernetes API conventions, metav1.Condition)."""

    type: Annotated[str, Field(max_length=64, description="Type of the condition.")]
    status: Annotated[ConditionStatus, Field(description="True, False or Unknown.")]
    reason: Annotated[str, Field(max_length=128, description="CamelCase reason.")]
    message: Annotated[str, Field(max_length=4096, description="Message for people.")] = ""
    last_transition_time: Annotated[Timestamp, Field(description="Last change of the status.")]
    observed_generation: Annotated[
        int, Field(description="Generation of the object that was judged.")
    ] = 0

    @property
    def observation(self) -> Observation:
        """What it says, without its book-keeping."""
        return Observation(self.type, self.status, self.reason, self.message)


Conditions = Annotated[
    tuple[Condition, ...],
    Field(
        max_length=16,
        description="Observations of the object's state.",
        json_schema_extra=map_list("type"),
    ),
]


class Observation(NamedTuple):
    """A condition without its book-keeping."""

    type: str
    status: ConditionStatus
    reason: str
    message: str = ""


def merge(
    old: Iterable[Condition], new: Iterable[Observation], generation: int, now: datetime
) -> tuple[Condition, ...]:
    """The conditions of `new`, each with the time at which its status last changed.

    Types that `new` lacks are dropped: a plan states all its conditions each time.
    """
    before = {c.type: c for c in old}
    merged = []
    for o in new:
        known = before.get(o.type)
        since = (
            known.last_transition_time
            if known is not None and known.status == o.status
            else timestamp(now)
        )
        merged.append(
            Condition(
                type=o.type,
                status=o.status,
                reason=o.reason,
                message=printable(o.message)[:4096],
                last_transition_time=since,
                observed_generation=generation,
            )
        )
    return tuple(merged)


def find(conditions: Iterable[Condition], type_: str) -> Condition | None:
    """The condition of that type, if it is there."""
    return next((c for c in conditions if c.type == type_), None)


def is_true(conditions: Iterable[Condition], type_: str) -> bool:
    """Whether the condition is there and True."""
    found = find(conditions, type_)
    return found is not None and found.status == "True"


def is_false(conditions: Iterable[Condition], type_: str) -> bool:
    """Whether the condition is there and False."""
    found = find(conditions, type_)
    return found is not None and found.status == "False"


def readiness(
    status: ConditionStatus, reason: str, message: str, *, stalled: bool = False
) -> tuple[Observation, ...]:
    """`Ready`, with kstatus' Reconciling or Stalled beside it, which exist only while True."""
    ready = Observation("Ready", status, reason, message)
    if stalled:
        return (ready, Observation("Stalled", "True", reason, message))
    if status == "Unknown":
        return (ready, Observation("Reconciling", "True", reason, message))
    return (ready,)


def refused(conditions: Iterable[Condition]) -> bool:
    """Whether a write cannot be done, as `refused_write` tells."""
    ready = find(conditions, "Ready")
    return ready is not None and ready.reason in (REFUSED, TAKEN)


def refused_write(
    before: Iterable[Condition],
    planned: Iterable[Condition],
    message: str,
    generation: int,
    now: datetime,
    reason: str = REFUSED,
) -> tuple[Condition, ...]:
    """The planned conditions with Ready=False for a write that cannot be done."""
    others = [c.observation for c in planned if c.type not in ("Ready", "Reconciling", "Stalled")]
    ready = readiness("False", reason, message, stalled=True)
    return merge(before, (*ready, *others), generation, now)
