"""What a training engine is: how a run becomes an object in the cluster, and how that one stands.

One file of `engines/` describes one engine; its entry in the table there is all that others need.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from pydantic.alias_generators import to_camel

from evenkeel.api.common import ChildMetadata, TrainingTemplate
from evenkeel.api.data import UsedData
from evenkeel.api.labels import MANAGED_BY, MANAGER, MODEL, RUN, SCHEDULE, owner_reference
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.trainingrun import CutShort, TrainingRun
from evenkeel.meta.objects import Manifest
from evenkeel.meta.resources import ResourceType, Watch

Json = Mapping[str, Any]


class Observed(NamedTuple):
    """What the cluster holds of a run.

    main: the object of the engine's type that has the run's name. others: what else the engine
    watches, such as pods, by kind. refusal: the API server's words where it let the main object's
    controller create nothing, as Events tell.
    """

    main: Json | None = None
    others: Mapping[str, tuple[Json, ...]] = MappingProxyType({})
    refusal: str = ""

    def of(self, kind: str) -> tuple[Json, ...]:
        """The other objects of a kind, ordered by name."""
        return self.others.get(kind, ())


class State(NamedTuple):
    """How a training stands.

    message: for people, cause before remedy. report: the trainer's, of a training that succeeded.
    completed: when that was, if it is known (RFC 3339).
    requeue_after: seconds until it is worth another look, though nothing changes. stop: the main
    object would go on by itself after this end, and has to be deleted at once. failure: exit code
    and last words of the newest attempt that failed, kept once its pod is gone. cut_short: what
    the run's status says of attempts that are ended though they go on. patch: fields of the main
    object to be changed, as a merge patch. data: those that the training was given, once they are
    there.
    """

    phase: Literal[
        "Pending", "Running", "Suspended", "Succeeded", "TimedOut", "Failed", "ReportLost"
    ]
    message: str
    report: str | None = None
    completed: str | None = None
    requeue_after: float | None = None
    stop: bool = False
    failure: str = ""
    cut_short: CutShort | None = None
    patch: Manifest | None = None
    data: tuple[UsedData, ...] = ()


def own_events(main: Json) -> tuple[str, ...]:
    """A field selector of the main object's own Events."""
    return (f"involvedObject.uid={main['metadata']['uid']}",)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One way to run a training.

    field: the field of TrainingTemplate that selects it. type: of the main object, which the
    operator creates once under the run's name, and deletes. watches: everything that it owns or
    reads, the main object included. problem: what in its field would keep it from working, with
    the remedy; the API server's own checks come later. manifest: the main object for a run and the
    version in production, with the `metadata` below. state: how the training stands, from what was
    observed of an existing main object. run_labels: by kind, the label whose value is the run's
    name, where it is not evenkeel.dev/run. events: field selectors of the Events that tell of tries
    to create pods and the like for a main object; refusals: the reasons of those that failed.
    integration: its name, where it works only once it is switched on; clusters may lack its types.
    with_data: the main object, whose pods bring the run's training.data first, by an image; None
    if it cannot be done.
    """

    field: str
    type: ResourceType
    watches: tuple[Watch, ...]
    problem: Callable[[TrainingTemplate], str | None]
    manifest: Callable[[TrainingRun, ModelVersion | None], Manifest]
    state: Callable[[TrainingRun, Observed, datetime], State]
    run_labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    events: Callable[[Json], tuple[str, ...]] = own_events
    refusals: tuple[str, ...] = ("FailedCreate",)
    integration: str = ""
    with_data: Callable[[Manifest, TrainingRun, str], Manifest] | None = None

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


def metadata(run: TrainingRun) -> Manifest:
    """Metadata of the main object: the garbage collector removes it with its run."""
    wished = run.spec.training.metadata or ChildMetadata()
    return {
        "name": run.metadata.name,
        "namespace": run.metadata.namespace,
        "labels": {**wished.labels, **labels_of(run)},
        "annotations": dict(wished.annotations),
        "ownerReferences": [owner_reference(run.kind, run.metadata)],
    }
