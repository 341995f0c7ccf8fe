"""How a new revision takes over: the canary's steps, and steering it by hand."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

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
        Rule(
            "!has(self.stopFirst) || !self.stopFirst || !has(self.steps) || size(self.steps) == 0",
            "stopFirst leaves nothing to divide requests between; remove steps or stopFirst",
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
        Field(description="Revision to promote at once, whatever the verdict."),
    ] = None
    abort: Annotated[Name | None, Field(description="Revision on trial to roll back.")] = None
    retry: Annotated[
        Name | None,
        Field(
            description="Revision that was rolled back, to be tried and judged once more; spent "
            "after one trial until the field is removed."
        ),
    ] = None
    on_stable_unavailable: Annotated[
        Literal["Hold", "Promote"],
        Field(
            description="Once stable has had no ready pod for progressDeadlineSeconds: Hold goes "
            "on with the trial, Promote lets a ready canary take over without a verdict."
        ),
    ] = "Hold"
    stop_first: Annotated[
        bool,
        Field(
            description="Stops the stable revision before the new one starts, where both have no "
            "room; nothing serves meanwhile. If the new one fails the old one comes back."
        ),
    ] = False
