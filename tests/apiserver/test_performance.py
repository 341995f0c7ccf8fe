"""A revision is measured on a real API server: the Job is taken, and its figures are kept."""

from __future__ import annotations

import json
from typing import Any

from evenkeel.kube.client import Client
from evenkeel.meta.resources import POD

from tests.support import quotas
from tests.support.manifests import manifest
from tests.support.operating import World, configuration, model_deployment, until

JSON = dict[str, Any]
REVISION = "evenkeel.dev/revision"
SPEC = """
model: {version: elec-a}
performance:
  latency: {seconds: '0.1'}
  body: '{}'
  path: /invocations
  peakRate: '100'
  fastEnough: {minRate: '20'}
"""
VERSION = "{model: elec, uri: 's3://m/%s', format: {name: test}}"


async def ended(w: World, job: JSON, rate: float) -> None:
    """The Job's pod as its controller would make it, and its kubelet's word on its end."""
    template, meta = job["spec"]["template"], job["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"]}
    name, path = f"{meta['name']}-x", POD.path(w.ns.name)
    made = {"name": name, "labels": template["metadata"]["labels"], "ownerReferences": [owner]}
    told = {"rate": rate, "limitedBy": "Latency", "readySeconds": 1.5, "memoryBytes": 2**28}
    end = {
        "exitCode": 0,
        "startedAt": "2026-01-31T09:00:00Z",
        "finishedAt": "2026-01-31T09:00:10Z",
        "message": json.dumps(told),
    }
    container = {
        "name": "evenkeel-load",
        "ready": False,
        "restartCount": 0,
        "image": "meter",
        "imageID": "",
        "state": {"terminated": end},
    }
    spec = {**template["spec"], "serviceAccountName": "default"}
    async with Client(configuration(w.server), field_manager="kubelet") as client:
        await client.request("POST", path, body={"metadata": made, "spec": spec})
        await client.request(
            "PATCH",
            f"{path}/{name}/status",
            body={"status": {"phase": "Succeeded", "containerStatuses": [container]}},
            content_type="application/merge-patch+json",
        )


def job_of(w: World, revision: str) -> JSON | None:
    jobs = [j for j in w.ns.all("Job") if j["metadata"]["labels"][REVISION] == revision]
    assert len(jobs) <= 1
    return jobs[0] if jobs else None


async def measured(w: World, revision: str, rate: float) -> None:
    """The revision is loaded, and carries so many requests a second."""
    await until(lambda: job_of(w, revision))
    job = job_of(w, revision)
    assert job is not None
    await ended(w, job, rate)


def figures(w: World, version: str) -> JSON:
    """What the version's status tells of its performance, {} before it does."""
    told: list[JSON] = w.ns.status(version, "ModelVersion").get("performance", [])
    return told[0] if told else {}


async def test_what_serves_is_measured_and_a_slow_canary_goes_back(w: World) -> None:
    """The pods under load are taken where Pod Security is at its strictest."""
    strict = "pod-security.kubernetes.io/enforce=restricted"
    w.server.kubectl("label", "namespace", w.ns.name, strict)
    w.server.kubectl("create", "serviceaccount", "default", "-n", w.ns.name)
    for name in ("elec-a", "elec-b"):
        w.ns.create(manifest("ModelVersion", VERSION % name, name))
    async with w.operator():
        w.ns.create(model_deployment("fraud", more=SPEC))
        await until(lambda: w.ns.ready("fraud").get("status") == "True")
        stable = w.ns.status("fraud")["stable"]["revision"]
        await measured(w, stable, 40.0)
        await until(lambda: figures(w, "elec-a").get("figures", {}).get("rate") == "40")
        assert figures(w, "elec-a")["recommendedReplicas"] == 3
        assert w.ns.status("fraud")["sizing"]["recommendedMemory"] == "320Mi"
        assert w.ns.condition("fraud", "PerformanceMeasured")["reason"] == "TooFewReplicas"
        await until(lambda: not w.ns.all("Job"))

        w.ns.patch("ModelDeployment", "fraud", {"spec": {"model": {"version": "elec-b"}}})
        await until(lambda: (w.ns.canary("fraud") or {}).get("reason") == "Measuring")
        canary = w.ns.status("fraud")["canary"]
        assert (canary["stage"], canary["trafficWeight"]) == ("Starting", 0)
        await measured(w, canary["revision"], 10.0)
        await until(lambda: w.ns.outcomes("fraud") == ["RolledBack TooSlow"])
        assert w.ns.status("fraud")["stable"]["revision"] == stable
        await until(lambda: figures(w, "elec-b").get("figures", {}).get("rate") == "10")
        assert figures(w, "elec-a")["figures"]["rate"] == "40"


async def test_a_job_that_is_refused_keeps_nothing_from_serving(w: World) -> None:
    quotas.impose(w.ns, {"count/jobs.batch": "0"})
    w.ns.create(manifest("ModelVersion", VERSION % "elec-a", "elec-a"))
    async with w.operator():
        w.ns.create(model_deployment("fraud", more=SPEC))
        await until(lambda: "count/jobs.batch" in w.ns.ready("fraud").get("message", ""))
        assert w.ns.ready("fraud")["reason"] == "ApplyFailed"
        assert w.ns.condition("fraud", "Available")["status"] == "True"
        quotas.lift(w.ns)
        await until(lambda: w.ns.all("Job"))
