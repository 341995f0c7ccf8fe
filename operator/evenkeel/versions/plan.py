"""Plans a ModelVersion: its gates once, then its approval, and its lineage as it grows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from evenkeel.api.common import Gate
from evenkeel.api.modelversion import (
    Download,
    GateResult,
    ModelVersion,
    ModelVersionStatus,
    Rollout,
)
from evenkeel.api.record import annotation
from evenkeel.api.registration import RegisteredAs
from evenkeel.meta.conditions import Observation, find, merge
from evenkeel.meta.objects import Event
from evenkeel.meta.plan import Plan
from evenkeel.versions.approval import approved_by, lineage_link, ready
from evenkeel.versions.champion import champion
from evenkeel.versions.gates import Figures, evaluate
from evenkeel.versions.lineage import lineage

SHARED_STATUS = ("rollouts", "performance")
"""Written by the ModelDeployments that serve the version."""
LOOK_AGAIN = 10.0
"""Seconds after which a champion that is missing may have been restored."""


@dataclass(frozen=True, slots=True)
class VersionSnapshot:
    """`siblings`: versions of the model, among them the champion; with or without this one.

    download: what its server is shown, as far as its ModelRegistry is there.
    registered: what it is in its registry, as far as that has told; registration: whether it is.
    """

    version: ModelVersion
    siblings: tuple[ModelVersion, ...]
    now: datetime
    download: Download | None = None
    registered: RegisteredAs | None = None
    registration: Observation | None = None


def plan_version(snapshot: VersionSnapshot) -> Plan:
    """Judges the gates against the champion of the first look; later looks keep that verdict."""
    version, status = snapshot.version, snapshot.version.status
    told: tuple[Event, ...] = ()
    validated = _recorded(version)
    gates, reference = status.gates, status.champion
    if validated is None:
        validated, gates, reference = _judge(snapshot)
        if validated.status != "Unknown":
            told = (_gate_event(validated),)
    approved = approved_by(version, validated)
    told = _with_decision(told, status, approved)
    observations = [validated, approved, *ready(validated, approved)]
    if snapshot.registration is not None:
        observations.append(snapshot.registration)
    registered = snapshot.registered or status.registered
    if registered is not None and status.registered is None and snapshot.registration is not None:
        told = (*told, Event("Normal", "Registered", snapshot.registration.message))
    generation = version.metadata.generation
    planned = ModelVersionStatus(
        observed_generation=generation,
        conditions=merge(status.conditions, observations, generation, snapshot.now),
        trained_time=version.spec.trained_time
        or status.trained_time
        or version.metadata.creation_timestamp,
        champion=reference,
        gates=gates,
        rolled_back=_rolled_back(status),
        download=snapshot.download or status.download,
        registered=registered,
        lineage=lineage(
            version.metadata.name,
            version.spec,
            gates,
            lineage_link(approved),
            registered,
            status.rollouts,
        ),
    )
    return Plan(
        status=planned,
        annotations=_record(planned),
        # All this was told in its earlier life.
        events=() if version.had_earlier_life else told,
        requeue_after=LOOK_AGAIN if validated.status == "Unknown" else None,
        shared_status=SHARED_STATUS,
    )


def _with_decision(
    told: tuple[Event, ...], status: ModelVersionStatus, approved: Observation
) -> tuple[Event, ...]:
    """What is told once a decision falls. One Event says both: thousands of versions may come."""
    before = find(status.conditions, "Approved")
    decided = approved.reason in ("Approved", "AutomaticallyApproved", "Denied")
    if not decided or (before is not None and before.reason == approved.reason):
        return told
    kind = "Denied" if approved.reason == "Denied" else "Approved"
    said = "; ".join([*(event.message for event in told), approved.message])
    return (Event(told[0].type if told else "Normal", kind, said),)


def _rolled_back(status: ModelVersionStatus) -> tuple[Rollout, ...]:
    """By ModelDeployment, until one says something else of it again."""
    told = {r.deployment for r in status.rollouts}
    now = [
        r.model_copy(update={"message": r.message[:200]})
        for r in status.rollouts
        if r.outcome == "RolledBack"
    ]
    before = [r for r in status.rolled_back if r.deployment not in told]
    return tuple(sorted((*now, *before), key=lambda r: r.deployment))[:64]


def _record(status: ModelVersionStatus) -> dict[str, str]:
    fields = {"trained_time", "registered"} | ({"rolled_back"} if status.rolled_back else set())
    return annotation(
        status.model_dump(mode="json", by_alias=True, exclude_none=True, include=fields)
    )


def _recorded(version: ModelVersion) -> Observation | None:
    """The verdict of the gates if it was reached before."""
    known = find(version.status.conditions, "Validated")
    if known is None or known.status == "Unknown":
        return None
    return known.observation


def _judge(
    snapshot: VersionSnapshot,
) -> tuple[Observation, tuple[GateResult, ...], str | None]:
    """The verdict, its results and the champion's name."""
    version = snapshot.version
    spec, name = version.spec, version.metadata.name
    others = [s for s in snapshot.siblings if s.metadata.name != name]
    if spec.champion is None:
        best = champion(others, spec.model)
    else:
        best = next((s for s in others if s.metadata.name == spec.champion), None)
        if best is None and spec.champion and any(map(_compares, spec.gates)):
            return _champion_missing(spec.champion), (), None
    results = evaluate(spec.gates, _figures(version), _figures(best) if best is not None else None)
    return _validated(results), results, best.metadata.name if best is not None else None


def _compares(gate: Gate) -> bool:
    """Whether the gate needs the champion's figures."""
    return gate.champion is not None


def _champion_missing(name: str) -> Observation:
    return Observation(
        "Validated",
        "Unknown",
        "ChampionMissing",
        f"ModelVersion {name}, which was in production when this version was made, is not there; "
        "restore it, or create this version again without spec.champion",
    )


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
