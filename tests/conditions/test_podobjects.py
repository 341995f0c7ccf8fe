"""Simulated pods look as real ones do."""

from __future__ import annotations

import re
from random import Random

from evenkeel.pods.diagnosis import pod_diagnosis
from evenkeel.serving.observed import deployment_pods
from evenkeel.verdict.indicators import pods

from bench.conditions import podobjects
from bench.conditions.player import pod_name
from bench.conditions.servers import Pod, Server

DEPLOYMENT = {"metadata": {"generation": 3}, "spec": {"replicas": 2}}


def pod(*, ready: bool) -> Pod:
    made = Pod("ns", "m-1-2-abcde", "m", Server(), "mlserver", Random(1))
    made.start(1000.0)
    made.ready_since = 1001.0 if ready else None
    return made


def test_names_are_those_that_the_operator_looks_for() -> None:
    name = pod_name("m7-0123456789", {"spec": {}}, Random(1))
    assert re.fullmatch(pods("m7-0123456789"), name)
    assert name != pod_name("m7-0123456789", {"spec": {}}, Random(2))


def test_a_deployment_is_available_with_all_its_pods() -> None:
    whole = podobjects.deployment_status(DEPLOYMENT, [pod(ready=True)] * 2, 1010.0)
    seen = deployment_pods({**DEPLOYMENT, "status": whole})
    assert (seen.ready, seen.existing, seen.stuck) == (2, 2, "")
    half = podobjects.deployment_status(DEPLOYMENT, [pod(ready=True), pod(ready=False)], 1020.0)
    seen = deployment_pods({**DEPLOYMENT, "status": half})
    assert (seen.ready, seen.existing) == (1, 2)


def test_a_condition_that_has_not_changed_keeps_its_time() -> None:
    first = podobjects.deployment_status(DEPLOYMENT, [pod(ready=False)] * 2, 1010.0)
    later = podobjects.deployment_status(DEPLOYMENT, [pod(ready=False)] * 2, 1050.0)
    assert podobjects.same(first, later)
    podobjects.keep_times(first, later)
    times = {c["type"]: c["lastTransitionTime"] for c in later["conditions"]}
    assert times["Available"] == podobjects.stamp(1010.0)
    ready = podobjects.deployment_status(DEPLOYMENT, [pod(ready=True)] * 2, 1060.0)
    assert not podobjects.same(later, ready)
    podobjects.keep_times(later, ready)
    times = {c["type"]: c["lastTransitionTime"] for c in ready["conditions"]}
    assert times["Available"] == podobjects.stamp(1060.0)


def test_a_crash_has_its_last_words() -> None:
    made = pod(ready=False)
    made.restarts = 1
    status = podobjects.crashed(made, 1000.0, 1005.0)
    assert podobjects.WORDS in pod_diagnosis({"status": status})
    assert status["containerStatuses"][0]["restartCount"] == 1


def test_a_pod_without_a_place_says_so() -> None:
    assert "Unschedulable" in pod_diagnosis({"status": podobjects.unschedulable(1000.0)})


def test_an_evicted_pod_is_nobodys_fault() -> None:
    (condition,) = podobjects.evicted(1000.0)["conditions"]
    assert (condition["type"], condition["status"]) == ("DisruptionTarget", "True")


def test_the_dialect_follows_image_and_variable() -> None:
    def template(image: str, metrics: str = "") -> dict[str, object]:
        env = [{"name": "METRICS", "value": metrics}] if metrics else []
        return {"spec": {"containers": [{"image": image, "env": env}]}}

    assert podobjects.dialect(template("nvidia/tritonserver:1")) == "triton"
    assert podobjects.dialect(template("mlserver", "plain")) == "plain"
    assert podobjects.dialect(template("nvidia/tritonserver:1", "openmetrics")) == (
        "triton+openmetrics"
    )
