"""What a ModelDeployment serves, what is on trial, and how earlier rollouts ended."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from evenkeel.api.common import ModelFormat
from evenkeel.api.exposure import Exposure
from evenkeel.api.gates import Gate, StepJobStatus, StepWebhookStatus
from evenkeel.api.groupstatus import Cause as Cause
from evenkeel.api.groupstatus import GroupStatus
from evenkeel.api.monitoringstatus import MonitoringStatus
from evenkeel.api.performance import Performance, Sizing
from evenkeel.api.registration import RegisteredVersion
from evenkeel.api.servingruntime import MetricQuery
from evenkeel.meta.conditions import Conditions
from evenkeel.meta.model import ATOMIC, SET, Model, OpenObject, map_list
from evenkeel.meta.times import Timestamp


class RevisionMetrics(Model):
    """What a revision's runtime counts, so that it can be asked for when that changes."""

    digest: Annotated[str, Field(max_length=64, description="Tells its metrics from others.")]
    indicators: Annotated[
        tuple[MetricQuery, ...],
        Field(
            max_length=12,
            description="Its queries that the analysis names.",
            json_schema_extra=map_list("name"),
        ),
    ] = ()


class RevisionStatus(Model):
    """A revision that serves."""

    revision: Annotated[str, Field(max_length=63, description="Name of the revision.")]
    version: Annotated[str, Field(max_length=253, description="ModelVersion, if any.")] = ""
    registered: Annotated[
        RegisteredVersion | None,
        Field(description="What it is in its registry, if it is of one."),
    ] = None
    uri: Annotated[str, Field(max_length=2048, description="The artefact.")] = ""
    format: Annotated[ModelFormat | None, Field(description="Format of the artefact.")] = None
    digest: Annotated[
        str, Field(max_length=71, description="Digest of the artefact, if known.")
    ] = ""
    trained_time: Annotated[
        Timestamp | None, Field(description="When the version was trained, if there is one.")
    ] = None
    ready_replicas: Annotated[int, Field(description="Ready pods.")] = 0
    stopped_replicas: Annotated[
        int | None,
        Field(
            ge=0,
            description="Pods that it had before rollout.stopFirst stopped it; absent once it has "
            "them again.",
        ),
    ] = None
    meter: Annotated[
        bool | None, Field(description="Whether its pods have the meter; absent if not.")
    ] = None
    metrics: Annotated[
        RevisionMetrics | None, Field(description="Its runtime's, if there is an analysis.")
    ] = None
    performance: Annotated[
        Performance | None, Field(description="What a pod of it carries, once that is measured.")
    ] = None


class ProcessCount(Model):
    """Counters of one process at the end of the last block of evidence, so that a restart of the
    operator loses nothing."""

    key: Annotated[str, Field(max_length=512, description="Side and labels of the process.")]
    millis: Annotated[int, Field(description="When they were scraped, Unix milliseconds.")]
    total: Annotated[int, Field(description="All events since the evidence began.")]
    bad: Annotated[int, Field(description="Bad events since the evidence began.")]
    total_offset: Annotated[int, Field(description="What total adds to the counter.")] = 0
    bad_offset: Annotated[int, Field(description="What bad adds to the counter.")] = 0
    started_millis: Annotated[
        int | None, Field(description="When the process started, Unix milliseconds.")
    ] = None
    counted: Annotated[bool, Field(description="Whether it has shown good or bad events.")] = False


class IndicatorStatus(Model):
    """Evidence on one indicator."""

    name: Annotated[str, Field(max_length=63, description="Indicator.")]
    value: Annotated[
        Literal["Pass", "Fail", "Undecided"], Field(description="The indicator's verdict.")
    ] = "Undecided"
    message: Annotated[str, Field(max_length=1024, description="Counts and evidence.")] = ""
    dry_run: Annotated[
        bool, Field(description="Whether it decides nothing; its value is what it would say.")
    ] = False
    step_requests: Annotated[int, Field(description="Canary requests in this step.")] = 0
    earlier_requests: Annotated[int, Field(description="Canary requests before this step.")] = 0
    definition: Annotated[
        str, Field(max_length=64, description="Digest of what is counted and of its limits.")
    ] = ""
    anew: Annotated[
        bool, Field(description="Whether an edit in mid-rollout began the evidence anew.")
    ] = False
    evidence: Annotated[OpenObject, Field(description="Accumulated evidence.")] = Field(
        default_factory=dict
    )
    processes: Annotated[
        tuple[ProcessCount, ...],
        Field(max_length=512, description="Counters so far.", json_schema_extra=ATOMIC),
    ] = ()


Wish = Literal["Promote", "Retry"]
"""A person's wish for a trial, by the field of spec.rollout that says it."""
CanaryStage = Literal[
    "Stopping", "Starting", "WarmingUp", "Stepping", "Promoting", "Probation", "Returning"
]


class CanaryStatus(Model):
    """The revision on trial."""

    revision: Annotated[str, Field(max_length=63, description="Name of the revision.")]
    version: Annotated[str, Field(max_length=253, description="ModelVersion, if any.")] = ""
    registered: Annotated[
        RegisteredVersion | None,
        Field(description="What it is in its registry, if it is of one."),
    ] = None
    uri: Annotated[str, Field(max_length=2048, description="The artefact.")] = ""
    format: Annotated[ModelFormat | None, Field(description="Format of the artefact.")] = None
    stage: Annotated[CanaryStage, Field(description="Stage of the rollout.")] = "Starting"
    step: Annotated[int, Field(ge=0, description="Index of the step.")] = 0
    weight: Annotated[int, Field(ge=0, le=100, description="Share of requests in percent.")] = 0
    exposure: Annotated[Exposure, Field(description="Which requests it gets.")] = "Weight"
    mirror: Annotated[
        int, Field(ge=0, le=100, description="Share of stable's requests copied to it, in percent.")
    ] = 0
    baseline: Annotated[
        str, Field(max_length=63, description="Name of the copy of stable beside it, if any.")
    ] = ""
    start_time: Annotated[Timestamp, Field(description="When the rollout began.")]
    stage_time: Annotated[Timestamp, Field(description="When the stage or step began.")]
    look_time: Annotated[
        Timestamp | None, Field(description="When the evidence was last written.")
    ] = None
    traffic_weight: Annotated[
        int, Field(ge=0, le=100, description="Share of requests that its ready pods carry now.")
    ] = 0
    attempt: Annotated[int, Field(ge=1, description="Which trial in a row of the revision.")] = 1
    wish: Annotated[
        Wish | None, Field(description="Field of spec.rollout that began the trial, if one did.")
    ] = None
    stop_first: Annotated[
        bool, Field(description="Whether stable is stopped for this trial, as the setting was.")
    ] = False
    stable_replicas: Annotated[
        int, Field(ge=0, description="Size of the stable revision when the trial began.")
    ] = 0
    full_replicas: Annotated[
        int, Field(ge=0, description="Pods that would carry all requests, as load has grown.")
    ] = 0
    shrinks: Annotated[
        bool,
        Field(description="Whether it still has pods of the step before, which asked for more."),
    ] = False
    idle_since: Annotated[
        Timestamp | None, Field(description="Since when the stage's time does not count.")
    ] = None
    idle_milliseconds: Annotated[
        int, Field(ge=0, description="Earlier time of the stage that does not count.")
    ] = 0
    short_since: Annotated[
        Timestamp | None, Field(description="Since when needed pods are missing.")
    ] = None
    lost_since: Annotated[
        Timestamp | None, Field(description="Since when pods that were ready are lost.")
    ] = None
    lost_milliseconds: Annotated[
        int, Field(ge=0, description="Sum of the earlier losses of needed pods.")
    ] = 0
    losses: Annotated[int, Field(ge=0, description="How often needed pods were lost.")] = 0
    return_time: Annotated[
        Timestamp | None, Field(description="When lost pods were last ready again.")
    ] = None
    stable_lost_since: Annotated[
        Timestamp | None, Field(description="Since when stable has had no ready pod.")
    ] = None
    crashes: Annotated[
        int, Field(ge=0, description="Ends of its model servers by their own fault.")
    ] = 0
    crashes_seen: Annotated[int, Field(ge=0, description="Of the present pods.")] = 0
    stable_crashes: Annotated[int, Field(ge=0, description="Stable's, meanwhile.")] = 0
    stable_crashes_seen: Annotated[int, Field(ge=0, description="Of the present pods.")] = 0
    crash_time: Annotated[Timestamp | None, Field(description="Last crash.")] = None
    last_words: Annotated[str, Field(max_length=1024, description="Of the last crash.")] = ""
    ready_replicas: Annotated[int, Field(description="Ready pods.")] = 0
    meter: Annotated[
        bool | None, Field(description="Whether its pods have the meter; absent if not.")
    ] = None
    metrics: Annotated[
        RevisionMetrics | None, Field(description="Its runtime's, if there is an analysis.")
    ] = None
    performance: Annotated[
        Performance | None, Field(description="What a pod of it carries, once that is measured.")
    ] = None
    reason: Annotated[str, Field(max_length=128, description="Reason of the verdict.")] = ""
    message: Annotated[str, Field(max_length=2048, description="The verdict in words.")] = ""
    cause: Annotated[
        Cause | None, Field(description="Whose fault it is that the former revision comes back.")
    ] = None
    awaiting: Annotated[
        Gate | None, Field(description="What alone the step waits for, all else being over.")
    ] = None
    awaiting_since: Annotated[
        Timestamp | None, Field(description="Since when it waits for that.")
    ] = None
    job: Annotated[
        StepJobStatus | None, Field(description="The Job of the present step, if it has one.")
    ] = None
    webhook: Annotated[
        StepWebhookStatus | None,
        Field(description="What the gate of the present step has said, if it was asked."),
    ] = None
    stale: Annotated[
        tuple[Annotated[str, Field(max_length=32)], ...],
        Field(
            max_length=2,
            description="What spec.rollout said of this revision's steps before the trial began, "
            "such as approve 2. It has no force until it is taken away and said again.",
            json_schema_extra=SET,
        ),
    ] = ()
    restarts: Annotated[
        int, Field(ge=0, description="Number of the last restart that rollout.restart asked for.")
    ] = 0
    in_window: Annotated[
        bool, Field(description="Whether it takes over without steps, by rollbackWindow.")
    ] = False
    indicators: Annotated[
        tuple[IndicatorStatus, ...],
        Field(max_length=12, description="Evidence.", json_schema_extra=map_list("name")),
    ] = ()


class OldRevision(Model):
    """A revision that no longer serves and is about to be deleted."""

    revision: Annotated[str, Field(max_length=63, description="Name of the revision.")]
    time: Annotated[Timestamp, Field(description="When it stopped serving.")]


class DryRun(Model):
    """What an indicator that decides nothing said when a rollout ended."""

    name: Annotated[str, Field(max_length=63, description="Indicator.")]
    value: Annotated[
        Literal["Pass", "Fail", "Undecided"], Field(description="What it would have said.")
    ]
    message: Annotated[str, Field(max_length=256, description="Counts and evidence.")] = ""


class Outcome(Model):
    """How a rollout ended."""

    revision: Annotated[str, Field(max_length=63, description="Name of the revision.")]
    version: Annotated[str, Field(max_length=253, description="ModelVersion, if any.")] = ""
    registered: Annotated[
        RegisteredVersion | None,
        Field(description="What it is in its registry, if it is of one."),
    ] = None
    outcome: Annotated[
        Literal["Promoted", "RolledBack", "Superseded"], Field(description="How it ended.")
    ]
    reason: Annotated[str, Field(max_length=128, description="CamelCase reason.")] = ""
    message: Annotated[str, Field(max_length=2048, description="The verdict with its counts.")] = ""
    time: Annotated[Timestamp, Field(description="When it ended.")]
    replaced: Annotated[
        str, Field(max_length=63, description="Revision that served until the promotion.")
    ] = ""
    cause: Annotated[
        Cause | None, Field(description="Whose fault a rollback is; User: a person's wish.")
    ] = None
    attempts: Annotated[
        int, Field(ge=1, description="Trials in a row for infrastructure causes.")
    ] = 1
    release: Annotated[
        str, Field(max_length=63, description="Release that its group showed then, if any.")
    ] = ""
    wish: Annotated[
        Wish | None, Field(description="Field of spec.rollout that began the trial, if one did.")
    ] = None
    performance: Annotated[
        Performance | None, Field(description="What a pod of it carries, if that was measured.")
    ] = None
    in_window: Annotated[
        bool, Field(description="Whether it took over without a trial, by rollbackWindow.")
    ] = False
    spent: Annotated[
        tuple[Wish, ...],
        Field(
            max_length=2,
            description="Fields of spec.rollout that have had their trial of the revision, until "
            "they name another or none.",
            json_schema_extra=SET,
        ),
    ] = ()
    dry_runs: Annotated[
        tuple[DryRun, ...],
        Field(
            max_length=12,
            description="What indicators with dryRun would have decided.",
            json_schema_extra=map_list("name"),
        ),
    ] = ()


class ResolvedModel(RegisteredVersion):
    """A version of a registered model, as its registry told of it."""

    alias: Annotated[str, Field(max_length=255, description="The alias, if one is followed.")] = ""
    run_id: Annotated[
        str, Field(max_length=2048, alias="runID", description="Run that made it, if any.")
    ] = ""
    code_revision: Annotated[
        str, Field(max_length=64, description="Commit that the run was started from, if told.")
    ] = ""
    source: Annotated[
        str, Field(max_length=2048, description="As it was registered, such as models:/m-ID.")
    ] = ""
    uri: Annotated[str, Field(max_length=2048, description="Where its artefacts are fetched.")]
    format: Annotated[ModelFormat, Field(description="Format of the artefacts.")]
    flavors: Annotated[
        tuple[Annotated[str, Field(max_length=128)], ...],
        Field(max_length=32, description="Flavors that its MLmodel names.", json_schema_extra=SET),
    ] = ()
    signed: Annotated[
        bool | None,
        Field(description="Whether its MLmodel has a signature; absent if that was not read."),
    ] = None
    secret_name: Annotated[
        str,
        Field(max_length=253, description="Secret of the registry, for what it hands out itself."),
    ] = ""
    workspace: Annotated[
        str, Field(max_length=63, description="Workspace, if not the default.")
    ] = ""
    time: Annotated[Timestamp, Field(description="When that was first told.")]


class ServedAliasStatus(RegisteredVersion):
    """The version that spec.servedAlias was set to."""

    alias: Annotated[str, Field(max_length=255, description="The alias.")]
    time: Annotated[Timestamp, Field(description="Since when it was seen to mean the version.")]
    moving: Annotated[
        str,
        Field(
            max_length=18,
            description="Number of the version that the registry is asked to move it to since; it "
            "may mean that already.",
        ),
    ] = ""


class ModelDeploymentStatus(Model):
    """What serves, what is on trial and how earlier rollouts ended."""

    observed_generation: Annotated[int, Field(description="Generation last acted upon.")] = 0
    conditions: Conditions = ()
    url: Annotated[str | None, Field(max_length=2048, description="Where to send requests.")] = None
    replicas: Annotated[int, Field(description="Pods of all revisions.")] = 0
    ready_replicas: Annotated[int, Field(description="Ready pods of all revisions.")] = 0
    selector: Annotated[
        str, Field(max_length=253, description="Selects the pods of all revisions, for /scale.")
    ] = ""
    runtime: Annotated[str, Field(max_length=253, description="The runtime in use.")] = ""
    registry: Annotated[
        ResolvedModel | None,
        Field(description="What spec.model.registry means, as far as the registry has told."),
    ] = None
    served_alias: Annotated[
        ServedAliasStatus | None,
        Field(description="What spec.servedAlias means, as it was set last."),
    ] = None
    monitoring: Annotated[
        MonitoringStatus | None, Field(description="Drift of the revision that serves.")
    ] = None
    sizing: Annotated[
        Sizing | None,
        Field(description="What the figures of the revision that serves recommend for its pods."),
    ] = None
    stable: Annotated[RevisionStatus | None, Field(description="The revision that serves.")] = None
    canary: Annotated[CanaryStatus | None, Field(description="The revision on trial.")] = None
    group: Annotated[
        GroupStatus | None, Field(description="How it stands to the group in rollout.group.")
    ] = None
    old: Annotated[
        tuple[OldRevision, ...],
        Field(
            max_length=16,
            description="Revisions about to be deleted.",
            json_schema_extra=map_list("revision"),
        ),
    ] = ()
    history: Annotated[
        tuple[Outcome, ...],
        Field(
            max_length=20,
            description="Ended rollouts, newest first; a revision rolled back is not tried again.",
            json_schema_extra=ATOMIC,
        ),
    ] = ()
