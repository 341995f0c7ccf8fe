"""Plans a ModelVersion: its gates once, then its approval, and its lineage as it grows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from evenkeel.api.modelversion import GateResult, ModelVersion, ModelVersionStatus
from evenkeel.meta.conditions import Observation, find, merge, readiness
from evenkeel.meta.objects import Event
from evenkeel.meta.plan import Plan
from evenkeel.versions.champion import champion
from evenkeel.versions.gates import Figures, evaluate
from evenkeel.versions.lineage import lineage

SHARED_STATUS = ("rollouts",)
"""Written by the ModelDeployments that serve the version."""


@dataclass(frozen=True, slots=True)
class VersionSnapshot:
    """`siblings`: all versions of the model in the namespace, with or without this one."""

    version: ModelVersion
    siblings: tuple[ModelVersion, ...]
    now: datetime


def plan_version(snapshot: VersionSnapshot) -> Plan:
    """Judges the gates against the champion of the first look; later looks keep that verdict."""
    version, status = snapshot.version, snapshot.version.status
    events: list[Event] = []
    validated = _recorded(version)
    gates, reference = status.gates, status.champion
    if validated is None:
        gates, reference = _judge(snapshot)
        validated = _validated(gates)
        events.append(_gate_event(validated))
    approved = _approved(version, validated)
    before = find(status.conditions, "Approved")
    if approved.reason in ("Approved", "AutomaticallyApproved", "Denied") and (
        before is None or before.reason != approved.reason
    ):
        kind = "Denied" if approved.reason == "Denied" else "Approved"
        events.append(Event("Normal", kind, approved.message))
    observations = (validated, approved, *_ready(validated, approved))
    generation = version.metadata.generation
    return Plan(
        status=ModelVersionStatus(
            observed_generation=generation,
            conditions=merge(status.conditions, observations, generation, snapshot.now),
            champion=reference,
            gates=gates,
            lineage=lineage(
                version.metadata.name, version.spec, gates, _step(approved), status.rollouts
            ),
        ),
        events=tuple(events),
        shared_status=SHARED_STATUS,
    )


def _recorded(version: ModelVersion) -> Observation | None:
    """The verdict of the gates if it was reached before."""
    known = find(version.status.conditions, "Validated")
    if known is None or known.status == "Unknown":
        return None
    return Observation(known.type, known.status, known.reason, known.message)


def _judge(snapshot: VersionSnapshot) -> tuple[tuple[GateResult, ...], str | None]:
    version = snapshot.version
    others = (s for s in snapshot.siblings if s.metadata.name != version.metadata.name)
    best = champion(others, version.spec.model)
    results = evaluate(
        version.spec.gates, _figures(version), _figures(best) if best is not None else None
    )
    return results, best.metadata.name if best is not None else None


def _figures(version: ModelVersion) -> Figures:
    return Figures(version.metadata.name, version.spec.metrics, version.spec.slices)


def _validated(gates: tuple[GateResult, ...]) -> Observation:
    if not gates:
        return Observation("Validated", "True", "NoGates", "no gates are set")
    failed = [g for g in gates if not g.passed]
    if failed:
        text = "; ".join(f"{g.name}: {g.message}" for g in failed)
        return Observation(
            "Validated", "False", "GatesFailed", f"{len(failed)} of {len(gates)} failed: {text}"
        )
    return Observation("Validated", "True", "GatesPassed", f"{len(gates)} of {len(gates)} passed")


def _gate_event(validated: Observation) -> Event:
    if validated.status == "True":
        return Event("Normal", "GatesPassed", validated.message)
    return Event("Warning", "GateFailed", validated.message)


def _approved(version: ModelVersion, validated: Observation) -> Observation:
    """Denied overrules everything; nothing overrules a failed gate."""
    approval = version.spec.approval
    by = f" by {approval.by}" if approval.by else ""
    comment = f": {approval.comment}" if approval.comment else ""
    if approval.decision == "Denied":
        return Observation("Approved", "False", "Denied", f"denied{by}{comment}")
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


def _ready(validated: Observation, approved: Observation) -> tuple[Observation, ...]:
    if approved.status == "True":
        return readiness("True", "Approved", "may go to production")
    if approved.status == "Unknown":
        return readiness("Unknown", approved.reason, approved.message)
    cause = approved if approved.reason == "Denied" else validated
    return readiness("False", cause.reason, cause.message, stalled=True)


def _step(approved: Observation) -> str:
    """The link that approval adds to the chain; a failed gate has said all already."""
    if approved.reason == "GatesFailed":
        return ""
    return "awaiting approval" if approved.status == "Unknown" else approved.message
