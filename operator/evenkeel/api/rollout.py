"""How a new revision takes over: the canary's steps, and steering it by hand."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from evenkeel.api.base import Name
from evenkeel.meta.model import ATOMIC, Model, Rule


class Step(Model):
    """A stage of the canary."""

    weight: Annotated[
        int, Field(ge=1, le=99, description="Share of requests for the canary in percent.")
    ]
    pause_seconds: Annotated[
        int, Field(ge=0, le=2592000, description="Least time at this step.")
    ] = 0
    analysis: Annotated[
        bool, Field(description="Whether the step also waits for a passing verdict.")
    ] = True
    deadline_seconds: Annotated[
        int,
        Field(
            ge=1, le=2592000, description="An undecided verdict is settled by analysis.onUndecided."
        ),
    ] = 3600


class Rollout(Model):
    """How a new revision takes over."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.steps) || self.steps.map(s, s.weight).isSorted()",
            "weights of steps must not fall",
        ),
        Rule(
            "!(has(self.promote) && has(self.abort) && self.promote == self.abort)",
            "promote and abort name the same revision; remove one",
        ),
    )
    steps: Annotated[
        tuple[Step, ...],
        Field(
            max_length=20,
            description="Stages before promotion; none means that a ready revision takes over.",
            json_schema_extra=ATOMIC,
        ),
    ] = ()
    warm_up_seconds: Annotated[
        int,
        Field(ge=0, le=86400, description="Time after readiness that the verdict leaves out."),
    ] = 0
    progress_deadline_seconds: Annotated[
        int,
        Field(ge=1, le=86400, description="A revision not ready within this is rolled back."),
    ] = 600
    scale_down_delay_seconds: Annotated[
        int, Field(ge=0, le=86400, description="The old revision lives on for this long.")
    ] = 30
    paused: Annotated[
        bool, Field(description="Holds the canary at its step; a failing one still goes back.")
    ] = False
    promote: Annotated[
        Name | None,
        Field(description="Revision to promote at once, whatever the verdict; others ignore it."),
    ] = None
    abort: Annotated[Name | None, Field(description="Revision to roll back; others ignore it.")] = (
        None
    )
