"""The outcome of a plan: what shall be written, in a fixed order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from evenkeel.meta.model import Model
from evenkeel.meta.objects import Event, Manifest, Ref


class StatusPatch(NamedTuple):
    """Status fields on another object, under a field manager of their own."""

    manifest: Manifest
    manager: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What one reconcile writes, in this order.

    1. `creates` by POST, where AlreadyExists is success if it is the owner's (deterministic names).
    2. `status` of the planned object, if it differs: a decision is durable before its effect.
    3. `status_patches` of other objects, `relabels` of children that somebody took labels from,
       `adopts`: objects without a living owner become the planned one's, `applies` by server-side
       apply, `scales`: replicas of Deployments whose number an autoscaler owns later (those that
       are made now begin with it), `patches`: a few fields of objects that are made once, and
       `marks`: labels and annotations of pods. A refused mark is told once all else is written.
    4. `deletes` with UID preconditions, where NotFound is success.
    5. `annotations` of the planned object itself, under a field manager of their own.
    6. `offers` by POST: objects that are made if there are none of their names, and never looked
       at, so that no right to read their kind is needed. A refusal is told by an Event, and stops
       nothing.
    7. `beside` by server-side apply: what the planned object does not need for its work, so that
       a refusal of it holds nothing else up.
    8. `events`, once the status holds the decision that they tell of.

    The same snapshot gives the same plan, so that a crash between any two writes is made good by
    the next reconcile. `requeue_after` is in seconds; None means that only a change wakes it.
    `shared_status` names status fields that other writers own; they are left alone.
    `uncreated`: the status to write in place of `status` where a creation is refused.
    `status_last`: the status decides nothing that a crash could lose, and follows after 4.
    """

    status: Model
    creates: tuple[Manifest, ...] = ()
    status_patches: tuple[StatusPatch, ...] = ()
    adopts: tuple[Ref, ...] = ()
    relabels: tuple[tuple[Ref, dict[str, str]], ...] = ()
    applies: tuple[Manifest, ...] = ()
    scales: tuple[tuple[Ref, int], ...] = ()
    patches: tuple[tuple[Ref, Manifest], ...] = ()
    deletes: tuple[Ref, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    offers: tuple[Manifest, ...] = ()
    marks: tuple[tuple[Ref, Manifest], ...] = ()
    beside: tuple[Manifest, ...] = ()
    events: tuple[Event, ...] = ()
    requeue_after: float | None = None
    shared_status: tuple[str, ...] = ()
    uncreated: Model | None = None
    status_last: bool = False
