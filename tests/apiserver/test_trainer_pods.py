"""Trainings whose pods have neighbours: sidecars, queues, evictions, quotas.

API server and Job controller are Kubernetes' own; the tests play the kubelet, Kueue and the like.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from evenkeel.meta.times import parse

from tests.support import quotas
from tests.support.api_server import ApiServer
from tests.support.controllers import controllers
from tests.support.manifests import manifest
from tests.support.operating import World, until, world
from tests.support.training_pods import REPORT, bind, ended, going, gone, pods, runs, tell

JSON = dict[str, Any]
RUN = "elec-1"
PROXY = "istio-proxy"


@pytest.fixture
async def w(api_server: ApiServer, namespace: str, tmp_path: Path) -> AsyncIterator[World]:
    """A world with an operator, in which Jobs make pods."""
    names = ("job-controller", "garbage-collector-controller")
    with controllers(api_server, tmp_path, *names):
        async with world(api_server, namespace) as made, made.operator():
            yield made


def training_run(more: str = "{}") -> JSON:
    """A trainer with a proxy beside it, one retry."""
    made = manifest("TrainingRun", "{}", RUN)
    containers = [{"name": "trainer", "image": "x"}, {"name": PROXY, "image": "x"}]
    made["spec"]["training"] = {
        "retries": 1,
        "podTemplate": {"spec": {"containers": containers}},
        **yaml.safe_load(more),
    }
    return made


async def one_pod(w: World, after: JSON | None = None) -> JSON:
    """The pod of the present attempt, on a node; not that of the one before."""
    name = after["metadata"]["name"] if after is not None else ""
    found: list[JSON] = []

    def there() -> bool:
        found[:] = [p for p in going(w.ns, RUN) if p["metadata"]["name"] != name]
        return len(found) == 1

    await until(there, "a pod")
    bind(w.ns, found[0])
    return found[0]


def ready(w: World) -> tuple[str, str]:
    """Reason and message of the run."""
    found = w.ns.ready(RUN, "TrainingRun")
    return str(found.get("reason", "")), str(found.get("message", ""))


def jobs(w: World) -> list[JSON]:
    return w.ns.all("Job")


async def test_a_finished_trainer_succeeds_though_its_proxy_runs_on(w: World) -> None:
    w.ns.create(training_run())
    pod = await one_pod(w)
    tell(w.ns, pod, "Running", ended("trainer", 0, REPORT), runs(PROXY))
    await until(lambda: ready(w)[0] == "Succeeded")
    (version,) = w.ns.all("ModelVersion")
    assert version["spec"]["uri"] == "s3://m/1"
    await until(lambda: jobs(w) == [], "the Job is ended, so that the proxy stops")
    await until(lambda: "deletionTimestamp" in pods(w.ns, RUN)[0]["metadata"])


async def test_a_proxy_that_ends_in_time_leaves_the_job_and_its_logs(w: World) -> None:
    w.ns.create(training_run())
    pod = await one_pod(w)
    tell(w.ns, pod, "Running", ended("trainer", 0, REPORT), runs(PROXY))
    await until(lambda: ready(w)[0] == "Succeeded")
    tell(w.ns, pod, "Succeeded", ended("trainer", 0, REPORT), ended(PROXY, 0))
    await until(lambda: jobs(w)[0]["status"].get("succeeded") == 1)


async def test_a_failed_trainer_fails_its_attempt_though_its_proxy_runs_on(w: World) -> None:
    w.ns.create(training_run())
    first = await one_pod(w)
    tell(w.ns, first, "Running", ended("trainer", 3, "no data"), runs(PROXY))
    await until(lambda: "attempt 1 of 2 has failed: exit code 3: no data" in ready(w)[1])
    assert PROXY in ready(w)[1]
    await until(lambda: going(w.ns, RUN) == [], "the pod is stopped")
    gone(w.ns, first, "Failed", ended("trainer", 3, "no data"), ended(PROXY, 0))
    second = await one_pod(w, after=first)
    await until(lambda: "attempt 2 of 2; the one before: exit code 3: no data" in ready(w)[1])
    tell(w.ns, second, "Running", ended("trainer", 4, "no disk"), runs(PROXY))
    await until(lambda: ready(w)[0] == "TrainerFailed")
    assert ready(w)[1] == "BackoffLimitExceeded: exit code 4: no disk"
    await until(lambda: jobs(w) == [], "the proxy is stopped, too")


async def test_a_proxy_s_own_failure_is_not_the_trainer_s(w: World) -> None:
    w.ns.create(training_run())
    pod = await one_pod(w)
    tell(w.ns, pod, "Failed", ended("trainer", 0, REPORT), ended(PROXY, 255))
    await until(lambda: ready(w)[0] == "Succeeded")
    await until(lambda: jobs(w) == [], "no further attempt")


async def test_an_evicted_trainer_is_tried_again_and_it_is_told(w: World) -> None:
    w.ns.create(training_run("{retries: 0}"))
    first = await one_pod(w)
    tell(w.ns, first, "Running", runs("trainer"), runs(PROXY))
    taken = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "PreemptionByScheduler",
        "message": "a pod of higher priority needs the node",
    }
    failed = (ended("trainer", 143), ended(PROXY, 0))
    tell(w.ns, first, "Failed", *failed, conditions=[taken])
    second = await one_pod(w, after=first)
    tell(w.ns, second, "Running", runs("trainer"), runs(PROXY))
    await until(lambda: "PreemptionByScheduler: a pod of higher" in ready(w)[1])
    assert "attempt 1 of 1" in ready(w)[1]
    tell(w.ns, second, "Succeeded", ended("trainer", 0, REPORT), ended(PROXY, 0))
    await until(lambda: ready(w)[0] == "Succeeded")


QUEUED = """
retries: 0
timeoutSeconds: 3
metadata:
  labels: {kueue.x-k8s.io/queue-name: gpus, kueue.x-k8s.io/priority-class: low, cost-centre: "7"}
  annotations: {velero.io/exclude-from-backup: "true"}
suspend: true
"""


async def test_a_queue_admits_preempts_and_admits_again(w: World) -> None:
    """Kueue lets the Job go, with its node's labels, takes it back, and lets it go once more."""
    w.ns.create(training_run(QUEUED))
    await until(lambda: ready(w)[0] == "Suspended")
    assert ready(w)[1] == "the Job waits in Kueue's queue gpus"
    (job,) = jobs(w)
    labels, annotations = job["metadata"]["labels"], job["metadata"]["annotations"]
    assert labels["kueue.x-k8s.io/queue-name"] == "gpus"
    assert labels["evenkeel.dev/run"] == RUN
    assert annotations["velero.io/exclude-from-backup"] == "true"
    began = parse(job["metadata"]["creationTimestamp"])

    flavour = {"nodeSelector": {"pool": "a100"}}
    admitted = {"spec": {"suspend": False, "template": {"spec": flavour}}}
    await until(lambda: (datetime.now(UTC) - began).total_seconds() > 4, "more than its time")
    w.ns.patch("Job", RUN, admitted)
    pod = await one_pod(w)
    assert pod["spec"]["nodeSelector"] == {"pool": "a100"}
    tell(w.ns, pod, "Running", runs("trainer"), runs(PROXY))

    w.ns.patch("Job", RUN, {"spec": {"suspend": True}})
    await until(lambda: going(w.ns, RUN) == [])
    gone(w.ns, pod, "Failed", ended("trainer", 143, "preempted"), ended(PROXY, 0))
    await until(lambda: ready(w)[0] == "Suspended")

    w.ns.patch("Job", RUN, {"spec": {"suspend": False}})
    again = await one_pod(w, after=pod)
    assert not jobs(w)[0]["status"].get("failed")
    tell(w.ns, again, "Succeeded", ended("trainer", 0, REPORT), ended(PROXY, 0))
    await until(lambda: ready(w)[0] == "Succeeded")


async def test_a_quota_that_leaves_no_pod_is_told_and_bounded(w: World) -> None:
    quotas.impose(w.ns, {"pods": "0"})
    w.ns.create(training_run("{timeoutSeconds: 8}"))
    await until(lambda: "no pod can be created" in ready(w)[1])
    reason, message = ready(w)
    assert reason == "Pending"
    assert "exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0" in message
    assert message.endswith("have it raised; it is tried again by itself")
    await until(lambda: ready(w)[0] == "TimedOut")
    assert "no pod could be created" in ready(w)[1]


async def test_a_quota_that_is_raised_lets_the_training_start(w: World) -> None:
    quotas.impose(w.ns, {"pods": "0"})
    w.ns.create(training_run())
    await until(lambda: "exceeded quota" in ready(w)[1])
    quotas.lift(w.ns)
    pod = await one_pod(w)
    tell(w.ns, pod, "Succeeded", ended("trainer", 0, REPORT), ended(PROXY, 0))
    await until(lambda: ready(w)[0] == "Succeeded")


async def test_pod_security_and_a_limit_range_say_what_they_refuse(w: World) -> None:
    label = "pod-security.kubernetes.io/enforce=restricted"
    w.server.kubectl("label", "namespace", w.ns.name, label)
    made = training_run()
    trainer = made["spec"]["training"]["podTemplate"]["spec"]["containers"][0]
    trainer["securityContext"] = {"allowPrivilegeEscalation": True}
    w.ns.create(made)
    await until(lambda: 'violates PodSecurity "restricted' in ready(w)[1])
    assert "set what it names in the pod template's securityContext" in ready(w)[1]


async def test_a_limit_range_s_bound_is_told_and_its_defaults_are_no_fight(w: World) -> None:
    limits = (
        "{apiVersion: v1, kind: LimitRange, metadata: {name: l}, spec: {limits: [{type: Container, "
        "default: {cpu: 1}, defaultRequest: {cpu: 500m}, max: {cpu: 2}}]}}"
    )
    w.server.kubectl("apply", "-n", w.ns.name, "-f", "-", stdin=limits)
    made = training_run()
    container = made["spec"]["training"]["podTemplate"]["spec"]["containers"][0]
    container["resources"] = {"limits": {"cpu": "3"}}
    w.ns.create(made)
    await until(lambda: "maximum cpu usage per Container is 2" in ready(w)[1])
    assert "have the namespace's LimitRange changed" in ready(w)[1]


async def test_a_version_beyond_the_quota_waits_and_is_not_lost(w: World) -> None:
    w.ns.create(training_run())
    pod = await one_pod(w)
    quotas.impose(w.ns, {"count/modelversions.evenkeel.dev": "0"})
    tell(w.ns, pod, "Succeeded", ended("trainer", 0, REPORT), ended(PROXY, 0))
    await until(lambda: ready(w)[0] == "ApplyFailed")
    assert "exceeded quota: q" in ready(w)[1]
    assert "it is tried again by itself" in ready(w)[1]
    await until(lambda: w.ns.status(RUN, "TrainingRun").get("result"))
    w.server.kubectl("delete", "job", RUN, "-n", w.ns.name)
    quotas.lift(w.ns)
    await until(lambda: ready(w)[0] == "Succeeded")
    assert len(w.ns.all("ModelVersion")) == 1


async def test_the_operator_s_own_labels_cannot_be_taken(w: World) -> None:
    for labels in ("{evenkeel.dev/run: x}", "{app.kubernetes.io/managed-by: me}"):
        made = training_run(f"{{metadata: {{labels: {labels}}}}}")
        answer = w.server.create(made, w.ns.name)
        assert (answer.status_code, "the operator's own labels" in answer.text) == (422, True)


async def test_evictions_for_the_trainer_s_own_excess_are_attempts(w: World) -> None:
    """The kubelet marks them as disruptions, which the Job would try again for ever."""
    w.ns.create(training_run())
    words = "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi."
    evicted = {
        "reason": "Evicted",
        "message": words,
        "conditions": [
            {
                "type": "DisruptionTarget",
                "status": "True",
                "reason": "TerminationByKubelet",
                "message": words,
            }
        ],
    }
    failed = (ended("trainer", 137), ended(PROXY, 0))
    first = await one_pod(w)
    tell(w.ns, first, "Failed", *failed, **evicted)
    second = await one_pod(w, after=first)
    await until(lambda: f"attempt 2 of 2; the one before: Evicted: {words}" in ready(w)[1])
    tell(w.ns, second, "Failed", *failed, **evicted)
    await until(lambda: ready(w)[0] == "TrainerFailed")
    await until(lambda: jobs(w) == [])


async def test_a_quota_of_the_past_is_no_reason_for_a_training_that_takes_too_long(
    w: World,
) -> None:
    quotas.impose(w.ns, {"pods": "0"})
    w.ns.create(training_run("{timeoutSeconds: 15}"))
    await until(lambda: "exceeded quota" in ready(w)[1])
    quotas.lift(w.ns)
    pod = await one_pod(w)
    tell(w.ns, pod, "Running", runs("trainer"), runs(PROXY))
    await until(lambda: going(w.ns, RUN) == [], "the deadline")
    gone(w.ns, pod, "Failed", ended("trainer", 143), ended(PROXY, 0))
    await until(lambda: ready(w)[0] == "TimedOut")
    assert ready(w)[1] == "the training took longer than timeoutSeconds 15"
