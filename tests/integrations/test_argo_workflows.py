"""Trainings by the real controller of Argo Workflows, beside a real API server.

The tests play the kubelet and Argo's executor: no container runs.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from evenkeel.meta.resources import POD
from evenkeel.meta.times import parse

from tests.support import quotas
from tests.support.api_server import ApiServer
from tests.support.argo import LARGE, argo, ends, starts
from tests.support.controllers import controllers
from tests.support.manifests import manifest
from tests.support.operating import World, until, world
from tests.support.training_pods import REPORT, bind, going, pods, tell

JSON = dict[str, Any]
RUN = "elec-1"
ON = ("workflow",)
TRAIN = """
entrypoint: train
templates:
- name: train
  container:
    image: trainer
    command: [python, train.py, "--epochs={{workflow.parameters.EPOCHS}}"]
    env: [{name: OUT, value: s3://m/$(EVENKEEL_RUN)}]
  outputs:
    parameters: [{name: result, valueFrom: {path: /tmp/result.json}}]
"""
TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: retrain}
spec:
  entrypoint: all
  podMetadata: {labels: {team: ml}}
  arguments:
    parameters: [{name: EPOCHS, value: "1"}, {name: EVENKEEL_RUN}, {name: EVENKEEL_CHAMPION_URI}]
  templates:
  - name: all
    steps:
    - - {name: prepare, template: prepare}
    - - {name: train, template: train}
  - name: prepare
    container: {image: prepare, command: [prepare]}
  - name: train
    container:
      image: trainer
      command: [train, "{{workflow.parameters.EVENKEEL_RUN}}", "{{workflow.parameters.EPOCHS}}"]
      env: [{name: CHAMPION, value: "{{workflow.parameters.EVENKEEL_CHAMPION_URI}}"}]
"""


@pytest.fixture(scope="module")
def workflows(
    api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    folder = tmp_path_factory.mktemp("argo")
    with argo(api_server, folder), controllers(api_server, folder, "garbage-collector-controller"):
        yield api_server


@pytest.fixture
async def w(workflows: ApiServer, namespace: str) -> AsyncIterator[World]:
    async with world(workflows, namespace) as made, made.operator(integrations=ON):
        yield made


def training_run(spec: str = TRAIN, more: str = "{}") -> JSON:
    made = manifest("TrainingRun", "{}", RUN)
    made["spec"]["cause"] = {"type": "Manual", "message": 'by hand, "{{workflow.uid}}" $(HOME)'}
    made["spec"]["training"] = {
        "parameters": {"EPOCHS": "3"},
        "workflow": {"spec": yaml.safe_load(spec)},
        **yaml.safe_load(more),
    }
    return made


def ready(w: World) -> tuple[str, str]:
    found = w.ns.ready(RUN, "TrainingRun")
    return str(found.get("reason", "")), str(found.get("message", ""))


async def the_pod(w: World) -> JSON:
    """The one that is there."""
    await until(lambda: len(going(w.ns, RUN)) == 1, "a pod")
    (found,) = going(w.ns, RUN)
    return found


def main(pod: JSON) -> JSON:
    (found,) = [c for c in pod["spec"]["containers"] if c["name"] == "main"]
    return dict(found)


async def test_the_output_parameter_result_becomes_a_version(w: World) -> None:
    w.ns.create(training_run())
    pod = await the_pod(w)
    container = main(pod)
    # Argo's executor is the command; the template's own is its arguments.
    assert "--epochs=3" in [*container["command"], *container.get("args", ())]
    env = {e["name"]: e.get("value") for e in container["env"]}
    assert (env["EVENKEEL_RUN"], env["EPOCHS"]) == (RUN, "3")
    assert env["OUT"] == "s3://m/$(EVENKEEL_RUN)"
    cause = json.loads(env["EVENKEEL_CAUSE"].replace("$$", "$"))
    assert cause["message"] == 'by hand, "{{workflow.uid}}" $(HOME)'
    starts(w.ns, pod)
    await until(lambda: ready(w) == ("Running", "0 of 1 steps are done"))
    ends(w.ns, pod, result=REPORT)
    await until(lambda: ready(w)[0] == "Succeeded")
    (version,) = w.ns.all("ModelVersion")
    assert version["spec"]["uri"] == "s3://m/1"
    assert w.ns.status(RUN, "TrainingRun")["job"] == RUN


async def test_a_workflow_template_of_the_users_trains_in_steps(w: World) -> None:
    w.server.kubectl("apply", "-n", w.ns.name, "-f", "-", stdin=TEMPLATE)
    w.ns.create(training_run("workflowTemplateRef: {name: retrain}"))
    prepare = await the_pod(w)
    assert prepare["metadata"]["labels"]["team"] == "ml"
    starts(w.ns, prepare)
    ends(w.ns, prepare)
    await until(lambda: len(pods(w.ns, RUN)) == 2, "the next step")
    train = await the_pod(w)
    container = main(train)
    assert [*container["command"], *container.get("args", ())][-3:] == ["train", RUN, "3"]
    assert {"name": "CHAMPION"} in container["env"] or {"name": "CHAMPION", "value": ""} in (
        container["env"]
    )
    starts(w.ns, train)
    await until(lambda: ready(w) == ("Running", "1 of 2 steps are done"))
    ends(w.ns, train, message=REPORT)
    await until(lambda: ready(w)[0] == "Succeeded", "by the termination message")


async def test_retries_are_the_template_s_and_the_last_attempt_reports(w: World) -> None:
    spec = yaml.safe_load(TRAIN)
    spec["templates"][0]["retryStrategy"] = {"limit": "1"}
    w.ns.create(training_run(yaml.safe_dump(spec)))
    first = await the_pod(w)
    ends(w.ns, first, 3, "no data")
    await until(lambda: len(pods(w.ns, RUN)) == 2, "another attempt")
    second = await the_pod(w)
    starts(w.ns, second)
    ends(w.ns, second, result=REPORT)
    await until(lambda: ready(w)[0] == "Succeeded")


async def test_nodes_that_argo_compresses_are_told(w: World) -> None:
    w.ns.create(training_run())
    ends(w.ns, await the_pod(w), result=REPORT, large="x" * LARGE)
    await until(lambda: w.ns.get("Workflow", RUN)["status"].get("phase") == "Succeeded")
    assert "compressedNodes" in w.ns.get("Workflow", RUN)["status"]
    await until(lambda: ready(w)[0] == "ReportLost")
    assert "give the parameter the globalName result" in ready(w)[1]


async def test_a_global_output_is_read_of_a_workflow_whose_nodes_are_compressed(w: World) -> None:
    w.ns.create(training_run())
    ends(w.ns, await the_pod(w), shared=("result",), result=REPORT, large="x" * LARGE)
    await until(lambda: ready(w)[0] == "Succeeded")
    assert "compressedNodes" in w.ns.get("Workflow", RUN)["status"]


async def test_a_failure_is_told_with_code_and_last_words(w: World) -> None:
    w.ns.create(training_run())
    pod = await the_pod(w)
    starts(w.ns, pod)
    ends(w.ns, pod, 3, "no data")
    await until(lambda: ready(w)[0] == "TrainerFailed")
    assert ready(w)[1] == "main: Error (exit code 3): no data"


async def test_what_argo_refuses_is_told_at_once(w: World) -> None:
    spec = yaml.safe_load(TRAIN)
    spec["entrypoint"] = "missing"
    w.ns.create(training_run(yaml.safe_dump(spec)))
    await until(lambda: ready(w)[0] == "InvalidTemplate")
    assert "Argo refuses the Workflow: invalid spec: " in ready(w)[1]
    assert "missing" in ready(w)[1]


async def test_a_workflow_template_that_is_missing_is_told(w: World) -> None:
    w.ns.create(training_run("workflowTemplateRef: {name: missing}"))
    await until(lambda: ready(w)[0] == "TrainerFailed")
    assert '"missing" not found' in ready(w)[1]


async def test_it_waits_suspended_and_trains_once_it_is_let_go(w: World) -> None:
    w.ns.create(training_run(more="{suspend: true}"))
    await until(lambda: ready(w)[0] == "Suspended")
    phase = "Running"
    await until(lambda: w.ns.get("Workflow", RUN).get("status", {}).get("phase") == phase)
    assert pods(w.ns, RUN) == []
    w.ns.patch("Workflow", RUN, {"spec": {"suspend": None}})
    pod = await the_pod(w)
    starts(w.ns, pod)
    ends(w.ns, pod, result=REPORT)
    await until(lambda: ready(w)[0] == "Succeeded")


async def test_argo_s_deadline_is_the_run_s_and_the_workflow_stays(w: World) -> None:
    w.ns.create(training_run(more="{timeoutSeconds: 3}"))
    pod = await the_pod(w)
    starts(w.ns, pod)
    began = parse(w.ns.get("Workflow", RUN)["status"]["startedAt"])
    over = began + timedelta(seconds=pod["spec"]["activeDeadlineSeconds"] + 1)
    await until(lambda: datetime.now(UTC) > over, "the kubelet's clock")
    words = "Pod was active on the node longer than the specified deadline"
    tell(w.ns, pod, "Failed", reason="DeadlineExceeded", message=words)
    await until(lambda: ready(w)[0] == "TimedOut")
    assert words in ready(w)[1]
    assert w.ns.get("Workflow", RUN)["status"]["phase"] == "Failed"


async def test_what_argo_does_not_end_is_deleted(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It forgets the deadline of a pod that never starts, until it looks again after minutes."""
    monkeypatch.setattr("evenkeel.training.engines.workflow.GRACE_SECONDS", 1.0)
    w.ns.create(training_run(more="{timeoutSeconds: 3}"))
    await the_pod(w)
    await until(lambda: ready(w)[0] == "TimedOut")
    await until(lambda: w.ns.all("Workflow") == [])


async def test_a_person_s_termination_is_a_failure(w: World) -> None:
    w.ns.create(training_run())
    starts(w.ns, await the_pod(w))
    w.ns.patch("Workflow", RUN, {"spec": {"shutdown": "Terminate"}})
    await until(lambda: ready(w)[0] == "TrainerFailed")
    assert "'Terminate'" in ready(w)[1] or "strategy:  Terminate" in ready(w)[1]


async def test_a_quota_that_leaves_no_pod_is_told(w: World) -> None:
    quotas.impose(w.ns, {"pods": "0"})
    w.ns.create(training_run())
    await until(lambda: "exceeded quota: q" in ready(w)[1])
    assert ready(w)[0] == "Pending"
    assert "have it raised; it is tried again by itself" in ready(w)[1]
    quotas.lift(w.ns)
    await the_pod(w)


async def test_deleting_the_run_ends_everything(w: World) -> None:
    w.ns.create(training_run())
    pod = await the_pod(w)
    bind(w.ns, pod)
    starts(w.ns, pod)
    await until(lambda: ready(w)[0] == "Running")
    w.server.kubectl("delete", "trainingrun", RUN, "-n", w.ns.name, "--wait=false")
    await until(lambda: w.ns.all("Workflow") == [])
    path = POD.path(w.ns.name, pod["metadata"]["name"])
    await until(lambda: "deletionTimestamp" in w.server.http.get(path).json()["metadata"])


async def test_it_is_deleted_in_the_end(w: World) -> None:
    w.ns.create(training_run(more="{ttlSecondsAfterFinished: 0}"))
    pod = await the_pod(w)
    starts(w.ns, pod)
    ends(w.ns, pod, result=REPORT)
    await until(lambda: w.ns.all("Workflow") == [])
    assert ready(w)[0] == "Succeeded"
