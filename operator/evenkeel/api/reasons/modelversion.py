"""Reasons of a ModelVersion; those of its status.rollouts are the ModelDeployment's."""

from __future__ import annotations

from evenkeel.api.reasons.reason import APPLY_FAILED, Reason
from evenkeel.api.reasons.source import source_reasons

MODEL_VERSION = (
    Reason("NoGates", ("Validated",), "The version has no gates to pass."),
    Reason("GatesPassed", ("Validated", "Event"), "All gates passed, once and for all."),
    Reason(
        "GatesFailed",
        ("Ready", "Validated", "Approved"),
        "A gate failed, so the version never goes to production; the message has the figures.",
        "Mend the gate or the training, and train again.",
    ),
    Reason("GateFailed", ("Event",), "A gate failed; the message has the figures compared."),
    Reason("Approved", ("Ready", "Approved", "Event"), "The version may go to production."),
    Reason("AutomaticallyApproved", ("Approved",), "Approved once its gates had passed."),
    Reason(
        "AwaitingApproval",
        ("Ready", "Approved"),
        "The gates passed; a person has to decide.",
        "Set `spec.approval.decision` to Approved or Denied, and `by` to your name.",
    ),
    Reason(
        "ChampionMissing",
        ("Ready", "Validated", "Approved"),
        "The version that `spec.champion` names, with which a gate compares, is not there.",
        "Restore it, or create this version again without `spec.champion`.",
    ),
    Reason(
        "Denied",
        ("Ready", "Approved", "Event"),
        "A person denied the version; a canary of it ends at once.",
    ),
    Reason(
        "Registered",
        ("Registered", "Event"),
        "The registry has the version; it is in `status.registered`.",
    ),
    Reason("AwaitingRegistry", ("Registered",), "The registry has not answered yet."),
    Reason(
        "RegistryNotFound",
        ("Registered",),
        "`spec.registration` names a ModelRegistry that the namespace does not have.",
        "Create it, and the version is registered.",
    ),
    Reason(
        "RegistrationRefused",
        ("Registered",),
        "The registry does not take the version; the message has its own words.",
        "Have its artefact stored where the registry takes it, and train again.",
    ),
    *source_reasons("Registered"),
    APPLY_FAILED,
)
