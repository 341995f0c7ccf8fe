"""What a run's plan reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from evenkeel.api.enginerun import ObservedRun
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.retrainschedule import RetrainSchedule
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.outside.poll import Sighting
from evenkeel.training.engine import Observed
from evenkeel.training.engines import engine_of
from evenkeel.training.restored import restored
from evenkeel.training.results.kind import Json, Named

UNSEEN: Sighting[Any] = Sighting()


def _unknown(kind: str, name: str) -> Json | None:
    return None


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """A run, and what concerns it.

    observed: what the cluster holds of the training. schedule: the run's RetrainSchedule, for the
    alerts counted since. replaced_by: name of a run whose spec.replaces names this one.
    version_exists: whether a ModelVersion of the run is there. rejection: the API server's answer
    if it refused the engine's object as invalid (422). champion: the version in production.
    switched_off: the template's engine is, so that nothing is known of its objects. named: objects
    that tell where a report is. sighting: what is known of a report that is read outside.
    data_image: of the containers that bring data.
    """

    run: TrainingRun
    now: datetime
    observed: Observed = field(default_factory=Observed)
    schedule: RetrainSchedule | None = None
    replaced_by: str | None = None
    version_exists: bool = False
    rejection: str | None = None
    champion: ModelVersion | None = None
    switched_off: bool = False
    data_image: str = ""
    named: Named = _unknown
    sighting: Sighting[Any] = UNSEEN

    @property
    def owned(self) -> bool:
        """Whether there is a main object, and it is this run's."""
        main = self.observed.main
        owners = (main or {}).get("metadata", {}).get("ownerReferences") or ()
        return any(owner.get("uid") == self.run.metadata.uid for owner in owners)

    @property
    def outside(self) -> bool:
        """Whether the training is no object in the cluster."""
        engine = engine_of(self.run.spec.training)
        return engine is not None and engine.asks is not None

    @property
    def begun(self) -> bool:
        """Whether there is a training of the run's to tell of, in the cluster or outside."""
        if not self.outside:
            return self.owned
        return self.run.status.start_time is not None and not restored(self.run)

    @property
    def known_as(self) -> ObservedRun | None:
        """What the engine calls the run, as last seen."""
        engine = engine_of(self.run.spec.training)
        if engine is None:
            return self.run.status.run
        return engine.known_as(self.run, self.observed)

    @property
    def alert_count(self) -> int:
        """Alerts that the run answers; the schedule counts further ones on its newest run."""
        run = self.run
        counts = [run.spec.cause.alert_count, run.status.alert_count]
        last = self.schedule.status.last_run if self.schedule is not None else None
        if last is not None and last.name == run.metadata.name:
            counts.append(last.alert_count)
        return max(counts)
