"""RetrainSchedule: when and how a model is trained again."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from evenkeel.api.base import Column, Name, Resource
from evenkeel.api.cause import Alert
from evenkeel.api.cloudevent import CloudEvent
from evenkeel.api.common import Approval, Gates, TrainingTemplate
from evenkeel.api.decay import DecayEvidence
from evenkeel.api.registration import Registration
from evenkeel.api.trigger import Trigger
from evenkeel.meta.conditions import Conditions
from evenkeel.meta.model import ATOMIC, Model, Rule, map_list
from evenkeel.meta.times import Timestamp

ConcurrencyPolicy = Literal["Forbid", "Queue", "Replace"]


class Budget(Model):
    """At most this many runs in this time."""

    runs: Annotated[int, Field(ge=1, le=1000, description="Number of runs.")]
    per_seconds: Annotated[
        int, Field(ge=60, le=31536000, description="Length of the sliding window.")
    ] = 86400


class FailurePolicy(Model):
    """What happens after failed runs: exponential back-off, then an open circuit."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.backoffSeconds) || !has(self.maxBackoffSeconds) || "
            "self.backoffSeconds <= self.maxBackoffSeconds",
            "backoffSeconds must not exceed maxBackoffSeconds",
        ),
    )
    backoff_seconds: Annotated[
        int, Field(ge=0, description="Wait after the first failure; doubles with each further.")
    ] = 60
    max_backoff_seconds: Annotated[int, Field(ge=0, description="Longest wait.")] = 3600
    max_consecutive_failures: Annotated[
        int, Field(ge=1, le=100, description="After this many the circuit opens.")
    ] = 5
    circuit_reset_seconds: Annotated[
        int, Field(ge=1, description="After this time one run is tried again.")
    ] = 86400


class History(Model):
    """How many finished runs are kept."""

    succeeded: Annotated[int, Field(ge=1, le=100, description="Succeeded runs.")] = 3
    failed: Annotated[int, Field(ge=1, le=100, description="Failed runs.")] = 3


class RetrainScheduleSpec(Model):
    """Triggers, limits, training and gates."""

    model: Annotated[Name, Field(description="Name of the model.")]
    suspend: Annotated[
        bool, Field(description="No new runs; alerts are still accepted and counted.")
    ] = False
    triggers: Annotated[
        tuple[Trigger, ...],
        Field(
            min_length=1,
            max_length=16,
            description="Reasons to retrain.",
            json_schema_extra=map_list("name"),
        ),
    ]
    cooldown_seconds: Annotated[
        int, Field(ge=0, le=31536000, description="Least time from one run's start to the next's.")
    ] = 3600
    budget: Annotated[Budget | None, Field(description="Limit on the number of runs.")] = None
    concurrency_policy: Annotated[
        ConcurrencyPolicy,
        Field(
            description="While a run is active: Forbid starts none (alerts are counted on the "
            "active run; events wait), Queue starts one more afterwards, Replace stops the active "
            "one, but for a newer revision alone one that trains on a revision of a source."
        ),
    ] = "Forbid"
    failure_policy: Annotated[FailurePolicy, Field(description="After failed runs.")] = (
        FailurePolicy()
    )
    training: Annotated[TrainingTemplate, Field(description="How the model is trained.")]
    gates: Gates = ()
    approval: Annotated[
        Approval, Field(description="Whether a person must approve the new version.")
    ] = "Automatic"
    registration: Annotated[
        Registration | None,
        Field(description="Where the new versions are registered, if anywhere."),
    ] = None
    history: Annotated[History, Field(description="How many finished runs are kept.")] = History()


DIGEST = 8
"""Characters of the digest of an alert, of a delivery or of a revision."""
KEPT_REVISION_DIGESTS = 64


class LastRun(Model):
    """The newest run of the schedule."""

    name: Annotated[str, Field(max_length=253, description="The TrainingRun.")]
    trigger: Annotated[str, Field(max_length=63, description="Its trigger.")] = ""
    time: Annotated[Timestamp, Field(description="When it was created.")]
    alert_count: Annotated[int, Field(description="Alerts and events that it answers.")] = 0


class Pending(Model):
    """Alerts that wait for the active run, the cooldown or the budget (Queue policy), or for a run
    that the API server refuses to create (every policy); events that wait (every policy)."""

    trigger: Annotated[str, Field(max_length=63, description="Trigger of the first of them.")]
    since: Annotated[Timestamp, Field(description="When the first of them began.")]
    alert_count: Annotated[int, Field(description="How many wait.")] = 0
    alerts: Annotated[
        tuple[Alert, ...],
        Field(max_length=10, description="The first alerts.", json_schema_extra=ATOMIC),
    ] = ()
    events: Annotated[
        tuple[CloudEvent, ...],
        Field(max_length=10, description="The first events.", json_schema_extra=ATOMIC),
    ] = ()


class SettledRevision(Model):
    """A revision of a trigger's source, or a version in production, that needs no run any more."""

    revision: Annotated[
        str,
        Field(max_length=253, description="What the source calls it, such as a commit."),
    ]
    digest: Annotated[
        str,
        Field(
            max_length=256,
            description="What tells it from others; another one fires. Of a version the number of "
            "the occasion and of the runs for it that failed, such as 1.0.",
        ),
    ]
    change: Annotated[
        int, Field(ge=0, description="How many changes had a run, up to this revision.")
    ] = 0
    time: Annotated[Timestamp, Field(description="When it was settled.")]
    earlier: Annotated[
        str,
        Field(
            max_length=DIGEST * KEPT_REVISION_DIGESTS,
            description="Digests of revisions settled before, eight characters each; if one "
            "of them comes back, it is not trained again.",
        ),
    ] = ""
    failed: Annotated[
        bool | None, Field(description="Whether its run failed, so that there will be another.")
    ] = None


class TriggerStatus(Model):
    """What a trigger saw."""

    name: Annotated[str, Field(max_length=63, description="Name of the trigger.")]
    kind: Annotated[
        str | None,
        Field(
            max_length=63,
            description="Its kind, such as gitData; under another it is another trigger, of which "
            "nothing is known yet.",
        ),
    ] = None
    received: Annotated[int, Field(description="Firing alerts or events received.")] = 0
    last_schedule_time: Annotated[
        Timestamp | None, Field(description="Cron times up to this one need no run any more.")
    ] = None
    last_revision: Annotated[
        SettledRevision | None,
        Field(
            description="Revision of the source that was trained on, or found at first; or the "
            "version in production that had a run."
        ),
    ] = None
    failure: Annotated[
        str, Field(max_length=1024, description="Why the source cannot be read now.")
    ] = ""
    decay: Annotated[
        DecayEvidence | None, Field(description="What is shown of the version in production.")
    ] = None


KEPT_DELIVERY_DIGESTS = 64
KEPT_ALERT_DIGESTS = 1024
KEPT_EVENT_DIGESTS = 1024


class CountedAlerts(Model):
    """Alerts and events that were counted at one time, so that what is sent again counts once."""

    time: Annotated[Timestamp, Field(description="When they were counted.")]
    deliveries: Annotated[
        str,
        Field(
            max_length=DIGEST * KEPT_DELIVERY_DIGESTS,
            description="Digests of whole deliveries, eight characters each.",
        ),
    ] = ""
    alerts: Annotated[
        str,
        Field(
            max_length=DIGEST * KEPT_ALERT_DIGESTS,
            description="Digests of alerts (group, fingerprint, start), eight characters each.",
        ),
    ] = ""
    events: Annotated[
        str,
        Field(
            max_length=DIGEST * KEPT_EVENT_DIGESTS,
            description="Digests of events (source, id), eight characters each.",
        ),
    ] = ""


class RecentRun(Model):
    """A run that uses up the budget, remembered after the run itself is deleted."""

    name: Annotated[str, Field(max_length=253, description="The TrainingRun.")]
    time: Annotated[Timestamp, Field(description="When it was created.")]


class RetrainScheduleStatus(Model):
    """Runs, counts and what holds the next run back."""

    observed_generation: Annotated[int, Field(description="Generation last acted upon.")] = 0
    conditions: Conditions = ()
    active: Annotated[
        tuple[Annotated[str, Field(max_length=253)], ...],
        Field(max_length=64, description="Active TrainingRuns.", json_schema_extra=ATOMIC),
    ] = ()
    last_run: Annotated[LastRun | None, Field(description="The newest run.")] = None
    pending: Annotated[Pending | None, Field(description="A waiting cause.")] = None
    triggers: Annotated[
        tuple[TriggerStatus, ...],
        Field(max_length=16, description="By trigger.", json_schema_extra=map_list("name")),
    ] = ()
    counted: Annotated[
        tuple[CountedAlerts, ...],
        Field(
            max_length=64,
            description="The newest alerts and events that were counted.",
            json_schema_extra=ATOMIC,
        ),
    ] = ()
    suppressed: Annotated[
        int, Field(description="Alerts and events that no run answers: held back or suspended.")
    ] = 0
    recent_runs: Annotated[
        tuple[RecentRun, ...],
        Field(
            max_length=1000,
            description="Runs within the budget's window.",
            json_schema_extra=map_list("name"),
        ),
    ] = ()
    consecutive_failures: Annotated[
        int, Field(description="Failed runs since the last that succeeded.")
    ] = 0
    next_schedule_time: Annotated[Timestamp | None, Field(description="Next time of a clock.")] = (
        None
    )


class RetrainSchedule(Resource):
    """When and how a model is trained again."""

    kind: ClassVar[str] = "RetrainSchedule"
    plural: ClassVar[str] = "retrainschedules"
    short_names: ClassVar[tuple[str, ...]] = ("rts",)
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Model", ".spec.model"),
        Column("Suspend", ".spec.suspend", "boolean"),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
        Column("Last Run", ".status.lastRun.name"),
        Column("Last", ".status.lastRun.time", "date"),
        Column("Next", ".status.nextScheduleTime", wide=True),
        Column("Message", '.status.conditions[?(@.type=="Ready")].message', wide=True),
        Column("Age", ".metadata.creationTimestamp", "date"),
    )
    lasting: ClassVar[frozenset[str]] = frozenset(
        ("lastRun", "recentRuns", "triggers", "counted", "suppressed")
    )
    spec: Annotated[RetrainScheduleSpec, Field(description="Triggers, limits and training.")]
    status: Annotated[RetrainScheduleStatus, Field(description="Runs and counts.")] = (
        RetrainScheduleStatus()
    )
