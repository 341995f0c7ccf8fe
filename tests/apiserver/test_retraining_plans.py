"""A real API server takes what the plans of retraining write, and the examples of their pages."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from evenkeel.api import ModelVersion, Resource, RetrainSchedule, TrainingRun
from evenkeel.api.base import API_VERSION
from evenkeel.api.cause import Alert
from evenkeel.meta.objects import Manifest
from evenkeel.meta.plan import Plan
from evenkeel.retraining.plan import ScheduleSnapshot, plan_schedule
from evenkeel.retraining.triggers import Matched
from evenkeel.training.engine import Observed
from evenkeel.training.plan import plan_run
from evenkeel.training.snapshot import RunSnapshot
from evenkeel.versions.plan import VersionSnapshot, plan_version

from dev.paths import ROOT
from tests.support.api_server import ApiServer
from tests.support.resources import BY_KIND

PAGES = ("retrainschedule", "trainingrun", "modelversion")
REPORT = {
    "uri": "s3://models/elec/7",
    "format": {"name": "sklearn", "version": "1"},
    "metrics": {"accuracy": 0.93},
    "slices": [{"name": "night", "samples": 800, "metrics": {"accuracy": 0.9}}],
}


def example(page: str) -> Manifest:
    text = (ROOT / "docs" / f"{page}.md").read_text()
    first = re.findall(r"```yaml\n(.*?)```", text, re.S)[0]
    manifest: Manifest = yaml.safe_load(first)
    del manifest["metadata"]["namespace"]
    return manifest


def create(server: ApiServer, namespace: str, manifest: Manifest) -> Any:
    """The stored object; unknown fields are errors."""
    answer = server.create(manifest, namespace)
    assert answer.status_code == 201, answer.text
    return answer.json()


def write_status(server: ApiServer, obj: Any, kind: type[Resource], plan: Plan) -> Any:
    """Server-side apply of the status, as the operator does it."""
    meta = obj["metadata"]
    status = {k: v for k, v in plan.status.wire().items() if k not in plan.shared_status}
    answer = server.http.patch(
        BY_KIND[kind.kind].path(meta["namespace"], meta["name"], "status"),
        params={"fieldManager": "evenkeel", "force": "true", "fieldValidation": "Strict"},
        headers={"Content-Type": "application/apply-patch+yaml"},
        content=json.dumps(
            {
                "apiVersion": API_VERSION,
                "kind": kind.kind,
                "metadata": {k: meta[k] for k in ("name", "uid", "resourceVersion")},
                "status": status,
            }
        ),
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("page", PAGES)
def test_the_example_of_the_page_is_taken(api_server: ApiServer, namespace: str, page: str) -> None:
    create(api_server, namespace, example(page))


def test_from_ten_thousand_alerts_to_a_validated_version(
    api_server: ApiServer, namespace: str
) -> None:
    now = datetime.now(UTC)
    stored = create(api_server, namespace, example("retrainschedule"))
    storm = tuple(
        Matched(
            "drift",
            Alert(
                fingerprint=f"{i:016x}",
                starts_at=(now - timedelta(minutes=5)).isoformat(),
                labels={"alertname": "ElecDrift", "severity": "warning"},
            ),
        )
        for i in range(10_000)
    )
    snapshot = ScheduleSnapshot(RetrainSchedule.model_validate(stored), (), storm, now)
    schedule_plan = plan_schedule(snapshot)
    (run_manifest,) = schedule_plan.creates
    run = create(api_server, namespace, run_manifest)
    again = api_server.create(run_manifest, namespace)
    assert (again.status_code, again.json()["reason"]) == (409, "AlreadyExists")
    stored = write_status(api_server, stored, RetrainSchedule, schedule_plan)
    assert stored["status"]["lastRun"]["alertCount"] == 10_000

    def run_plan(job: Any, *pods: Any) -> Plan:
        return plan_run(
            RunSnapshot(
                run=TrainingRun.model_validate(run),
                schedule=RetrainSchedule.model_validate(stored),
                observed=Observed(job, {"Pod": pods}),
                now=now,
            )
        )

    started = run_plan(None)
    job = create(api_server, namespace, started.creates[0])
    run = write_status(api_server, run, TrainingRun, started)
    assert run["status"]["conditions"][0]["reason"] == "Pending"

    job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    state = {"terminated": {"exitCode": 0, "message": json.dumps(REPORT)}}
    pod = {
        "metadata": {"name": "p"},
        "status": {
            "phase": "Succeeded",
            "containerStatuses": [{"name": "trainer", "state": state}],
        },
    }
    ended = run_plan(job, pod)
    version = create(api_server, namespace, ended.creates[0])
    run = write_status(api_server, run, TrainingRun, ended)
    assert run["status"]["modelVersion"] == version["metadata"]["name"]

    judged = plan_version(VersionSnapshot(ModelVersion.model_validate(version), (), now))
    version = write_status(api_server, version, ModelVersion, judged)
    conditions = {c["type"]: c["status"] for c in version["status"]["conditions"]}
    assert conditions == {"Validated": "True", "Approved": "True", "Ready": "True"}
    assert version["status"]["lineage"].startswith("alert ElecDrift (10000 alerts since ")
    assert "rollouts" not in version["status"]
