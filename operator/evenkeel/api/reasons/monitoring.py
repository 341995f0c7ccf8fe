"""Reasons of what meters and labels tell."""

from __future__ import annotations

from evenkeel.api.reasons.reason import Reason

MONITORING = (
    Reason("Counting", ("Monitored",), "Values are counted against the reference profile."),
    Reason(
        "AwaitingMeter",
        ("Monitored",),
        "The revision that serves has no meter; the next one has.",
    ),
    Reason("AwaitingReference", ("Monitored",), "Prometheus was not asked yet."),
    Reason(
        "LearningReference",
        ("Monitored",),
        "There is no reference profile: one is learned from the first requests.",
        "Have the trainer write it, or wait; `monitoring.profile.learn` says how long.",
    ),
    Reason(
        "AwaitingMetrics",
        ("Monitored",),
        "Prometheus has no metrics of the meters; no pod has been ready for long enough to be sure "
        "that it was scraped.",
    ),
    Reason(
        "MeterSilent",
        ("Monitored",),
        "Prometheus has no metrics of the meters.",
        "Scrape the pods' port `metrics`, with the labels namespace and pod.",
    ),
    Reason(
        "ProfileAbsent",
        ("Monitored",),
        "There is no reference profile that the meter can read.",
        "Have the trainer write it into the model's folder. A model in the runtime's image has "
        "none.",
    ),
    Reason(
        "ProfileBroken",
        ("Monitored",),
        "The reference profile cannot be used, for what the message says.",
        "Correct how the trainer writes it.",
    ),
    Reason(
        "ProfileMismatched",
        ("Monitored",),
        "Most bodies do not fit the reference profile.",
        "Name each feature's `tensor` and `column` in it.",
    ),
    Reason(
        "BodiesTooLarge",
        ("Monitored",),
        "Most bodies are larger than `monitoring.maxBodyBytes`, and their values not counted.",
        "Raise it, and the meter's memory in `monitoring.resources` with it.",
    ),
    Reason(
        "BodiesUnknown",
        ("Monitored",),
        "Most bodies are of no protocol that the meter reads, and their values not counted.",
        "Send JSON with `instances` (V1) or `inputs` (V2), or gRPC of the Open Inference Protocol.",
    ),
    Reason(
        "BodiesUnreadable",
        ("Monitored",),
        "Most bodies break their own protocol, and their values are not counted.",
        "Look at what clients send, Content-Type and Content-Encoding included.",
    ),
    Reason(
        "BodiesSkipped",
        ("Monitored",),
        "Requests come, and no value is counted: the model server answers without success, bodies "
        "have no rows, or the meter cannot keep up.",
        "Look at the codes of `evenkeel_model_requests_total`; raise the CPU in "
        "`monitoring.resources`.",
    ),
    Reason(
        "AwaitingBlocks",
        ("Drifted",),
        "No block has told anything yet; the message says why, if one is over.",
    ),
    Reason("NoDrift", ("Drifted",), "Nothing is shown to have drifted."),
    Reason(
        "Data",
        ("Drifted",),
        "Features are shown to be distributed otherwise than in the reference profile.",
        "Look at `status.monitoring.groups`; retrain if the world has changed.",
    ),
    Reason(
        "Prediction",
        ("Drifted",),
        "Predictions are shown to be distributed otherwise than in the reference profile.",
        "Look at `status.monitoring.groups`; retrain if the world has changed.",
    ),
    Reason(
        "Missing",
        ("Drifted",),
        "More or fewer values are missing than in the reference profile.",
        "Look at what sends the features that `status.monitoring.groups` names.",
    ),
    Reason(
        "Unseen",
        ("Drifted",),
        "More categories come than the reference profile has.",
        "Look at what sends the features that `status.monitoring.groups` names.",
    ),
    Reason(
        "Risk",
        ("Drifted",),
        "More labels are shown to be bad than `monitoring.risk.maxRatio`.",
        "Retrain, or look at what the labels say by slice (docs/labels.md).",
    ),
    Reason("LabelsTaken", ("LabelsReady",), "The server for labels is ready."),
    Reason("FeedbackStarting", ("LabelsReady",), "The server for labels has just begun."),
    Reason(
        "FeedbackUnavailable",
        ("LabelsReady",),
        "The server for labels has no ready pod, for what the message says; labels cannot be "
        "posted.",
        "Correct what the message names, such as a claim that is not bound.",
    ),
    Reason(
        "KeysMissing",
        ("LabelsReady",),
        "The Secret that `monitoring.feedback.keys` names is missing or has no usable key. Models "
        "serve on, without tokens in their answers.",
        "Create it as the message says; no pod has to be restarted.",
    ),
    Reason("Drifted", ("Event",), "A group of features or predictions has begun to drift."),
)
