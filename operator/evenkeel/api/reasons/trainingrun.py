"""Reasons of a TrainingRun.

Every one with Ready=False but ApplyFailed, NameTaken and EngineOff is final.
"""

from __future__ import annotations

from evenkeel.api.reasons.reason import APPLY_FAILED, Carrier, Reason

_RESULT: tuple[Carrier, ...] = ("Ready", "Succeeded")
_FAILURE: tuple[Carrier, ...] = ("Ready", "Succeeded", "Event")

TRAINING_RUN = (
    Reason("Pending", _RESULT, "The Job or TrainJob is being created, or no pod of it runs yet."),
    Reason("Running", _RESULT, "The trainer runs; the message has the attempt."),
    Reason(
        "Suspended",
        _RESULT,
        "The Job or TrainJob is suspended: by Kueue, whose queue the message names, or by "
        "`training.suspend`.",
        "Look at the queue, or set its `spec.suspend` to false.",
    ),
    Reason(
        "AwaitingResult",
        _RESULT,
        "The training has succeeded, and its report is read by `resultFrom`; the message says what "
        "is in the way.",
        "Look at the place that the message names, if it lasts.",
    ),
    Reason("JobCreated", ("Event",), "The Job was created."),
    Reason("TrainJobCreated", ("Event",), "The TrainJob was created."),
    Reason("Succeeded", (*_RESULT, "Event"), "`status.modelVersion` exists."),
    Reason(
        "TrainerFailed",
        _FAILURE,
        "All attempts failed; the message has the newest's exit code and last lines.",
        "Mend the trainer; `retries` sets the attempts.",
    ),
    Reason(
        "TimedOut",
        _FAILURE,
        "All attempts together took longer than `timeoutSeconds`; a TrainJob is deleted then.",
        "Raise it, or train faster.",
    ),
    Reason(
        "InvalidResult",
        _FAILURE,
        "The trainer's report cannot be used; the message says why.",
        "Correct the report; docs/trainingrun.md has its form.",
    ),
    Reason(
        "ResultMissing",
        _FAILURE,
        "There was no report at `resultFrom` for ten minutes after the training, or it could not "
        "be asked for a day.",
        "Let the trainer write it before it ends, where the message says.",
    ),
    Reason(
        "ReportLost",
        _FAILURE,
        "The pod was deleted before its report was read.",
        "Create another TrainingRun, or wait for the schedule's next trigger.",
    ),
    Reason(
        "JobLost",
        _FAILURE,
        "The Job was deleted before its result was read; it is not created twice.",
        "Create another TrainingRun, or wait for the schedule's next trigger.",
    ),
    Reason(
        "JobConflict",
        _FAILURE,
        "A Job of the run's name belongs to somebody else.",
        "Delete it, and create another TrainingRun.",
    ),
    Reason(
        "TrainJobLost",
        _FAILURE,
        "The TrainJob was deleted before its result was read; it is not created twice.",
        "Create another TrainingRun, or wait for the schedule's next trigger.",
    ),
    Reason(
        "TrainJobConflict",
        _FAILURE,
        "A TrainJob of the run's name belongs to somebody else.",
        "Delete it, and create another TrainingRun.",
    ),
    Reason(
        "InvalidTemplate",
        _FAILURE,
        "`spec.training` cannot make a Job or TrainJob, in the API server's words.",
        "Correct it in the schedule, or create another TrainingRun.",
    ),
    Reason(
        "EngineOff",
        _RESULT,
        "The training needs an integration that is switched off; nothing is trained, and nothing "
        "is known of what runs already.",
        "Switch it on by the chart's `integrations`; the run goes on by itself then.",
    ),
    Reason(
        "Replaced",
        _FAILURE,
        "A newer run stopped this one (`concurrencyPolicy: Replace`).",
    ),
    Reason(
        "Restored",
        _FAILURE,
        "The run was there before, in this cluster or another; a backup or a copy brought it back. "
        "Ready is True if it had succeeded.",
        "To train anew, create one without its record; the message says how.",
    ),
    Reason(
        "NameTaken",
        ("Ready",),
        "A ModelVersion of somebody else has the name that is needed; it is left as it is.",
        "Delete it, or give it another name.",
    ),
    APPLY_FAILED,
)
