"""Examples for the tests of retraining, and a small cluster that carries plans out."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from evenkeel.api.cause import Alert
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.retrainschedule import RetrainSchedule, RetrainScheduleStatus
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.conditions import Condition
from evenkeel.meta.plan import Plan
from evenkeel.meta.times import parse, timestamp
from evenkeel.outside.poll import Sighting
from evenkeel.retraining.plan import ScheduleSnapshot, plan_schedule
from evenkeel.retraining.triggers import Matched
from evenkeel.training.plan import plan_run
from evenkeel.training.restored import record
from evenkeel.training.snapshot import RunSnapshot

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
DRIFT = {"name": "drift", "alert": {"matchers": [{"name": "alertname", "value": "ElecDrift"}]}}
TRAINING = {
    "podTemplate": {"spec": {"containers": [{"name": "trainer", "image": "trainer:1"}]}},
    "parameters": {"EPOCHS": "3"},
}


def nightly(schedule: str = "0 3 * * *", **more: Any) -> dict[str, Any]:
    return {"name": "nightly", "cron": {"schedule": schedule, **more}}


def schedule(*triggers: dict[str, Any], **spec: Any) -> RetrainSchedule:
    return RetrainSchedule.model_validate(
        {
            "metadata": {
                "name": "elec",
                "namespace": "ml",
                "uid": "5c0e",
                "generation": 1,
                "creationTimestamp": timestamp(NOW - timedelta(minutes=1)),
            },
            "spec": {
                "model": "elec",
                "triggers": triggers or (DRIFT,),
                "training": TRAINING,
                **spec,
            },
        }
    )


def alerts(number: int, began: datetime = NOW, trigger: str = "drift") -> list[Matched]:
    return [
        Matched(
            trigger,
            Alert(
                fingerprint=f"{i:x}",
                starts_at=began.isoformat(),
                labels={"alertname": "ElecDrift"},
                summary="inputs drifted",
            ),
        )
        for i in range(number)
    ]


def told(number: int, *, first: int = 0, arrived: datetime = NOW) -> list[Matched]:
    """Alerts of one delivery as the webhook gives them."""
    return [
        a._replace(
            record=a.record.model_copy(update={"fingerprint": f"{first + i:x}"}),
            identity=f"{first + i:08x}",
            delivery=f"d{first:03x}{number:04x}"[-8:],
            arrived=arrived,
        )
        for i, a in enumerate(alerts(number))
    ]


class Crash(Exception):
    """The operator died."""


class Cluster:
    """Stores what plans write, in their order; can crash before any write."""

    def __init__(self, schedule: RetrainSchedule, now: datetime = NOW) -> None:
        self.schedule = schedule
        self.runs: dict[str, TrainingRun] = {}
        self.started: list[str] = []
        """Every run that ever began, in order."""
        self.cron_times: list[datetime] = []
        """The cron times that had a run."""
        self.counted: dict[str, int] = {}
        """Alerts of each run, as last seen in the schedule's status."""
        self.now = now
        self.plan: Plan | None = None
        self.sightings: dict[str, Sighting[Any]] = {}
        """What is known of triggers' sources, which a restored cluster asks anew."""
        self.champion: ModelVersion | None = None

    def pass_time(self, **time: float) -> None:
        self.now += timedelta(**time)

    def snapshot(self, inbox: Iterable[Matched] = ()) -> ScheduleSnapshot:
        return ScheduleSnapshot(
            self.schedule,
            tuple(self.runs.values()),
            tuple(inbox),
            self.now,
            sightings=dict(self.sightings),
            champion=self.champion,
        )

    def reconcile(
        self, inbox: Iterable[Matched] = (), *, writes: int | None = None, stale: bool = False
    ) -> Plan:
        """Carries one plan out; raises Crash after so many writes. `stale`: runs are not seen."""
        snapshot = self.snapshot(inbox)
        if stale:
            snapshot = replace(snapshot, runs=())
        plan = self.plan = plan_schedule(snapshot)
        assert plan_schedule(snapshot) == plan
        steps: list[Any] = [
            *((self._create, c) for c in plan.creates),
            (self._write, plan.status),
            *((self._delete, d.name) for d in plan.deletes),
            (self._annotate, plan.annotations),
        ]
        for number, (step, argument) in enumerate(steps):
            if writes is not None and number >= writes:
                raise Crash
            step(argument)
        return plan

    def refuse(self, inbox: Iterable[Matched] = ()) -> None:
        """A reconcile whose run the API server refuses."""
        plan = plan_schedule(self.snapshot(inbox))
        assert isinstance(plan.uncreated, RetrainScheduleStatus)
        self._write(plan.uncreated)

    def settle(self) -> Plan:
        """Reconciles until nothing changes: a quiet cluster sees no writes."""
        for _ in range(3):
            before = self.schedule.status.wire()
            plan = self.reconcile()
            if not plan.creates and self.schedule.status.wire() == before:
                return plan
        raise AssertionError("the plan does not come to rest")

    def finish(self, name: str, reason: str = "Succeeded") -> None:
        run = self.runs[name]
        status = "True" if reason == "Succeeded" else "False"
        ready = Condition(
            type="Succeeded", status=status, reason=reason, last_transition_time=timestamp(self.now)
        )
        ended = run.status.model_copy(
            update={"conditions": (ready,), "completion_time": timestamp(self.now)}
        )
        self.runs[name] = run.model_copy(update={"status": ended})

    def finish_active(self, reason: str = "Succeeded") -> None:
        for name in self.active:
            self.finish(name, reason)

    @property
    def active(self) -> list[str]:
        return [n for n, r in self.runs.items() if not r.status.conditions]

    @property
    def status(self) -> RetrainScheduleStatus:
        return self.schedule.status

    @property
    def received(self) -> int:
        return sum(t.received for t in self.status.triggers)

    @property
    def accounted(self) -> int:
        waiting = self.status.pending.alert_count if self.status.pending else 0
        return sum(self.counted.values()) + waiting + self.status.suppressed

    def reason(self) -> str:
        return self.status.conditions[0].reason

    def edit(self, **spec: Any) -> None:
        meta = self.schedule.metadata
        self.schedule = type(self.schedule).model_validate(
            {
                "metadata": {**meta.wire(), "generation": meta.generation + 1},
                "spec": {**self.schedule.spec.wire(), **spec},
                "status": self.status.wire(),
            }
        )

    def _create(self, manifest: dict[str, Any]) -> None:
        meta = manifest["metadata"]
        if meta["name"] in self.runs:
            return
        meta = {
            **meta,
            "uid": f"uid-{len(self.started)}",
            "creationTimestamp": timestamp(self.now),
        }
        self.runs[meta["name"]] = TrainingRun.model_validate({**manifest, "metadata": meta})
        self.started.append(meta["name"])
        cause = self.runs[meta["name"]].spec.cause
        if cause.type == "Cron" and cause.time:
            self.cron_times.append(parse(cause.time))

    def _write(self, status: RetrainScheduleStatus) -> None:
        again = RetrainScheduleStatus.model_validate(status.wire())
        self.schedule = self.schedule.model_copy(update={"status": again})
        if again.last_run is not None:
            self.counted[again.last_run.name] = again.last_run.alert_count

    def _annotate(self, annotations: Mapping[str, str]) -> None:
        meta = self.schedule.metadata
        both = {**meta.annotations, **annotations}
        meta = meta.model_copy(update={"annotations": both})
        self.schedule = self.schedule.model_copy(update={"metadata": meta})

    def restore(self, *, runs: Container[str] | None = None, records: bool = True) -> None:
        """All objects come back without their statuses; of the runs, if given, those alone."""
        made = {"uid": f"again-{timestamp(self.now)}", "creationTimestamp": timestamp(self.now)}
        for name, run in list(self.runs.items()):
            if runs is not None and name not in runs:
                del self.runs[name]
                continue
            times = {"creation_time": run.metadata.creation_timestamp}
            known = run.status.model_copy(
                update=times | {"start_time": run.metadata.creation_timestamp}
                if not run.status.creation_time
                else {}
            )
            meta = {**run.metadata.wire(), **made, "generation": 1}
            meta["annotations"] = record(known) if records else {}
            lost = TrainingRun.model_validate({"metadata": meta, "spec": run.spec.wire()})
            plan = plan_run(RunSnapshot(lost, self.now))
            assert not plan.creates, "a restored run does not train"
            self.runs[name] = lost.model_copy(update={"status": plan.status})
        meta = {**self.schedule.metadata.wire(), **made, "generation": 1}
        if not records:
            meta["annotations"] = {}
        self.schedule = type(self.schedule).model_validate(
            {"metadata": meta, "spec": self.schedule.spec.wire()}
        )

    def _delete(self, name: str) -> None:
        self.runs.pop(name, None)
