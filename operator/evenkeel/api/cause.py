"""Why a training run exists: its cause, with the alerts that it answers."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, WithJsonSchema

from evenkeel.api.cloudevent import CloudEvent, event_text
from evenkeel.api.data import DataObjects, DataRevision, data_text, objects_text
from evenkeel.api.outgoing import OutgoingVersion, outgoing_text
from evenkeel.api.trigger import Trigger, cause_types
from evenkeel.meta.model import ATOMIC, Model
from evenkeel.meta.times import Timestamp


class Alert(Model):
    """An alert instance as Alertmanager reported it."""

    repeats: ClassVar[bool] = True
    """Whether it is sent again as long as it holds."""
    fingerprint: Annotated[str, Field(max_length=64, description="Alertmanager's fingerprint.")]
    starts_at: Annotated[str, Field(max_length=64, description="When it began to fire.")]
    labels: Annotated[
        dict[str, Annotated[str, Field(max_length=1024)]],
        Field(max_length=64, description="Labels of the alert."),
    ] = Field(default_factory=dict)
    summary: Annotated[str, Field(max_length=1024, description="Its summary annotation.")] = ""
    generator_url: Annotated[
        str, Field(max_length=2048, description="Link to the alerting expression.")
    ] = ""

    @property
    def began(self) -> str:
        """When it began to fire, as far as it tells."""
        return self.starts_at


Record = Alert | CloudEvent
"""What a cause keeps of a request to the webhook."""


CauseType = Annotated[str, WithJsonSchema({"type": "string", "enum": list(cause_types(Trigger))})]
"""Of a trigger's kind, or Manual. Open here, since a newer operator may have written the object."""


class Cause(Model):
    """Why a training run exists."""

    type: Annotated[CauseType, Field(description="Kind of trigger.")] = "Manual"
    trigger: Annotated[
        str, Field(max_length=63, description="Name of the trigger in the RetrainSchedule.")
    ] = ""
    time: Annotated[Timestamp | None, Field(description="When the cause occurred.")] = None
    message: Annotated[str, Field(max_length=1024, description="The cause in words.")] = ""
    alert_count: Annotated[
        int,
        Field(
            ge=0,
            description="Alerts and CloudEvents that this run answers, including coalesced ones.",
        ),
    ] = 0
    alerts: Annotated[
        tuple[Alert, ...],
        Field(
            max_length=10,
            description="The first of the alerts; alertCount counts all.",
            json_schema_extra=ATOMIC,
        ),
    ] = ()
    events: Annotated[
        tuple[CloudEvent, ...],
        Field(
            max_length=10,
            description="The first of the CloudEvents, those of runs that this one replaced too.",
            json_schema_extra=ATOMIC,
        ),
    ] = ()
    data: Annotated[
        DataRevision | None, Field(description="The data that changed, of a Git repository.")
    ] = None
    objects: Annotated[
        DataObjects | None, Field(description="The objects that changed, or are complete.")
    ] = None
    champion: Annotated[
        OutgoingVersion | None,
        Field(description="The version in production that needs a successor."),
    ] = None
    change: Annotated[
        int | None,
        Field(ge=1, description="Which change of its source this was to the trigger, from 1."),
    ] = None


def alert_name(cause: Cause) -> str:
    """The alertname of the first alert, else the trigger's name."""
    first = cause.alerts[0].labels.get("alertname", "") if cause.alerts else ""
    return first or cause.trigger


def _counted(cause: Cause) -> str:
    """What came by the webhook, such as "3 alerts"."""
    one, many = ("event", "events") if cause.events else ("alert", "alerts")
    if cause.events and cause.alerts:
        one = many = "alerts and events"
    return f"{cause.alert_count} {one if cause.alert_count == 1 else many}"


def cause_text(cause: Cause) -> str:
    """Such as "alert ElecDrift (10000 alerts since 2026-01-31T09:00:00Z)"."""
    alerts = _counted(cause)
    since = f" since {cause.time}" if cause.time else ""
    match cause.type:
        case "Alert":
            return f"alert {alert_name(cause)} ({alerts}{since})"
        case "CloudEvent" if cause.events:
            return f"event {event_text(cause.events[0])} ({alerts}{since})"
        case "Manual":
            return f"manual ({cause.message})" if cause.message else "manual"
        case "Data" if cause.data is not None:
            also = f", {alerts}" if cause.alert_count else ""
            return f"data {cause.trigger}: {data_text(cause.data)}{also}"
        case "Data" if cause.objects is not None:
            also = f", {alerts}" if cause.alert_count else ""
            return f"data {cause.trigger}: {objects_text(cause.objects)}{also}"
        case "VersionAge" | "MetricDecay" | "Drift" if cause.champion is not None:
            also = f", {alerts}" if cause.alert_count else ""
            what = {"VersionAge": "version age", "MetricDecay": "metric decay"}.get(
                cause.type, "drift"
            )
            return f"{what} {cause.trigger}: {outgoing_text(cause.champion)}{also}"
    extra = f", {alerts}" if cause.alert_count else ""
    return f"{cause.type.lower()} {cause.trigger} ({cause.time or 'unknown time'}{extra})"
