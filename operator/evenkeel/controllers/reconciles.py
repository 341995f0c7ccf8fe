"""Observe and plan, by kind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from evenkeel.adapters.prometheus import Prometheus
from evenkeel.api import ModelVersion, RetrainSchedule, TrainingRun, labels
from evenkeel.controllers.inbox import Inbox
from evenkeel.controllers.modeldeployment.observe import observe
from evenkeel.controllers.modeldeployment.plan import plan_deployment
from evenkeel.kube.client import Client
from evenkeel.kube.controller import Reconcile
from evenkeel.kube.store import Key, Store
from evenkeel.meta.plan import Plan
from evenkeel.retraining.plan import ScheduleSnapshot, plan_schedule
from evenkeel.serving.pod_template import PodSettings
from evenkeel.training.plan import RunSnapshot, plan_run
from evenkeel.versions.champion import champion
from evenkeel.versions.plan import VersionSnapshot, plan_version

JSON = dict[str, Any]


class Reconciles:
    """The reconcile of each kind, over one store."""

    def __init__(
        self,
        client: Client,
        store: Store,
        inbox: Inbox,
        prometheus: Prometheus,
        prometheus_url: str,
        pods: PodSettings,
    ) -> None:
        self._client = client
        self._store = store
        self._inbox = inbox
        self._prometheus = prometheus
        self._prometheus_url = prometheus_url
        self._pods = pods

    def by_kind(self) -> dict[str, Reconcile]:
        """The table that the controller works by."""
        return {
            "ModelDeployment": self._deployment,
            "RetrainSchedule": self._schedule,
            "TrainingRun": self._run,
            "ModelVersion": self._version,
        }

    async def _deployment(self, key: Key, obj: JSON, invalid: str | None) -> Plan:
        return plan_deployment(
            await observe(
                self._store, self._client, self._prometheus, self._prometheus_url, self._pods, obj
            )
        )

    async def _schedule(self, key: Key, obj: JSON, invalid: str | None) -> Plan:
        runs = self._store.labelled("TrainingRun", key.namespace, labels.SCHEDULE, key.name)
        return plan_schedule(
            ScheduleSnapshot(
                schedule=RetrainSchedule.model_validate(obj),
                runs=tuple(self._store.parse(TrainingRun, r) for r in runs),
                alerts=self._inbox.take(key),
                now=datetime.now(UTC),
            )
        )

    async def _run(self, key: Key, obj: JSON, invalid: str | None) -> Plan:
        run = TrainingRun.model_validate(obj)
        schedule = self._store.get(Key("RetrainSchedule", key.namespace, run.spec.schedule))
        siblings = self._store.labelled(
            "TrainingRun", key.namespace, labels.SCHEDULE, run.spec.schedule
        )
        replaced_by = next(
            (
                s["metadata"]["name"]
                for s in siblings
                if key.name in (s["spec"].get("replaces") or ())
            ),
            None,
        )
        versions = self._store.labelled("ModelVersion", key.namespace, labels.RUN, key.name)
        return plan_run(
            RunSnapshot(
                run=run,
                schedule=RetrainSchedule.model_validate(schedule) if schedule else None,
                job=self._store.get(Key("Job", key.namespace, key.name)),
                pods=tuple(self._store.labelled("Pod", key.namespace, labels.RUN, key.name)),
                replaced_by=replaced_by,
                version_exists=bool(versions),
                now=datetime.now(UTC),
                rejection=invalid,
                champion=champion(self._versions(key.namespace, run.spec.model), run.spec.model),
            )
        )

    async def _version(self, key: Key, obj: JSON, invalid: str | None) -> Plan:
        version = ModelVersion.model_validate(obj)
        siblings = tuple(
            v
            for v in self._versions(key.namespace, version.spec.model)
            if v.metadata.name != key.name
        )
        return plan_version(VersionSnapshot(version, siblings, datetime.now(UTC)))

    def _versions(self, namespace: str, model: str) -> list[ModelVersion]:
        return [
            self._store.parse(ModelVersion, o)
            for o in self._store.all("ModelVersion", namespace)
            if o["spec"]["model"] == model
        ]
