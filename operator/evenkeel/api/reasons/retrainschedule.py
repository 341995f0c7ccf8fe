"""Reasons of a RetrainSchedule."""

from __future__ import annotations

from evenkeel.api.reasons.reason import APPLY_FAILED, Reason
from evenkeel.api.reasons.source import source_reasons

RETRAIN_SCHEDULE = (
    Reason("Scheduled", ("Ready",), "The schedule waits for a trigger."),
    Reason("Active", ("Ready",), "A run is active; the message counts what waits meanwhile."),
    Reason(
        "CoolingDown",
        ("Ready",),
        "`cooldownSeconds` since the newest run are not over; the message says until when.",
    ),
    Reason(
        "Restoring",
        ("Ready",),
        "The schedule was restored, and its last run is not there yet: up to ten minutes.",
    ),
    Reason(
        "BackingOff",
        ("Ready",),
        "Runs failed, and the wait before the next one is not over.",
        "Look at the failed TrainingRuns.",
    ),
    Reason(
        "BudgetExhausted",
        ("Ready",),
        "`budget.runs` were made in the last `budget.perSeconds`.",
        "Wait until the time in the message, or raise the budget.",
    ),
    Reason(
        "Suspended",
        ("Ready",),
        "`spec.suspend` is true: alerts are counted, nothing starts.",
        "Set it to false.",
    ),
    Reason("Terminating", ("Ready",), "The schedule is being deleted; nothing starts any more."),
    Reason(
        "CircuitOpen",
        ("Ready", "Event"),
        "Too many runs failed in a row; nothing starts until the time in the message.",
        "Mend the cause, then delete the failed TrainingRuns to close the circuit at once.",
    ),
    Reason(
        "InvalidTrigger",
        ("Ready", "Event"),
        "A regular expression, cron expression or time zone is wrong; the other triggers work.",
        "Correct the trigger that the message names.",
    ),
    Reason(
        "InvalidTemplate",
        ("Ready", "Event"),
        "`spec.training` cannot work; nothing starts.",
        "Correct what the message names.",
    ),
    Reason(
        "NameTaken",
        ("Ready",),
        "A TrainingRun of somebody else has the name that is needed; it is left as it is.",
        "Delete it, or give it another name.",
    ),
    APPLY_FAILED,
    Reason(
        "AlertWithoutNamespace",
        ("Event",),
        "An alert that a trigger matches names no namespace, so it belongs to nobody.",
        "Give the alerting rule the label `namespace`, send to `/alerts/NAMESPACE`, or have the "
        "platform team grant it.",
    ),
    Reason(
        "EventWithoutNamespace",
        ("Event",),
        "A CloudEvent that a trigger matches names no namespace, so it belongs to nobody.",
        "Have its sender tell the attribute `namespace`, send to `/events/NAMESPACE`, or have the "
        "platform team grant it.",
    ),
    Reason("RunCreated", ("Event",), "A TrainingRun was created; the message has its cause."),
    Reason(
        "MissedSchedule",
        ("Event",),
        "A cron time had no run within `startingDeadlineSeconds`; the message says why.",
        "Raise the deadline, or look at what held the run back.",
    ),
    Reason("Read", ("SourcesRead",), "Every source that triggers name was read."),
    Reason("NotReadYet", ("SourcesRead",), "A source is being read for the first time."),
    *source_reasons("SourcesRead", "Event"),
)
