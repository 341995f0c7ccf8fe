"""Approval: whether a version may go to production, automatically or by a person's word."""

from __future__ import annotations

from evenkeel.api.modelversion import ModelVersion
from evenkeel.meta.conditions import Observation, readiness


def approved_by(version: ModelVersion, validated: Observation) -> Observation:
    """The Approved condition. Denied overrules everything; nothing overrules a failed gate."""
    approval = version.spec.approval
    by = f" by {approval.by}" if approval.by else ""
    comment = f": {approval.comment}" if approval.comment else ""
    if approval.decision == "Denied":
        return Observation("Approved", "False", "Denied", f"denied{by}{comment}")
    if validated.status == "Unknown":
        return Observation("Approved", "Unknown", validated.reason, validated.message)
    if validated.status != "True":
        return Observation(
            "Approved", "False", "GatesFailed", "a version whose gates failed cannot be approved"
        )
    if approval.decision == "Approved":
        return Observation("Approved", "True", "Approved", f"approved{by}{comment}")
    if approval.mode == "Automatic":
        return Observation(
            "Approved", "True", "AutomaticallyApproved", "approved automatically after the gates"
        )
    return Observation(
        "Approved",
        "Unknown",
        "AwaitingApproval",
        "set spec.approval.decision to Approved or Denied, and spec.approval.by to your name",
    )


def ready(validated: Observation, approved: Observation) -> tuple[Observation, ...]:
    """Ready, which follows from gates and approval."""
    if approved.status == "True":
        return readiness("True", "Approved", "may go to production")
    if approved.status == "Unknown":
        return readiness("Unknown", approved.reason, approved.message)
    cause = approved if approved.reason == "Denied" else validated
    return readiness("False", cause.reason, cause.message, stalled=True)


def lineage_link(approved: Observation) -> str:
    """The link that approval adds to the chain; a failed gate has said all already."""
    if approved.reason in ("GatesFailed", "ChampionMissing"):
        return ""
    return "awaiting approval" if approved.status == "Unknown" else approved.message
