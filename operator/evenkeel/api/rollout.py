"""How a new revision takes over: the canary's steps, and steering it by hand."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from evenkeel.api.analysis import IndicatorSpec
from evenkeel.api.base import Name, PodsOrPercentage
from evenkeel.api.common import ChildMetadata
from evenkeel.api.exposure import Exposure, Match, Mirror, Preview
from evenkeel.api.gates import StepJob, StepWebhook
from evenkeel.api.group import Group
from evenkeel.api.steering import NamedStep, Restart
from evenkeel.meta.model import ATOMIC, Model, Rule, exactly_one, map_list


class Step(Model):
    """A stage of the canary: which requests it gets, and what it waits for."""

    rules: ClassVar[tuple[Rule, ...]] = (
        exactly_one("a step", ["weight", "mirror", "match", "preview"]),
        Rule(
            "!has(self.deadlineSeconds) || !self.analysis || "
            "self.deadlineSeconds > self.pauseSeconds",
            "deadlineSeconds must be longer than pauseSeconds, or the step is settled before it "
            "may pass; without it there is an hour after the pause",
        ),
        Rule(
            "!has(self.replicas) || !string(self.replicas).matches('^0+%?$')",
            "replicas of a step is 0, so that there would be no canary; give 1 at least",
        ),
        Rule(
            "!has(self.replicas) || !has(self.weight) || "
            "!string(self.replicas).matches('^[0-9]+%$') || "
            "int(string(self.replicas).replace('%', '')) >= self.weight",
            "a step's replicas carry less than its weight: raise replicas to the weight at least, "
            "or lower weight",
        ),
        Rule(
            "!has(self.baseline) || !self.baseline || has(self.weight) && self.weight <= 49",
            "the baseline gets as many requests as the canary, and stable the rest: a step with "
            "baseline needs a weight of 49 at most",
        ),
    )
    weight: Annotated[
        int | None, Field(ge=1, le=99, description="Share of requests for the canary in percent.")
    ] = None
    mirror: Annotated[
        Mirror | None,
        Field(description="Copies of requests, whose answers no client gets. Needs monitoring."),
    ] = None
    match: Annotated[
        tuple[Match, ...],
        Field(
            max_length=8,
            description="Requests for the canary: those that match one of these. Needs "
            "traffic.gateway.",
            json_schema_extra=ATOMIC,
        ),
    ] = ()
    preview: Annotated[
        Preview | None,
        Field(
            description="No client's requests: those to the Service `<name>-preview`. The switch "
            "of all clients follows at once (blue-green)."
        ),
    ] = None
    pause_seconds: Annotated[
        int, Field(ge=0, le=2592000, description="Least time at this step.")
    ] = 0
    analysis: Annotated[
        bool, Field(description="Whether the step also waits for a passing verdict.")
    ] = True
    deadline_seconds: Annotated[
        int | None,
        Field(
            ge=1,
            le=2592000,
            description="An undecided verdict is settled by analysis.onUndecided; an hour after "
            "the pause by default. With approval, the canary goes back if nobody approves the "
            "step for so long.",
        ),
    ] = None
    replicas: Annotated[
        PodsOrPercentage | None,
        Field(
            description="Pods of the canary at this step, or percent of those that carry all "
            "requests; those that its requests need by default. It gets no more requests than "
            "its pods carry."
        ),
    ] = None
    baseline: Annotated[
        bool,
        Field(
            description="Whether a fresh copy of stable, with as many pods and as many requests as "
            "the canary, is what the verdict compares it with."
        ),
    ] = False
    job: Annotated[
        StepJob | None,
        Field(
            description="Job that begins with the step's requests and has to succeed; if it fails "
            "the canary goes back."
        ),
    ] = None
    webhook: Annotated[
        StepWebhook | None,
        Field(
            description="System outside that is asked once pause, verdict and job are over, and "
            "has to allow the step."
        ),
    ] = None
    approval: Annotated[
        bool,
        Field(
            description="Whether the step also waits until rollout.approve names it, once all "
            "else that it waits for is over."
        ),
    ] = False

    @property
    def exposure(self) -> Exposure:
        """Which requests the canary gets."""
        if self.mirror is not None:
            return "Mirror"
        if self.match:
            return "Match"
        return "Weight" if self.preview is None else "Preview"

    @property
    def gate_deadline(self) -> int:
        """Seconds for which what does not answer may hold the step."""
        return 3600 if self.deadline_seconds is None else self.deadline_seconds

    @property
    def settled_after(self) -> int:
        """Seconds in the step after which an undecided verdict is settled."""
        default = self.pause_seconds + 3600
        return default if self.deadline_seconds is None else self.deadline_seconds


class RollbackWindow(Model):
    """How long a former revision may come back without a trial."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.revisions) || has(self.seconds)",
            "rollbackWindow needs revisions, seconds or both",
        ),
    )
    revisions: Annotated[
        int | None,
        Field(ge=1, le=20, description="One that the last so many promotions have replaced."),
    ] = None
    seconds: Annotated[
        int | None, Field(ge=1, le=31536000, description="One that served until so long ago.")
    ] = None


class Probation(Model):
    """The time after a take-over in which the former revision stays."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.indicators) || self.indicators.all(i, has(i.maxRatio))",
            "the former revision gets no requests to compare with: an indicator of the probation "
            "needs maxRatio",
        ),
        Rule(
            "!has(self.replicas) || !string(self.replicas).matches('^0+%?$')",
            "without a pod of the former revision there is no way back: give a probation replicas, "
            "such as 1 or 100%, or remove it",
        ),
        Rule(
            "!has(self.indicators) || "
            "self.indicators.all(i, !has(i.source) || i.source != 'Pairs')",
            "no request is copied in probation, so there are no pairs; take another source",
        ),
    )
    seconds: Annotated[
        int,
        Field(
            ge=1,
            le=31536000,
            description="How long the revision is watched; paused and podless time is no part.",
        ),
    ]
    replicas: Annotated[
        PodsOrPercentage,
        Field(
            description="Pods of the former revision that stay; with 100% the way back needs no "
            "new pod."
        ),
    ] = 1
    indicators: Annotated[
        tuple[IndicatorSpec, ...],
        Field(
            max_length=4,
            description="Judged in probation beside those of spec.analysis, by maxRatio alone: "
            "what is known late, such as labels.",
            json_schema_extra=map_list("name"),
        ),
    ] = ()


class PodMetadata(Model):
    """Labels and annotations of pods by the role of their revision; they start no new one."""

    rules: ClassVar[tuple[Rule, ...]] = tuple(
        Rule(
            f"!has(self.{role}) || !has(self.{role}.labels) || "
            f"!('pod-template-hash' in self.{role}.labels)",
            "pod-template-hash tells whose a pod is; take it out",
        )
        for role in ("stable", "canary")
    )
    stable: Annotated[
        ChildMetadata | None,
        Field(description="Of the revision that serves all requests but those of a trial."),
    ] = None
    canary: Annotated[
        ChildMetadata | None, Field(description="Of the revision on trial, until it takes over.")
    ] = None


class Rollout(Model):
    """How a new revision takes over."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.steps) || self.steps.map(s, has(s.weight) ? s.weight : 0).isSorted()",
            "weights of steps must not fall, and steps without one come before those with one",
        ),
        Rule(
            "!(has(self.promote) && has(self.abort) && self.promote == self.abort)",
            "promote and abort name the same revision; remove one",
        ),
        Rule(
            "!has(self.stopFirst) || !self.stopFirst || !has(self.steps) || size(self.steps) == 0",
            "stopFirst leaves nothing to divide requests between; remove steps or stopFirst",
        ),
        Rule(
            "!has(self.stopFirst) || !self.stopFirst || !has(self.probation)",
            "probation keeps pods of the former revision, which stopFirst stops; remove one",
        ),
        Rule(
            "!has(self.stopFirst) || !self.stopFirst || !has(self.group)",
            "with stopFirst nothing serves while the other members of the group are awaited; "
            "remove stopFirst or group",
        ),
        Rule(
            "!(has(self.maxSurge) && string(self.maxSurge).matches('^0+%?$')) || "
            "has(self.maxUnavailable) && !string(self.maxUnavailable).matches('^0+%?$')",
            "maxSurge and maxUnavailable are both 0, so no pod could ever be replaced; with "
            "maxSurge: 0 set maxUnavailable to 1 at least",
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
    group: Annotated[
        Group | None,
        Field(
            description="Models that are promoted together or not at all: a revision that has "
            "passed its steps waits for those on trial in the other members."
        ),
    ] = None
    warm_up_seconds: Annotated[
        int,
        Field(ge=0, le=86400, description="Time after readiness that the verdict leaves out."),
    ] = 0
    progress_deadline_seconds: Annotated[
        int | None,
        Field(
            ge=1,
            le=86400,
            description="A revision not ready within this is rolled back. By default 600, or what "
            "the pods' probes allow for the start and 300 more, if that is longer.",
        ),
    ] = None
    max_surge: Annotated[
        PodsOrPercentage | None,
        Field(
            description="Pods of a revision beyond their number while its Deployment replaces "
            "them; 25% by default."
        ),
    ] = None
    max_unavailable: Annotated[
        PodsOrPercentage | None,
        Field(
            description="Pods of a revision that may be missing while its Deployment replaces "
            "them; none by default."
        ),
    ] = None
    scale_down_delay_seconds: Annotated[
        int, Field(ge=0, le=86400, description="The old revision lives on for this long.")
    ] = 30
    probation: Annotated[
        Probation | None,
        Field(
            description="Watches a revision that has taken over; if it fails, the former one comes "
            "back by itself."
        ),
    ] = None
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
    approve: Annotated[
        NamedStep | None,
        Field(description="Step with approval that may be left; it alone, of that trial alone."),
    ] = None
    skip: Annotated[
        NamedStep | None,
        Field(
            description="Step to leave at once, whatever it waits for; a failing canary still goes "
            "back."
        ),
    ] = None
    restart: Annotated[
        Restart | None,
        Field(description="Trial to begin again at its first step, with fresh evidence."),
    ] = None
    rollback_window: Annotated[
        RollbackWindow | None,
        Field(
            description="A revision that served so lately takes over again without a trial, "
            "unless it was rolled back since."
        ),
    ] = None
    on_stable_unavailable: Annotated[
        Literal["Hold", "Promote"],
        Field(
            description="Once stable has had no ready pod for progressDeadlineSeconds: Hold goes "
            "on with the trial, Promote lets a ready canary take over without a verdict."
        ),
    ] = "Hold"
    pod_metadata: Annotated[
        PodMetadata | None,
        Field(
            description="Labels and annotations that living pods are given, and that are taken "
            "from them, as their revision's role changes; nothing restarts."
        ),
    ] = None
    stop_first: Annotated[
        bool,
        Field(
            description="Stops the stable revision before the new one starts, where both have no "
            "room; nothing serves meanwhile. If the new one fails the old one comes back."
        ),
    ] = False
