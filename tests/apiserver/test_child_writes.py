"""What is right is not written again; what another has changed meanwhile is repaired."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from tests.support.operating import B, World, model_deployment, until
from tests.support.resources import BY_KIND

JSON = dict[str, Any]
NAMES = tuple(f"m{n}" for n in range(8))
MORE = """
autoscaling: {maxReplicas: 4, minReplicas: 2}
disruptionBudget: {maxUnavailable: 1}
resources: {requests: {cpu: 1000m, memory: 1024Mi}, limits: {cpu: 2.0}}
env: [{name: A, value: b}, {name: EMPTY}]
nodeSelector: {disk: ssd}
tolerations: [{key: gpu, operator: Exists}]
affinity: {podAntiAffinity: {}}
podTemplate:
  metadata: {labels: {team: risk}, annotations: {note: a}}
  spec:
    securityContext: {fsGroup: 7}
    volumes: [{name: scratch, emptyDir: {}}]
    initContainers: []
    hostNetwork: false
childMetadata:
  deployment: {labels: {team: risk}, annotations: {example.com/note: a}}
  service: {annotations: {example.com/balancer: internal}}
"""


def writes(w: World) -> list[str]:
    """Those that have gone over the wire, but for the lease's and Events."""
    methods = ("POST", "PUT", "PATCH", "DELETE")
    return [
        r
        for r in w.wire.requests
        if r.startswith(methods) and "/leases" not in r and "/events" not in r
    ]


def serves(w: World, name: str) -> bool:
    return bool(w.ns.ready(name).get("status") == "True")


async def begin(w: World, names: tuple[str, ...] = NAMES) -> None:
    for n, name in enumerate(names):
        w.ns.create(model_deployment(name, more=MORE if n % 2 else "{}"))
    for name in names:
        await until(partial(serves, w, name), f"{name} serves")


async def at_rest(w: World) -> None:
    """Nothing has been written for a while."""
    seen = -1
    while seen != len(writes(w)):
        seen = len(writes(w))
        await asyncio.sleep(1.5)


async def test_after_a_restart_nothing_that_is_right_is_written(w: World) -> None:
    async with w.operator(wired=True):
        await begin(w)
        await at_rest(w)
    before = w.ns.versions()
    w.wire.requests.clear()
    async with w.operator(wired=True) as operator:
        await until(lambda: operator._leads)
        await asyncio.sleep(3)
    assert writes(w) == []
    assert w.ns.versions() == before


HARM: tuple[tuple[str, str, JSON], ...] = (
    ("Service", "{name}", {"spec": {"selector": {"app": "theirs"}}}),
    ("Service", "{name}", {"spec": {"ports": [{"port": 80, "targetPort": 7}]}}),
    ("Service", "{name}", {"metadata": {"labels": {"app.kubernetes.io/name": "x"}}}),
    ("Service", "{name}", {"metadata": {"annotations": {"example.com/balancer": None}}}),
    ("PodDisruptionBudget", "{name}", {"spec": {"maxUnavailable": 2}}),
    ("HorizontalPodAutoscaler", "{name}", {"spec": {"maxReplicas": 9}}),
    ("Deployment", "{revision}", {"spec": {"template": {"spec": {"nodeSelector": None}}}}),
    ("Deployment", "{revision}", {"spec": {"progressDeadlineSeconds": 7}}),
    ("Deployment", "{revision}", {"metadata": {"labels": {"team": None}}}),
    ("Deployment", "{revision}", {"metadata": {"annotations": {"evenkeel.dev/applied": None}}}),
    ("Deployment", "{revision}", {"metadata": {"labels": None}}),
)


def wanted(obj: JSON) -> JSON:
    """What the operator answers for, without what others count and keep."""
    meta = obj["metadata"]
    return {
        "labels": meta.get("labels"),
        "annotations": meta.get("annotations"),
        "spec": obj["spec"],
    }


async def test_drift_while_it_was_away_is_repaired(w: World) -> None:
    name = NAMES[1]
    async with w.operator():
        await begin(w, NAMES[:2])
    of = {"name": name, "revision": w.ns.status(name)["stable"]["revision"]}
    for kind, pattern, harm in HARM:
        child = pattern.format(**of)
        before = wanted(w.ns.get(kind, child))
        w.ns.patch(kind, child, harm)
        assert wanted(w.ns.get(kind, child)) != before, harm
        async with w.operator():
            await until(
                lambda: wanted(w.ns.get(kind, child)) == before,  # noqa: B023
                f"after {harm} of {kind}",
                10,
            )


async def test_what_others_add_is_left_to_them(w: World) -> None:
    async with w.operator():
        await begin(w, NAMES[:1])
        name = NAMES[0]
        w.ns.patch("Service", name, {"metadata": {"annotations": {"example.com/theirs": "x"}}})
        w.ns.patch("Service", name, {"spec": {"sessionAffinity": "ClientIP"}})
        version = w.ns.get("Service", name)["metadata"]["resourceVersion"]
        w.ns.patch("ModelDeployment", name, {"metadata": {"annotations": {"look": "again"}}})
        await asyncio.sleep(1.5)
        assert w.ns.get("Service", name)["metadata"]["resourceVersion"] == version


async def test_a_new_model_has_its_children_before_its_status_and_one_status(w: World) -> None:
    """Of pods that are not ready yet, all is said at once."""
    w.kubelet.broken = lambda revision: True
    async with w.operator(wired=True):
        w.ns.create(model_deployment("fraud"))
        await until(lambda: w.ns.ready("fraud"))
        await asyncio.sleep(1)
        of_model = [r for r in writes(w) if "/fraud" in r]
    status = BY_KIND["ModelDeployment"].path(w.ns.name, "fraud", "status")
    assert w.ns.ready("fraud")["message"] == "0 of 2 pods are ready"
    revision = w.ns.status("fraud")["stable"]["revision"]
    # The third is the stand-in's count of pods, of which the model's status tells.
    assert of_model[:3] == [
        f"PATCH {BY_KIND['Deployment'].path(w.ns.name, revision)}",
        f"PATCH {BY_KIND['Service'].path(w.ns.name, 'fraud')}",
        f"PATCH {status}",
    ]


async def test_labels_and_annotations_come_and_go(w: World) -> None:
    async with w.operator():
        await begin(w, NAMES[:1])
        name = NAMES[0]
        revision = w.ns.status(name)["stable"]["revision"]
        given = {"labels": {"team": "risk"}, "annotations": {"example.com/note": "a"}}

        def has(kind: str, child: str) -> bool:
            meta = w.ns.get(kind, child)["metadata"]
            return (
                given["labels"].items() <= meta["labels"].items()
                and given["annotations"].items() <= meta.get("annotations", {}).items()
            )

        for kind, field, child in (
            ("Service", "service", name),
            ("Deployment", "deployment", revision),
        ):
            spec: JSON = {"spec": {"childMetadata": {field: given}}}
            w.ns.patch("ModelDeployment", name, spec)
            await until(partial(has, kind, child), f"{kind} has them")
            w.ns.patch("ModelDeployment", name, {"spec": {"childMetadata": {field: None}}})
            await until(lambda: not has(kind, child), f"{kind} has lost them")  # noqa: B023
        assert w.ns.status(name)["stable"]["revision"] == revision, "no new revision"
        assert w.ns.outcomes(name) == []


async def test_a_trial_goes_on_without_writing_children_again(w: World) -> None:
    """After a restart in the midst of it."""
    async with w.operator():
        await begin(w, NAMES[:1])
        name = NAMES[0]
        w.ns.rollout(name, paused=True)
        w.ns.serve(name, B)
        await until(lambda: (w.ns.canary(name) or {}).get("reason") == "Paused")
        await asyncio.sleep(1)
    children = ("Deployment", "Service")
    before = [o["metadata"]["resourceVersion"] for k in children for o in w.ns.all(k)]
    async with w.operator() as operator:
        await until(lambda: operator._leads)
        await asyncio.sleep(2)
    assert [o["metadata"]["resourceVersion"] for k in children for o in w.ns.all(k)] == before
