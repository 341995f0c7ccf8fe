"""Little is kept of a pod, and all that plans read."""

from __future__ import annotations

import copy
from typing import Any

from evenkeel.controllers import kinds
from evenkeel.kube.store import Store
from evenkeel.meta.resources import POD
from evenkeel.pods.diagnosis import first_diagnosis
from evenkeel.pods.slim import MODEL_SERVER, slim
from evenkeel.training.trainer_pods import report

JSON = dict[str, Any]
POD_OBJECT: JSON = {
    "metadata": {
        "name": "fraud-0123456789-abcde",
        "namespace": "shop",
        "uid": "u",
        "resourceVersion": "7",
        "creationTimestamp": "2026-01-31T09:00:00Z",
        "annotations": {"long": "x" * 1000},
        "managedFields": [{"manager": "kubelet"}],
        "labels": {
            "evenkeel.dev/deployment": "fraud",
            "evenkeel.dev/revision": "fraud-0123456789",
            "pod-template-hash": "abc",
            "team": "risk",
        },
    },
    "spec": {
        "containers": [
            {"name": "istio-proxy"},
            {"name": "server", "env": [{"name": "EVENKEEL_MODEL_NAME", "value": "fraud"}]},
        ]
    },
    "status": {
        "phase": "Running",
        "podIP": "10.0.0.1",
        "conditions": [
            {"type": "Initialized", "status": "True"},
            {
                "type": "Ready",
                "status": "False",
                "reason": "ContainersNotReady",
                "message": "m",
                "lastTransitionTime": "2026-01-31T09:01:00Z",
            },
        ],
        "initContainerStatuses": [
            {"name": "download", "ready": True, "state": {"terminated": {"exitCode": 0}}}
        ],
        "containerStatuses": [
            {"name": "istio-proxy", "ready": True, "restartCount": 0, "image": "i"},
            {
                "name": "server",
                "ready": False,
                "restartCount": 2,
                "imageID": "sha256:1",
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                "lastState": {
                    "terminated": {
                        "exitCode": 3,
                        "reason": "Error",
                        "message": "loading\n" * 500 + "no GPU",
                        "containerID": "c",
                        "finishedAt": "2026-01-31T09:01:00Z",
                    }
                },
            },
        ],
    },
}


def pod(**more: Any) -> JSON:
    return copy.deepcopy({**POD_OBJECT, **more})


def test_what_plans_read_is_kept_and_little_else() -> None:
    kept = slim(pod())
    assert kept[MODEL_SERVER] == "server"
    assert set(kept["metadata"]["labels"]) == {"evenkeel.dev/deployment", "evenkeel.dev/revision"}
    assert [c["type"] for c in kept["status"]["conditions"]] == ["Ready"]
    assert first_diagnosis([kept]).endswith("no GPU")
    text = str(kept)
    for left_out in ("annotations", "managedFields", "podIP", "imageID", "containerID", "download"):
        assert left_out not in text
    assert len(text) < 2300, "of the last words 1,000 characters"


def test_a_trainers_report_stays_whole() -> None:
    words = "r" * 4096
    status = {"phase": "Succeeded", "containerStatuses": [{"name": "t", "state": {"terminated": {
        "exitCode": 0, "message": words}}}]}  # fmt: skip
    assert report([slim(pod(status=status))], "t") == words


def test_changes_of_what_is_not_kept_wake_nobody() -> None:
    store = Store(
        indexed=kinds.indexed(), indices=kinds.indices(), kept=kinds.kept(), slims=kinds.slims()
    )
    first, touched, changed = pod(), pod(), pod()
    assert store.put("Pod", first)
    touched["metadata"]["resourceVersion"], touched["status"]["podIP"] = "8", "10.0.0.2"
    assert not store.put("Pod", touched)
    changed["metadata"]["resourceVersion"] = "9"
    changed["status"]["containerStatuses"][1]["restartCount"] = 3
    assert store.put("Pod", changed)
    assert not store.put("Pod", touched), "an older version"


def test_one_watch_serves_models_and_trainings() -> None:
    (watch,) = (w for w in kinds.watches() if w.type == POD)
    assert watch.selector == "app.kubernetes.io/managed-by=evenkeel"
    assert watch.verbs == ("get", "list", "watch", "patch")
