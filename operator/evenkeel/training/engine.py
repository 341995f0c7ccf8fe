"""What a training engine is: how a run becomes an object in the cluster, and how that one stands.

Or how a system outside the cluster is asked for it, and what that says of it. One file of
`engines/` describes one engine; its entry in the table there is all that others need.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from pydantic.alias_generators import to_camel, to_pascal

from evenkeel.api.common import ChildMetadata, TrainingTemplate
from evenkeel.api.data import UsedData
from evenkeel.api.enginerun import ObservedRun
from evenkeel.api.labels import MANAGED_BY, MANAGER, MODEL, RUN, SCHEDULE, owner_reference
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.trainingrun import CutShort, TrainingRun
from evenkeel.meta.objects import Manifest
from evenkeel.meta.resources import ResourceType, Watch
from evenkeel.outside.poll import Poll, Sighting
from evenkeel.training.result import TERMINATION_MESSAGE, Place

Json = Mapping[str, Any]
Wish = Literal["Train", "End"]
"""What is wanted of a run outside the cluster."""
GONE = "GONE"
"""State of a run outside the cluster that is not there any more, or never was."""
LATE_SECONDS = 60
"""After so long no request that is under way makes a run outside the cluster any more."""


class Observed(NamedTuple):
    """What the cluster holds of a run, or a system outside it knows.

    main: the object of the engine's type that has the run's name. others: what else the engine
    watches, such as pods, by kind. refusal: the API server's words where it let the main object's
    controller create nothing, as Events tell. outside: the answer to the engine's question.
    """

    main: Json | None = None
    others: Mapping[str, tuple[Json, ...]] = MappingProxyType({})
    refusal: str = ""
    outside: Sighting[object] = Sighting()

    def of(self, kind: str) -> tuple[Json, ...]:
        """The other objects of a kind, ordered by name."""
        return self.others.get(kind, ())


class State(NamedTuple):
    """How a training stands.

    phase: InvalidTemplate: what the template asks for cannot be. message: for people, cause before
    remedy. reason: of the conditions, where the phase says less. report: the trainer's, of a
    training that succeeded; place: where it was. completed: when that was, if it is known (RFC
    3339). requeue_after: seconds until it is worth another look, though nothing changes. stop: the
    main object would go on by itself after this end, and has to be deleted at once. failure: exit
    code and last words of the newest attempt that failed, kept once its pod is gone. cut_short:
    what the run's status says of attempts that are ended though they go on. patch: fields of the
    main object to be changed, as a merge patch. data: those that the training was
    given, once they are there.
    """

    phase: Literal[
        "Pending",
        "Running",
        "Suspended",
        "Succeeded",
        "TimedOut",
        "Failed",
        "InvalidTemplate",
        "ReportLost",
    ]
    message: str
    report: str | None = None
    place: Place = TERMINATION_MESSAGE
    completed: str | None = None
    requeue_after: float | None = None
    stop: bool = False
    failure: str = ""
    cut_short: CutShort | None = None
    patch: Manifest | None = None
    data: tuple[UsedData, ...] = ()
    reason: str = ""


def nothing_known(run: TrainingRun, observed: Observed) -> ObservedRun | None:
    """Of an engine whose runs are objects in the cluster, which tell all there is."""
    return run.status.run


def own_events(main: Json) -> tuple[str, ...]:
    """A field selector of the main object's own Events."""
    return (f"involvedObject.uid={main['metadata']['uid']}",)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One way to run a training.

    field: the field of TrainingTemplate that selects it. problem: what in its field would keep it
    from working, with the remedy; the API server's own checks come later. state: how the training
    stands, from what was observed of it since it began.

    In the cluster: type: of the main object, which the operator creates once under the run's name,
    and deletes. manifest: the main object for a run and the version in production, made by
    `manifest_of` below. watches: everything that it owns or reads, the main object included.
    run_labels: by kind, the label whose value is the run's
    name, where it is not evenkeel.dev/run. events: field selectors of the Events that tell of tries
    to create pods and the like for a main object; refusals: the reasons of those that failed.
    integration: its name, where it works only once it is switched on; clusters may lack its types.
    with_data: the main object, whose pods bring the run's training.data first, by an image; None
    if it cannot be done.

    Outside, without all that: asks: what is asked for a run and the version in production as long
    as the run wants it, or to end it; it is asked beside the reconciles, and is begun by none but
    this. known_as: the run there, for people and for later questions. ends: how it is seen at last,
    so that nothing more has to be asked.
    """

    field: str
    problem: Callable[[TrainingTemplate], str | None]
    state: Callable[[TrainingRun, Observed, datetime], State]
    type: ResourceType | None = None
    manifest: Callable[[TrainingRun, ModelVersion | None], Manifest] | None = None
    watches: tuple[Watch, ...] = ()
    run_labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    events: Callable[[Json], tuple[str, ...]] = own_events
    refusals: tuple[str, ...] = ("FailedCreate",)
    integration: str = ""
    with_data: Callable[[Manifest, TrainingRun, str], Manifest] | None = None
    asks: Callable[[TrainingRun, ModelVersion | None, Wish], Poll] | None = None
    known_as: Callable[[TrainingRun, Observed], ObservedRun | None] = nothing_known
    ends: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        """What a training by it is, for people: the kind of its objects, or such as PipelineRun."""
        return to_pascal(self.field) if self.type is None else self.type.kind

    @property
    def path(self) -> str:
        """Where people write its field, such as training.podTemplate."""
        return f"training.{to_camel(self.field)}"

    def run_label(self, kind: str) -> str:
        """The label by which an observed object of the kind names its run."""
        return self.run_labels.get(kind, RUN)


def labels_of(run: TrainingRun) -> dict[str, str]:
    """Labels of the run's main object, pods and ModelVersion."""
    labels = {MANAGED_BY: MANAGER, RUN: run.metadata.name, MODEL: run.spec.model}
    if run.spec.schedule:
        labels[SCHEDULE] = run.spec.schedule
    return labels


def manifest_of(type_: ResourceType, run: TrainingRun, spec: Manifest) -> Manifest:
    """The main object of a run; the garbage collector removes it with its run."""
    wished = run.spec.training.metadata or ChildMetadata()
    return {
        "apiVersion": type_.api_version,
        "kind": type_.kind,
        "metadata": {
            "name": run.metadata.name,
            "namespace": run.metadata.namespace,
            "labels": {**wished.labels, **labels_of(run)},
            "annotations": dict(wished.annotations),
            "ownerReferences": [owner_reference(run.kind, run.metadata)],
        },
        "spec": spec,
    }
