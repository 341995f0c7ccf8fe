"""Trainings by TrainJobs of Kubeflow Trainer v2: its real CRD, on a real API server.

The tests play Trainer, JobSet and the kubelet: they write conditions and make pods.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from evenkeel.meta.resources import POD
from evenkeel.meta.times import timestamp
from evenkeel.training.engines.trainjob import TRAIN_JOB

from dev.cluster import binaries
from tests.support.api_server import ApiServer
from tests.support.manifests import manifest
from tests.support.operating import World, until, world
from tests.support.training_pods import REPORT, ended, runs, tell

JSON = dict[str, Any]
RUN = "elec-1"
CRD = "trainjobs.trainer.kubeflow.org"
ON = ("trainJob",)


async def install_crd(server: ApiServer) -> None:
    """That of the release which dev/cluster/tools-kubeflow locks; done once it is served."""
    module = binaries.module_file_dir("github.com/kubeflow/trainer/v2", "tools-kubeflow")
    file = module / "manifests" / "base" / "crds" / "trainer.kubeflow.org_trainjobs.yaml"
    server.kubectl("apply", "--server-side", "-f", str(file))
    await until(lambda: server.http.get(TRAIN_JOB.path()).is_success, "its storage")


@pytest.fixture
async def without_crd(api_server: ApiServer, namespace: str) -> AsyncIterator[World]:
    api_server.kubectl("delete", "crd", CRD, "--ignore-not-found", "--wait")
    async with world(api_server, namespace) as made:
        yield made


@pytest.fixture
async def w(api_server: ApiServer, namespace: str) -> AsyncIterator[World]:
    await install_crd(api_server)
    async with world(api_server, namespace) as made:
        yield made


def training_run(more: str = "{}", name: str = RUN, runtime: str = "torch") -> JSON:
    """Two nodes."""
    made = manifest("TrainingRun", "{}", name)
    made["spec"]["training"] = {
        "trainJob": {
            "runtimeRef": {"name": runtime},
            "trainer": {
                "image": "trainer:1",
                "command": ["torchrun", "train.py"],
                "env": [{"name": "OUT", "value": "s3://m/$(EVENKEEL_RUN)"}],
                "numNodes": 2,
                "numProcPerNode": "auto",
                "resourcesPerNode": {"requests": {"cpu": "1"}},
            },
        },
        **yaml.safe_load(more),
    }
    return made


def ready(w: World, name: str = RUN) -> tuple[str, str]:
    """Reason and message of the run."""
    found = w.ns.ready(name, "TrainingRun")
    return str(found.get("reason", "")), str(found.get("message", ""))


def pod(w: World, rank: int, owner: str = RUN, *, of_a_run: bool = True) -> JSON:
    """One as JobSet makes it for the step that trains."""
    environment = [{"name": "EVENKEEL_RUN", "value": owner}] if of_a_run else []
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{owner}-node-0-{rank}-abcde",
            "labels": {
                "jobset.sigs.k8s.io/jobset-name": owner,
                "jobset.sigs.k8s.io/replicatedjob-name": "node",
                "batch.kubernetes.io/job-completion-index": str(rank),
            },
        },
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "node", "image": "x", "env": environment}],
        },
    }
    made: JSON = w.server.http.post(POD.path(w.ns.name), json=body).raise_for_status().json()
    return made


def says(w: World, type_: str, status: str = "True", reason: str = "Told") -> None:
    """A condition by Trainer."""
    now = timestamp(datetime.now(UTC))
    told = {"type": type_, "status": status, "reason": reason, "message": "as Trainer says"}
    body = {"status": {"conditions": [{**told, "lastTransitionTime": now}]}}
    w.ns.patch("TrainJob", RUN, body, "status")


async def made(w: World) -> JSON:
    """The run's TrainJob, once it is there."""
    await until(lambda: w.ns.all("TrainJob"), "the TrainJob")
    return w.ns.get("TrainJob", RUN)


async def test_two_nodes_train_and_rank_0_reports(w: World) -> None:
    w.ns.create(training_run())
    async with w.operator(integrations=ON) as operator:
        job = await made(w)
        assert job["spec"]["runtimeRef"]["kind"] == "ClusterTrainingRuntime"
        assert job["spec"]["trainer"]["numProcPerNode"] == "auto"
        assert job["spec"]["trainer"]["env"][-1]["name"] == "OUT"
        strict = {k: job[k] for k in ("apiVersion", "kind", "spec")} | {"metadata": {"name": "x"}}
        assert w.server.create(strict, w.ns.name, dry_run=True).status_code == 201
        first, second, _ = pod(w, 0), pod(w, 1), pod(w, 0, "stranger", of_a_run=False)
        await until(lambda: ready(w) == ("Pending", "waiting for the pods to start"))
        tell(w.ns, first, "Running", runs("node"))
        await until(lambda: ready(w) == ("Running", "1 of 2 pods run"))
        tell(w.ns, first, "Succeeded", ended("node", 0, REPORT))
        tell(w.ns, second, "Succeeded", ended("node", 0, "not the report"))
        says(w, "Complete", reason="AllJobsCompleted")
        await until(lambda: ready(w)[0] == "Succeeded")
        known = {key.name for key in operator._store.keys("JobSetPod")}
        assert known == {first["metadata"]["name"], second["metadata"]["name"]}
    (version,) = w.ns.all("ModelVersion")
    assert version["spec"]["uri"] == "s3://m/1"
    assert w.ns.status(RUN, "TrainingRun")["job"] == RUN


async def test_a_failure_is_told_in_the_words_of_the_node(w: World) -> None:
    w.ns.create(training_run())
    async with w.operator(integrations=ON):
        await made(w)
        tell(w.ns, pod(w, 1), "Failed", ended("node", 3, "no data"))
        says(w, "Failed", reason="FailedJobs")
        await until(lambda: ready(w)[0] == "TrainerFailed")
        assert ready(w)[1] == "FailedJobs: rank 1: exit code 3: no data"


async def test_a_queue_holds_it_and_lets_it_go_and_its_time_is_the_run_s(w: World) -> None:
    labels = "{metadata: {labels: {kueue.x-k8s.io/queue-name: gpus}}, suspend: true"
    w.ns.create(training_run(f"{labels}, timeoutSeconds: 4}}"))
    async with w.operator(integrations=ON):
        job = await made(w)
        assert job["spec"]["suspend"] is True
        await until(lambda: ready(w) == ("Suspended", "the TrainJob waits in Kueue's queue gpus"))
        w.ns.patch("TrainJob", RUN, {"spec": {"suspend": False}})
        says(w, "Suspended", "False", "Resumed")
        await until(lambda: ready(w)[0] == "Pending")
        await until(lambda: ready(w)[0] == "TimedOut")
        await until(lambda: w.ns.all("TrainJob") == [], "it would go on by itself")


async def test_a_refusal_is_told_in_its_own_words_and_ends_by_itself(w: World) -> None:
    """The webhook of Trainer answers 403 while the runtime is missing; here a policy does."""
    name, words = f"runtime-{w.ns.name}", "clusterTrainingRuntime must be created before"
    group = {"apiGroups": ["trainer.kubeflow.org"], "apiVersions": ["*"]}
    rules = [{**group, "operations": ["CREATE"], "resources": ["trainjobs"]}]
    missing = "object.spec.runtimeRef.name != 'missing'"
    validation = {"expression": missing, "message": words, "reason": "Forbidden"}
    spec = {"matchConstraints": {"resourceRules": rules}, "validations": [validation]}
    binding = {"policyName": name, "validationActions": ["Deny"]}
    policy = [
        _policy("ValidatingAdmissionPolicy", name, spec),
        _policy("ValidatingAdmissionPolicyBinding", name, binding),
    ]
    w.server.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(policy))
    probe = {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": {"name": "probe"},
        "spec": {"runtimeRef": {"name": "missing"}},
    }
    await until(lambda: w.server.create(probe, w.ns.name, dry_run=True).status_code == 403)
    w.ns.create(training_run(runtime="missing"))
    async with w.operator(integrations=ON):
        await until(lambda: ready(w)[0] == "ApplyFailed")
        assert words in ready(w)[1]
        assert "startTime" not in w.ns.status(RUN, "TrainingRun")
        w.server.kubectl("delete", "-f", "-", stdin=yaml.safe_dump_all(policy))
        await made(w)
        await until(lambda: ready(w)[0] == "Pending")


def _policy(kind: str, name: str, spec: JSON) -> JSON:
    version = "admissionregistration.k8s.io/v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}


async def test_switched_off_it_waits_and_is_not_watched(w: World) -> None:
    w.ns.create(training_run())
    async with w.operator() as operator:
        await until(lambda: ready(w)[0] == "EngineOff")
        assert "integrations.trainJob.enabled" in ready(w)[1]
        assert not {"trainjobs"} & {watcher.plural for watcher in operator._watchers}
    assert w.ns.all("TrainJob") == []
    async with w.operator(integrations=ON):
        await made(w)
        await until(lambda: ready(w)[0] == "Pending")
    async with w.operator():
        await until(lambda: ready(w)[0] == "EngineOff", "while it trains")
    tell(w.ns, pod(w, 0), "Succeeded", ended("node", 0, REPORT))
    says(w, "Complete")
    async with w.operator(integrations=ON):
        await until(lambda: ready(w)[0] == "Succeeded")


async def test_without_its_crd_all_else_goes_on(
    without_crd: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    w = without_crd
    monkeypatch.setattr("evenkeel.kube.watcher.LOOK_AGAIN", 0.5)
    w.ns.create(training_run())
    w.ns.create(manifest("TrainingRun", "{}", "by-job"))
    async with w.operator(integrations=ON) as operator:
        await until(lambda: w.ns.all("Job"), "the other engine's")
        remedy = f"install the CustomResourceDefinition {CRD}"
        await until(lambda: ready(w)[0] == "ApplyFailed")
        assert remedy in ready(w)[1]
        assert operator.health().unready == ()
        assert any(remedy in line for line in operator.health().impaired)
        await install_crd(w.server)
        await made(w)
        await until(lambda: not any(remedy in line for line in operator.health().impaired))
        await until(lambda: ready(w)[0] == "Pending")
        says(w, "Failed", reason="FailedJobs")
        await until(lambda: ready(w)[0] == "TrainerFailed", "the watch has begun")


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ("{podTemplate: {spec: {containers: [{name: a}]}}}", "exactly one of podTemplate"),
        ("{trainJob: null}", "exactly one of podTemplate"),
        ("{trainJob: {trainer: {image: a}}}", "training.trainJob.runtimeRef: Required value"),
        ("{trainJob: {runtimeRef: {name: a}, trainer: {numNodes: 0}}}", "numNodes: Invalid value"),
        ("{trainJob: {runtimeRef: {name: a}, trainer: {nodes: 2}}}", "unknown field"),
        ("{trainJob: {runtimeRef: {name: a}, trainer: {env: [{value: a}]}}}", "name: Required"),
    ],
)
def test_wrong_templates_are_refused(
    api_server: ApiServer, namespace: str, training: str, message: str
) -> None:
    answer = api_server.create(training_run(training), namespace, dry_run=True)
    assert answer.status_code in (400, 422)
    assert message in json.loads(answer.text)["message"]
