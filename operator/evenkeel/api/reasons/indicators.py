"""Reasons for which an indicator cannot be asked."""

from __future__ import annotations

from evenkeel.api.reasons.reason import REFUSED, Reason

INDICATORS = (
    Reason(
        "IndicatorWithoutFeedback",
        REFUSED,
        "The indicator `labels` needs a server that takes labels.",
        "Add `monitoring.feedback` with its keys.",
    ),
    Reason(
        "TemplateNotFound",
        REFUSED,
        "An indicator's `templateRef` names a template that is not there. No trial begins "
        "meanwhile, and one under way is undecided.",
        "Create it, or name another.",
    ),
    Reason(
        "MissingArgument",
        REFUSED,
        "A parameter of an indicator's template has neither an argument nor a default.",
        "Give it in the indicator's `args`.",
    ),
    Reason(
        "UnknownArgument",
        REFUSED,
        "An indicator has an argument that its template knows no parameter for.",
        "Take it out, or name one of the message's.",
    ),
    Reason(
        "InvalidArgument",
        REFUSED,
        "An argument cannot be written where the template's query has its parameter.",
        "Change the value, or put the parameter into quotes in the template.",
    ),
    Reason(
        "InvalidLimits",
        REFUSED,
        "The limits of an indicator and of its template contradict one another.",
        "Set `acceptable` or `maxRatio` in the indicator.",
    ),
    Reason(
        "RevisionWithoutMeter",
        REFUSED,
        "An indicator has `source: Meter`, and a revision that is compared has no meter.",
        "Leave `source` out until a revision with `monitoring` serves.",
    ),
    Reason(
        "UnknownIndicator",
        REFUSED,
        "The indicator's source has none of that name.",
        "Name one of the message's, change `source`, or give `total` and `good`.",
    ),
    Reason(
        "MissingThreshold",
        REFUSED,
        "The indicator's queries need `thresholdSeconds`.",
        "Give one of the bucket bounds in the message.",
    ),
    Reason(
        "UnusedThreshold",
        REFUSED,
        "The indicator's queries have no use for `thresholdSeconds`.",
        "Remove it.",
    ),
    Reason(
        "UnknownThreshold",
        REFUSED,
        "`thresholdSeconds` is no bucket bound of the histogram, so its count would be missing.",
        "Take one of the message's, or give `total` and `good`.",
    ),
)
