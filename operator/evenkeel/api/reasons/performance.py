"""Reasons of what a pod carries: of the measurement, and of revisions that are too slow."""

from __future__ import annotations

from evenkeel.api.reasons.reason import Reason

PERFORMANCE = (
    Reason("Measured", ("PerformanceMeasured",), "It is known what a pod of the revision carries."),
    Reason(
        "TooFewReplicas",
        ("PerformanceMeasured",),
        "It is known what a pod carries, and `performance.peakRate` needs more pods than there may "
        "be.",
        "Raise `replicas` or `autoscaling.maxReplicas`, as `status.sizing` recommends.",
    ),
    Reason(
        "Measuring",
        ("PerformanceMeasured", "rollout"),
        "A pod of the revision is loaded apart from those that serve, or will be; a canary gets no "
        "requests until then.",
    ),
    Reason(
        "MeasurementFailed",
        ("PerformanceMeasured", "rollout"),
        "The model server did not get ready under the load generator, or answers its requests "
        "wrongly. It stops a revision only with `performance.fastEnough`.",
        "Read its answer in the message; send it a body and a path that it takes.",
    ),
    Reason(
        "MeasurementUnfinished",
        ("PerformanceMeasured", "rollout"),
        "There are no figures, or too few, through no fault of the model that is known: no room "
        "for the pod, no image, no time. It stops a revision only with `performance.fastEnough`.",
        "Read in the message what ails the pod; raise `performance.durationSeconds` where that was "
        "over. A revision that was taken back is tried again by `rollout.retry`.",
    ),
    Reason(
        "MeasurementWithoutPath",
        ("PerformanceMeasured", "rollout"),
        "The runtime names no path for requests.",
        "Set `performance.path`.",
    ),
    Reason(
        "TooSlow",
        ("rollout",),
        "A pod carries fewer requests than `performance.fastEnough` asks for, so the revision gets "
        "none.",
        "Read the figures in the message; give its pods more CPU, mend the model, or lower "
        "`minRate`.",
    ),
)
