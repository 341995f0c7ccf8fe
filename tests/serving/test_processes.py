"""When a pod's model server began, and which of its ends were its own fault."""

from __future__ import annotations

from typing import Any

import pytest
from evenkeel.serving.observed import Pods
from evenkeel.serving.processes import Process, processes

JSON = dict[str, Any]
ENDED = {"exitCode": 1, "reason": "Error", "finishedAt": "2026-01-31T09:00:10Z", "message": "no"}
RUNNING = {"running": {"startedAt": "2026-01-31T09:00:00Z"}}


def one(
    status: JSON | None = None, *, leaving: bool = False, sidecar: JSON | None = None, **server: Any
) -> Process:
    meta: JSON = {"name": "p", **({"deletionTimestamp": "x"} if leaving else {})}
    statuses = [{"name": "model", **server}] if server else []
    statuses += [{"name": "proxy", **sidecar}] if sidecar else []
    found = {"phase": "Running", "containerStatuses": statuses, **(status or {})}
    (process,) = processes([{"metadata": meta, "status": found, "_modelServer": "model"}])
    return process


def test_a_process_has_its_start() -> None:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-31T09:00:30Z"}
    found = one({"conditions": [ready]}, state=RUNNING)
    assert (found.started, found.ready, found.crashes) == (1769850000.0, 1769850030.0, 0)
    assert one({"conditions": [{**ready, "status": "False"}]}, state=RUNNING).ready is None
    assert one().started is None, "not started yet"


@pytest.mark.parametrize(
    ("server", "crashes"),
    [
        ({"restartCount": 1, "state": RUNNING, "lastState": {"terminated": ENDED}}, 1),
        ({"restartCount": 0, "state": {"terminated": ENDED}}, 1),
        (
            {
                "restartCount": 2,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": ENDED},
            },
            3,
        ),
        (
            # A server that ends well after a failed liveness probe has been killed nevertheless.
            {
                "restartCount": 1,
                "state": RUNNING,
                "lastState": {"terminated": {"exitCode": 0, "reason": "Completed"}},
            },
            1,
        ),
        (
            {
                "restartCount": 1,
                "state": RUNNING,
                "lastState": {"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}},
            },
            0,
        ),
        ({"restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff"}}}, 0),
    ],
)
def test_ends_of_the_container(server: JSON, crashes: int) -> None:
    assert one(**server).crashes == crashes


def test_a_deleted_pods_end_and_a_sidecars_are_no_crash() -> None:
    assert one(leaving=True, restartCount=0, state={"terminated": ENDED}).crashes == 0
    failing = {"restartCount": 5, "state": {"terminated": ENDED}}
    assert one(state=RUNNING, sidecar=failing).crashes == 0


@pytest.mark.parametrize(
    ("reason", "message", "crashes"),
    [
        ("Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers.", 1),
        ("Evicted", 'Container model exceeded its local ephemeral storage limit "1Gi". ', 1),
        (
            "Evicted",
            "The node was low on resource: memory. Container model was using 2Gi, request is 1Gi, "
            "has larger consumption of memory, which exceeds requests.",
            0,
        ),
        ("Preempting", "Preempted in order to admit critical pod", 0),
        ("NodeShutdown", "Pod was terminated in response to imminent node shutdown.", 0),
        ("Terminated", "Pod was terminated in response to imminent node shutdown.", 0),
        ("NodeAffinity", "Predicate NodeAffinity failed", 0),
    ],
)
def test_pods_that_are_taken_away(reason: str, message: str, crashes: int) -> None:
    status = {"phase": "Failed", "reason": reason, "message": message}
    assert one(status, restartCount=0, state={"terminated": ENDED}).crashes == crashes


def test_the_latest_end_speaks() -> None:
    early = Process("a", crashes=1, ended=1.0, last_words="exit code 1: early")
    late = Process("b", crashes=2, ended=2.0, last_words="exit code 3: late")
    pods = Pods(processes=(late, early, Process("c", ready=9.0), Process("d", ready=7.0)))
    assert (pods.ready_since, Pods().ready_since) == (7.0, None)
    assert (pods.crashes, pods.last_words) == (3, "exit code 3: late")
    assert Pods().last_words == ""
