"""What is observed of a model's children."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evenkeel.meta.admission import explained
from evenkeel.meta.objects import Ref
from evenkeel.serving.ports import Ports
from evenkeel.serving.processes import Process

JSON = Mapping[str, Any]

DEFAULT_DEADLINE = 600
"""Seconds that apps/v1 gives a Deployment to progress, where nothing is said."""


@dataclass(frozen=True, slots=True)
class Pods:
    """The pods of one revision's Deployment.

    wanted: its spec.replicas; existing: how many there are. diagnosis: why they are not ready,
    where that is known. stuck: the Deployment's message once its progress deadline has passed.
    processes: the model servers that are known of, by the names of their pods.
    deadline: how long they may take to get ready, in seconds. refused: what the API server says
    where it takes no pods. blind: how many cannot be told whom to pass requests on to.
    """

    wanted: int = 0
    ready: int = 0
    diagnosis: str = ""
    existing: int = 0
    stuck: str = ""
    processes: tuple[Process, ...] = ()
    deadline: int = DEFAULT_DEADLINE
    refused: str = ""
    blind: int = 0

    @property
    def crashes(self) -> int:
        """Ends of the present pods' model servers by their own fault."""
        return sum(p.crashes for p in self.processes)

    @property
    def last_words(self) -> str:
        """Reason, exit code and last words of the latest such end; empty if there was none."""
        ended = [p for p in self.processes if p.last_words]
        return max(ended, key=lambda p: p.ended or 0.0).last_words if ended else ""

    @property
    def ready_since(self) -> float | None:
        """Unix time in seconds since when some pod has been ready; None if none is, or unknown."""
        return min((p.ready for p in self.processes if p.ready is not None), default=None)

    def explain(self, text: str) -> str:
        """The text about them, with their diagnosis."""
        return f"{text.rstrip('.')}: {self.diagnosis}" if self.diagnosis else text


@dataclass(frozen=True, slots=True)
class Child:
    """An observed child. `revision` is empty where it belongs to all revisions.

    ports: of a Service. number: of the port that an InferencePool leads to. scales: the Deployment
    that an autoscaler is for. diagnosis: why an object that divides requests does not do its work.
    left_behind: whether it has no living owner, as after a restore. unlabelled: whether it has
    lost the labels by which it is watched.
    """

    ref: Ref
    revision: str = ""
    pods: Pods = field(default_factory=Pods)
    ports: Ports | None = None
    number: int | None = None
    scales: str = ""
    diagnosis: str = ""
    left_behind: bool = False
    unlabelled: bool = False


def pods_by_revision(children: Iterable[Child]) -> dict[str, Pods]:
    """The pods of all revisions that have a Deployment."""
    return {c.revision: c.pods for c in children if c.ref.kind == "Deployment" and c.revision}


def feedback_pods(children: Iterable[Child]) -> Pods:
    """The pod that takes labels, which belongs to no revision; none before it is made."""
    found = (c.pods for c in children if c.ref.kind == "Deployment" and not c.revision)
    return next(found, Pods())


def deployment_pods(deployment: JSON) -> Pods:
    """The pods of an observed Deployment, as its status (apps/v1) tells of them."""
    status = deployment.get("status", {})
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    progressing = conditions.get("Progressing", {})
    failure = conditions.get("ReplicaFailure", {})
    refused = failure.get("message", "") if failure.get("status") == "True" else ""
    late = progressing.get("reason") == "ProgressDeadlineExceeded"
    return Pods(
        wanted=deployment["spec"].get("replicas", 1),
        ready=status.get("readyReplicas", 0),
        # No pod could be created at all: a quota, Pod Security.
        diagnosis=explained(refused),
        existing=status.get("replicas", 0),
        stuck=progressing.get("message", "") if late else "",
        deadline=deployment["spec"].get("progressDeadlineSeconds", DEFAULT_DEADLINE),
        refused=refused,
    )
