"""What a look is told of the pods that it counts."""

from __future__ import annotations

from typing import Any

from evenkeel.api.labels import DEPLOYMENT, REVISION
from evenkeel.controllers import kinds
from evenkeel.controllers.looks.processes import processes
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key


def pod(name: str, revision: str, state: dict[str, Any]) -> dict[str, Any]:
    labels = {DEPLOYMENT: "fraud", REVISION: revision}
    env = [{"name": "EVENKEEL_MODEL_NAME", "value": "fraud"}]
    return {
        "metadata": {"name": name, "namespace": "shop", "uid": name, "labels": labels},
        "spec": {"containers": [{"name": "proxy"}, {"name": "server", "env": env}]},
        "status": {"containerStatuses": [{"name": "proxy"}, {"name": "server", "state": state}]},
    }


def test_the_starts_of_the_revisions_model_servers() -> None:
    store = Store(
        indexed=kinds.indexed(), indices=kinds.indices(), kept=kinds.kept(), slims=kinds.slims()
    )
    key = Key("ModelDeployment", "shop", "fraud")
    assert processes(store, key, ("a", "b")) == {}
    store.put("Pod", pod("a-1", "a", {"running": {"startedAt": "2026-01-31T09:00:00Z"}}))
    store.put("Pod", pod("b-1", "b", {"waiting": {"reason": "CrashLoopBackOff"}}))
    store.put("Pod", pod("c-1", "c", {}))
    assert processes(store, key, ("a", "b")) == {"a-1": 1769850000.0, "b-1": None}
