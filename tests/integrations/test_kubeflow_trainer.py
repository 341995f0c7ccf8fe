"""Trainings by the real Kubeflow Trainer and JobSet, with Kubernetes' own Job controller.

The tests play the kubelet: no container runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import yaml
from evenkeel.meta.resources import POD

from dev.cluster import binaries
from tests.support import quotas
from tests.support.api_server import ApiServer
from tests.support.controllers import controllers
from tests.support.kubeflow import LOCK, trainer
from tests.support.manifests import manifest
from tests.support.operating import World, until, world
from tests.support.training_pods import MERGE, REPORT, ended, runs, tell

JSON = dict[str, Any]
RUN = "elec-1"
ON = ("trainJob",)
RUNTIME = """
apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainingRuntime
metadata: {name: plain, labels: {trainer.kubeflow.org/framework: plain}}
spec:
  mlPolicy: {numNodes: 1}
  template:
    spec:
      replicatedJobs:
      - name: node
        template:
          metadata: {labels: {trainer.kubeflow.org/trainjob-ancestor-step: trainer}}
          spec:
            backoffLimit: 0
            template:
              spec:
                restartPolicy: Never
                containers:
                - {name: node, image: runtime, terminationMessagePolicy: FallbackToLogsOnError}
                - {name: helper, image: helper}
"""


@pytest.fixture(scope="module")
def kubeflow(
    api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    folder = tmp_path_factory.mktemp("kubeflow")
    names = ("job-controller", "garbage-collector-controller")
    with trainer(api_server, folder), controllers(api_server, folder, *names):
        yield api_server


@pytest.fixture
async def w(kubeflow: ApiServer, namespace: str) -> AsyncIterator[World]:
    """A world with an operator and a runtime."""
    async with world(kubeflow, namespace) as made, made.operator(integrations=ON):
        install(made)
        yield made


def install(w: World, name: str = "plain", **more: Any) -> None:
    """The runtime, under that name. more: of its JobSet's spec."""
    made = yaml.safe_load(RUNTIME)
    made["metadata"]["name"] = name
    made["spec"]["template"]["spec"] |= more
    w.server.kubectl("apply", "-n", w.ns.name, "-f", "-", stdin=yaml.safe_dump(made))


def training_run(more: str = "{}", runtime: str = "plain") -> JSON:
    """Two nodes."""
    made = manifest("TrainingRun", "{}", RUN)
    made["spec"]["training"] = {
        "parameters": {"EPOCHS": "3"},
        "trainJob": {
            "runtimeRef": {"name": runtime, "kind": "TrainingRuntime"},
            "trainer": {
                "image": "trainer",
                "command": ["python", "train.py"],
                "numNodes": 2,
                "env": [{"name": "OUT", "value": "s3://m/$(EVENKEEL_RUN)"}],
            },
        },
        **yaml.safe_load(more),
    }
    return made


def ready(w: World, name: str = RUN) -> tuple[str, str]:
    found = w.ns.ready(name, "TrainingRun")
    return str(found.get("reason", "")), str(found.get("message", ""))


def pods(w: World) -> list[JSON]:
    """Those of the run, by rank."""
    query = {"labelSelector": f"jobset.sigs.k8s.io/jobset-name={RUN}"}
    found = w.server.http.get(POD.path(w.ns.name), params=query).raise_for_status().json()["items"]
    return sorted(found, key=rank)


def rank(pod: JSON) -> str:
    return str(pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"])


def names(w: World) -> set[str]:
    return {pod["metadata"]["name"] for pod in pods(w)}


def step(pod: JSON) -> str:
    return str(pod["metadata"]["labels"]["jobset.sigs.k8s.io/replicatedjob-name"])


async def two_pods(w: World) -> list[JSON]:
    await until(lambda: len(pods(w)) == 2, "a pod on each node")
    return pods(w)


async def test_both_nodes_train_and_rank_0_reports(w: World) -> None:
    w.ns.create(training_run())
    first, second = await two_pods(w)
    for pod in (first, second):
        node, helper = pod["spec"]["containers"]
        env = {e["name"]: e.get("value") for e in node["env"]}
        assert (node["image"], node["command"]) == ("trainer", ["python", "train.py"])
        assert (env["EVENKEEL_RUN"], env["EPOCHS"]) == (RUN, "3")
        assert env["OUT"] == "s3://m/$(EVENKEEL_RUN)"
        assert "EVENKEEL_RUN" not in {e["name"] for e in helper.get("env", ())}
        tell(w.ns, pod, "Running", runs("node"), runs("helper"))
    await until(lambda: ready(w) == ("Running", "2 of 2 pods run"))
    done = ended("helper", 0)
    tell(w.ns, second, "Succeeded", ended("node", 0, "not the report"), done)
    tell(w.ns, first, "Succeeded", ended("node", 0, REPORT), done)
    await until(lambda: ready(w)[0] == "Succeeded")
    (version,) = w.ns.all("ModelVersion")
    assert version["spec"]["uri"] == "s3://m/1"


async def test_the_words_of_the_rank_that_failed_first_are_told(w: World) -> None:
    w.ns.create(training_run())
    first, second = await two_pods(w)
    tell(w.ns, first, "Running", runs("node"), runs("helper"))
    tell(w.ns, second, "Failed", ended("node", 3, "no data"), ended("helper", 0))
    await until(lambda: ready(w)[0] == "TrainerFailed")
    assert ready(w)[1].endswith(": rank 1: exit code 3: no data")


async def test_a_restart_keeps_the_words_of_the_attempt_before(w: World) -> None:
    install(w, "restarts", failurePolicy={"maxRestarts": 1})
    w.ns.create(training_run(runtime="restarts"))
    first = await two_pods(w)
    tell(w.ns, first[1], "Failed", ended("node", 3, "no data"), ended("helper", 0))
    await until(lambda: names(w).isdisjoint(pod["metadata"]["name"] for pod in first))
    second = await two_pods(w)
    for pod in second:
        tell(w.ns, pod, "Running", runs("node"), runs("helper"))
    told = ("Running", "2 of 2 pods run; the one before: rank 1: exit code 3: no data")
    await until(lambda: ready(w) == told)
    tell(w.ns, second[0], "Failed", ended("node", 4, "no disk"), ended("helper", 0))
    await until(lambda: ready(w)[0] == "TrainerFailed")
    assert ready(w)[1] == "ReachedMaxRestarts: rank 0: exit code 4: no disk"


def with_mpi(w: World) -> None:
    """A run by Trainer's own runtime for MPI."""
    module = binaries.module_file_dir("github.com/kubeflow/trainer/v2", LOCK)
    file = module / "manifests" / "base" / "runtimes" / "mpi_distributed.yaml"
    w.server.kubectl("apply", "-f", str(file))
    made = training_run()
    made["spec"]["training"]["trainJob"]["runtimeRef"] = {"name": "mpi-distributed"}
    w.ns.create(made)


async def test_with_mpi_the_launcher_reports(w: World) -> None:
    with_mpi(w)
    for pod in await two_pods(w):
        tell(w.ns, pod, "Running", runs("node"))
    await until(lambda: ready(w) == ("Running", "1 of 1 pods run"), "sshd is no trainer")
    (launcher,) = [pod for pod in pods(w) if step(pod) == "launcher"]
    tell(w.ns, launcher, "Succeeded", ended("node", 0, REPORT))
    await until(lambda: ready(w)[0] == "Succeeded")


async def test_with_mpi_it_is_told_that_the_launcher_is_refused(w: World) -> None:
    name = f"launcher-{w.ns.name}"
    launchers = {"matchLabels": {"jobset.sigs.k8s.io/replicatedjob-name": "launcher"}}
    here = {"matchLabels": {"kubernetes.io/metadata.name": w.ns.name}}
    pods_made = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"]}
    spec = {
        "matchConstraints": {
            "namespaceSelector": here,
            "objectSelector": launchers,
            "resourceRules": [{**pods_made, "resources": ["pods"]}],
        },
        "validations": [{"expression": "false", "message": "no launcher here"}],
    }
    version, kind = "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"
    bound = {"policyName": name, "validationActions": ["Deny"]}
    policy = [
        {"apiVersion": version, "kind": each, "metadata": {"name": name}, "spec": what}
        for each, what in ((kind, spec), (f"{kind}Binding", bound))
    ]
    w.server.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(policy))
    launcher = {"metadata": {"labels": launchers["matchLabels"], "name": "probe"}}
    containers = {"containers": [{"name": "node", "image": "x"}]}
    probe = {"apiVersion": "v1", "kind": "Pod", **launcher, "spec": containers}
    query = {"dryRun": "All"}
    path = POD.path(w.ns.name)
    await until(lambda: w.server.http.post(path, json=probe, params=query).is_client_error)
    with_mpi(w)
    await until(lambda: "no pod can be created" in ready(w)[1])
    assert "no launcher here" in ready(w)[1]


async def test_a_missing_runtime_is_told_by_trainer_and_waited_for(w: World) -> None:
    w.ns.create(training_run(runtime="later"))
    await until(lambda: ready(w)[0] == "ApplyFailed")
    assert "specified trainingRuntime must be created before" in ready(w)[1]
    install(w, "later")
    await two_pods(w)
    await until(lambda: ready(w)[0] == "Pending")


async def test_a_name_that_is_too_long_for_pods_is_told(w: World) -> None:
    long, made = f"elec-{'x' * 50}", training_run()
    made["metadata"]["name"] = long
    w.ns.create(made)
    await until(lambda: "no pod can be created: TrainJob resources" in ready(w, long)[1])
    assert "pod names generated for this JobSet will exceed 63 characters" in ready(w, long)[1]


async def test_a_queue_admits_preempts_and_admits_again(w: World) -> None:
    queue = "{metadata: {labels: {kueue.x-k8s.io/queue-name: gpus}}, suspend: true}"
    w.ns.create(training_run(queue))
    await until(lambda: ready(w) == ("Suspended", "the TrainJob waits in Kueue's queue gpus"))
    assert pods(w) == []
    w.ns.patch("TrainJob", RUN, {"spec": {"suspend": False}})
    for pod in await two_pods(w):
        tell(w.ns, pod, "Running", runs("node"), runs("helper"))
    await until(lambda: ready(w)[0] == "Running")
    w.ns.patch("TrainJob", RUN, {"spec": {"suspend": True}})
    await until(lambda: ready(w)[0] == "Suspended")
    await until(lambda: all("deletionTimestamp" in p["metadata"] for p in pods(w)))
    for pod in pods(w):
        path = POD.path(w.ns.name, pod["metadata"]["name"])
        w.server.http.request("DELETE", path, json={"gracePeriodSeconds": 0}, headers=MERGE)
    w.ns.patch("TrainJob", RUN, {"spec": {"suspend": False}})
    for pod in await two_pods(w):
        report = REPORT if rank(pod) == "0" else ""
        tell(w.ns, pod, "Succeeded", ended("node", 0, report), ended("helper", 0))
    await until(lambda: ready(w)[0] == "Succeeded")


async def test_a_training_that_takes_too_long_is_deleted_with_its_pods(w: World) -> None:
    w.ns.create(training_run("{timeoutSeconds: 6}"))
    for pod in await two_pods(w):
        tell(w.ns, pod, "Running", runs("node"), runs("helper"))
    await until(lambda: ready(w)[0] == "TimedOut")
    await until(lambda: w.ns.all("TrainJob") == [])
    await until(lambda: all("deletionTimestamp" in p["metadata"] for p in pods(w)))


async def test_a_quota_that_leaves_no_pod_is_told(w: World) -> None:
    quotas.impose(w.ns, {"pods": "0"})
    w.ns.create(training_run())
    await until(lambda: "no pod can be created" in ready(w)[1])
    assert "exceeded quota: q" in ready(w)[1]
    quotas.lift(w.ns)
    await two_pods(w)
    await until(lambda: ready(w)[1] == "waiting for the pods to start")
