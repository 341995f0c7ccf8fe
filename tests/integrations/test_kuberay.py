"""Trainings by the real operator of KubeRay, with Kubernetes' own Job controller.

The tests play the kubelet and Ray; the reports are in a real versitygw.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import yaml
from evenkeel.meta.resources import POD, ResourceType

from dev.versitygw import ACCESS_KEY, REGION, SECRET_KEY, Versitygw
from tests.support import quotas
from tests.support.api_server import ApiServer
from tests.support.controllers import controllers
from tests.support.kuberay import Dashboard, kuberay
from tests.support.manifests import manifest
from tests.support.operating import World, until, world
from tests.support.training_pods import REPORT, ended, going, pods, runs, tell

JSON = dict[str, Any]
RUN = "elec-1"
ON = ("rayJob",)
CLUSTER = ResourceType("ray.io", "v1", "rayclusters", "RayCluster")
SPEC = """
entrypoint: python train.py
submitterConfig: {backoffLimit: 0}
rayClusterSpec:
  headGroupSpec:
    rayStartParams: {}
    template:
      spec:
        containers:
        - name: ray
          image: ray
          env: [{name: OUT, value: s3://m/$(EVENKEEL_RUN)}]
          resources: {limits: {cpu: "1", memory: 1Gi}}
  workerGroupSpecs:
  - groupName: workers
    replicas: 1
    minReplicas: 1
    maxReplicas: 1
    rayStartParams: {}
    template:
      spec:
        containers: [{name: ray, image: ray}]
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Versitygw]:
    made = Versitygw(tmp_path_factory.mktemp("reports"))
    made.start()
    made.bucket("reports")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def ray(
    api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ApiServer, Dashboard]]:
    folder = tmp_path_factory.mktemp("ray")
    names = ("job-controller", "garbage-collector-controller")
    with kuberay(api_server, folder) as dashboard, controllers(api_server, folder, *names):
        yield api_server, dashboard


@pytest.fixture
async def w(ray: tuple[ApiServer, Dashboard], namespace: str) -> AsyncIterator[World]:
    server, _ = ray
    async with world(server, namespace) as made, made.operator(integrations=ON):
        server.kubectl(
            *("-n", namespace, "create", "secret", "generic", "s3"),
            f"--from-literal=accessKeyId={ACCESS_KEY}",
            f"--from-literal=secretAccessKey={SECRET_KEY}",
        )
        yield made


@pytest.fixture
def dashboard(ray: tuple[ApiServer, Dashboard]) -> Dashboard:
    return ray[1]


def training_run(store: Versitygw, more: str = "{}", name: str = RUN) -> JSON:
    made = manifest("TrainingRun", "{}", name)
    place = {"endpoint": store.url, "region": REGION, "secretName": "s3"}
    made["spec"]["training"] = {
        "parameters": {"EPOCHS": "3"},
        "retries": 0,
        "rayJob": {"spec": yaml.safe_load(SPEC)},
        "resultFrom": {"object": {"uri": "s3://reports/$(EVENKEEL_RUN).json", **place}},
        **yaml.safe_load(more),
    }
    return made


def ready(w: World, name: str = RUN) -> tuple[str, str]:
    found = w.ns.ready(name, "TrainingRun")
    return str(found.get("reason", "")), str(found.get("message", ""))


async def cluster_runs(w: World) -> list[JSON]:
    """Head and worker, which run from now on."""
    await until(lambda: len(going(w.ns, RUN)) == 2, "head and worker")
    found = sorted(going(w.ns, RUN), key=lambda p: p["metadata"]["labels"]["ray.io/node-type"])
    for number, pod in enumerate(found):
        is_ready = {"type": "Ready", "status": "True"}
        address = f"10.9.8.{number + 1}"
        ips = {"podIP": address, "podIPs": [{"ip": address}]}
        tell(w.ns, pod, "Running", runs("ray"), conditions=[is_ready], **ips)
    return found


async def submitter(w: World) -> JSON:
    """The pod that submits the Ray job."""
    query = {"labelSelector": f"job-name={RUN}"}

    def found() -> list[JSON]:
        listed = w.server.http.get(POD.path(w.ns.name), params=query).raise_for_status()
        items: list[JSON] = listed.json()["items"]
        return items

    await until(found, "the submitter")
    (pod,) = found()
    return pod


def submitted(w: World, pod: JSON, code: int = 0) -> None:
    name = pod["spec"]["containers"][0]["name"]
    tell(w.ns, pod, "Failed" if code else "Succeeded", ended(name, code))


async def trains(w: World, dashboard: Dashboard) -> JSON:
    """The submitter of a Ray job that runs."""
    await cluster_runs(w)
    pod = await submitter(w)
    tell(w.ns, pod, "Running", runs(pod["spec"]["containers"][0]["name"]))
    dashboard.says(w.ns.name, "RUNNING")
    await until(lambda: ready(w) == ("Running", "the Ray job is running; 2 of 2 pods run"))
    return pod


async def test_a_ray_job_trains_and_its_report_is_read_from_the_store(
    w: World, dashboard: Dashboard, store: Versitygw
) -> None:
    w.ns.create(training_run(store))
    head, worker = await cluster_runs(w)
    for pod in (head, worker):
        (container,) = pod["spec"]["containers"]
        env = {e["name"]: e.get("value") for e in container["env"]}
        assert (env["EVENKEEL_RUN"], env["EPOCHS"]) == (RUN, "3")
        assert env["EVENKEEL_RESULT_URI"] == f"s3://reports/{RUN}.json"
    pod = await trains(w, dashboard)
    (store.bucket("reports") / f"{RUN}.json").write_text(REPORT)
    dashboard.says(w.ns.name, "SUCCEEDED")
    submitted(w, pod)
    await until(lambda: ready(w)[0] == "Succeeded")
    (version,) = w.ns.all("ModelVersion")
    assert version["spec"]["uri"] == "s3://m/1"
    clusters = CLUSTER.path(w.ns.name)
    await until(lambda: w.server.http.get(clusters).json()["items"] == [], "it is shut down")
    assert w.ns.get("RayJob", RUN)["status"]["jobDeploymentStatus"] == "Complete"


async def test_a_failure_is_told_in_ray_s_words(
    w: World, dashboard: Dashboard, store: Versitygw
) -> None:
    w.ns.create(training_run(store))
    pod = await trains(w, dashboard)
    words = "Job entrypoint command failed with exit code 3: no data"
    dashboard.says(w.ns.name, "FAILED", words)
    submitted(w, pod, 1)
    await until(lambda: ready(w)[0] == "TrainerFailed")
    assert ready(w)[1] == f"AppFailed: {words}"


async def test_it_is_tried_again_in_a_new_cluster(
    w: World, dashboard: Dashboard, store: Versitygw
) -> None:
    w.ns.create(training_run(store, "{retries: 1}"))
    pod = await trains(w, dashboard)
    before = {p["metadata"]["name"] for p in pods(w.ns, RUN)}
    dashboard.says(w.ns.name, "FAILED", "no data")
    submitted(w, pod, 1)
    told = "attempt 2 of 2; the one before: no data: "
    await until(lambda: told in ready(w)[1])
    await until(lambda: before.isdisjoint(p["metadata"]["name"] for p in going(w.ns, RUN)))
    dashboard.says(w.ns.name, "RUNNING")
    await cluster_runs(w)
    await until(lambda: ready(w)[1].startswith(f"{told}the Ray job is"))


async def test_what_kuberay_refuses_is_told_at_once(w: World, store: Versitygw) -> None:
    long = f"elec-{'x' * 50}"
    w.ns.create(training_run(store, name=long))
    await until(lambda: ready(w, long)[0] == "InvalidTemplate")
    assert "RayJob name should be no more than" in ready(w, long)[1]


async def test_a_queue_admits_preempts_and_admits_again(
    w: World, dashboard: Dashboard, store: Versitygw
) -> None:
    queue = "{metadata: {labels: {kueue.x-k8s.io/queue-name: gpus}}, suspend: true}"
    w.ns.create(training_run(store, queue))
    waits = ("Suspended", "the RayJob waits in Kueue's queue gpus")
    await until(lambda: ready(w) == waits)
    w.ns.patch("RayJob", RUN, {"spec": {"suspend": False}})
    await trains(w, dashboard)
    assert "activeTime" in w.ns.status(RUN, "TrainingRun")
    w.ns.patch("RayJob", RUN, {"spec": {"suspend": True}})
    await until(lambda: ready(w) == waits)
    await until(lambda: going(w.ns, RUN) == [], "the cluster is gone")
    assert "activeTime" not in w.ns.status(RUN, "TrainingRun")
    state = "Suspended"
    await until(lambda: w.ns.get("RayJob", RUN)["status"]["jobDeploymentStatus"] == state)
    w.ns.patch("RayJob", RUN, {"spec": {"suspend": False}})
    await cluster_runs(w)
    await until(lambda: ready(w)[0] == "Running")


async def test_kuberay_ends_it_when_its_time_is_over_and_it_stays(
    w: World, store: Versitygw
) -> None:
    w.ns.create(training_run(store, "{timeoutSeconds: 3}"))
    await until(lambda: ready(w)[0] == "TimedOut")
    status = w.ns.get("RayJob", RUN)["status"]
    assert (status["jobDeploymentStatus"], status["reason"]) == ("Failed", "DeadlineExceeded")


async def test_a_quota_that_leaves_no_pod_is_told(w: World, store: Versitygw) -> None:
    quotas.impose(w.ns, {"pods": "0"})
    w.ns.create(training_run(store))
    await until(lambda: "no pod can be created" in ready(w)[1])
    assert "exceeded quota: q" in ready(w)[1]
    quotas.lift(w.ns)
    await cluster_runs(w)


async def test_deleting_the_run_ends_everything(
    w: World, dashboard: Dashboard, store: Versitygw
) -> None:
    w.ns.create(training_run(store))
    await trains(w, dashboard)
    w.server.kubectl("delete", "trainingrun", RUN, "-n", w.ns.name, "--wait=false")
    await until(lambda: w.ns.all("RayJob") == [])
    assert w.ns.name in dashboard.stopped, "KubeRay ends the Ray job first"
    await until(lambda: going(w.ns, RUN) == [])
