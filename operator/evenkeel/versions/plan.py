"""Plans a ModelVersion: its gates once, then its approval, and its lineage as it grows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from evenkeel.api.modelversion import GateResult, ModelVersion, ModelVersionStatus
from evenkeel.meta.conditions import Observation, find, merge
from evenkeel.meta.objects import Event
from evenkeel.meta.plan import Plan
from evenkeel.versions.approval import approved_by, lineage_link, ready
from evenkeel.versions.champion import champion
from evenkeel.versions.gates import Figures, evaluate
from evenkeel.versions.lineage import lineage

SHARED_STATUS = ("rollouts",)
"""Written by the ModelDeployments that serve the version."""


@dataclass(frozen=True, slots=True)
class VersionSnapshot:
    """`siblings`: versions of the model, among them the champion; with or without this one."""

    version: ModelVersion
    siblings: tuple[ModelVersion, ...]
    now: datetime


def plan_version(snapshot: VersionSnapshot) -> Plan:
    """Judges the gates against the champion of the first look; later looks keep that verdict."""
    version, status = snapshot.version, snapshot.version.status
    told: tuple[Event, ...] = ()
    validated = _recorded(version)
    gates, reference = status.gates, status.champion
    if validated is None:
        gates, reference = _judge(snapshot)
        validated = _validated(gates)
        told = (_gate_event(validated),)
    approved = approved_by(version, validated)
    before = find(status.conditions, "Approved")
    if approved.reason in ("Approved", "AutomaticallyApproved", "Denied") and (
        before is None or before.reason != approved.reason
    ):
        kind = "Denied" if approved.reason == "Denied" else "Approved"
        # One Event says both: thousands of versions may come at once.
        said = "; ".join([*(event.message for event in told), approved.message])
        told = (Event(told[0].type if told else "Normal", kind, said),)
    observations = (validated, approved, *ready(validated, approved))
    generation = version.metadata.generation
    return Plan(
        status=ModelVersionStatus(
            observed_generation=generation,
            conditions=merge(status.conditions, observations, generation, snapshot.now),
            champion=reference,
            gates=gates,
            lineage=lineage(
                version.metadata.name, version.spec, gates, lineage_link(approved), status.rollouts
            ),
        ),
        events=told,
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
