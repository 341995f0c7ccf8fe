"""Argo Workflows' controller, the real one, on a test's API server.

There are no nodes: a test plays the kubelet, and the executor beside the trainer in each pod.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from evenkeel.meta.resources import ResourceType

from dev.cluster import binaries
from tests.support.api_server import ApiServer
from tests.support.operating import Namespace
from tests.support.training_pods import ended, runs, tell

JSON = dict[str, Any]
LOCK = "tools-argo"
MODULE = "github.com/argoproj/argo-workflows/v4"
CRD = "argoproj.io_workflows.yaml"
SPACE = "argo"
LARGE = 60_000
"""Bytes of a Workflow from which Argo compresses its nodes here; by default a mebibyte."""
SETTINGS = "workflow-controller-configmap"
RESULTS = ResourceType("argoproj.io", "v1alpha1", "workflowtaskresults", "WorkflowTaskResult")
NODE_ID = "workflows.argoproj.io/node-id"
WORKFLOW = "workflows.argoproj.io/workflow"
REPORTED = "workflows.argoproj.io/report-outputs-completed"


@contextmanager
def argo(server: ApiServer, folder: Path) -> Iterator[None]:
    """Runs the controller, for all namespaces. folder: for its log."""
    binary = binaries.ensure(["workflow-controller"], print)["workflow-controller"]
    _install(server)
    command = [
        str(binary),
        f"--kubeconfig={server.kubeconfig}",
        f"--namespace={SPACE}",
        "--executor-image=argoexec",
        f"--configmap={SETTINGS}",
        "--qps=200",
        "--burst=400",
    ]
    environment = {
        **os.environ,
        "LEADER_ELECTION_DISABLE": "true",
        "DEFAULT_REQUEUE_TIME": "100ms",
        "MAX_WORKFLOW_SIZE": str(LARGE),
    }
    with (folder / "argo.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            yield
        finally:
            process.kill()
            process.wait()


def _install(server: ApiServer) -> None:
    """The CRDs, of which the Workflow's has all its schema, and the controller's settings."""
    folder = binaries.module_file_dir(MODULE, LOCK) / "manifests" / "base" / "crds"
    files = [folder / "full" / CRD, *folder.glob("minimal/argoproj.io_*.yaml")]
    files = [file for file in files if file.name != CRD or file.parent.name == "full"]
    for file in files:
        server.kubectl("apply", "--server-side", "-f", str(file))
    names = [f"crd/{yaml.safe_load(file.read_text())['metadata']['name']}" for file in files]
    server.kubectl("wait", "--for=condition=Established", "--timeout=60s", *names)
    made = (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": SETTINGS, "namespace": SPACE},
            "data": {"config": "metricsConfig: {enabled: false}"},
        },
    )
    server.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(made))


def starts(ns: Namespace, pod: JSON) -> None:
    """The pod's containers run."""
    tell(ns, pod, "Running", runs("main"), runs("wait"))


def ends(
    ns: Namespace,
    pod: JSON,
    code: int = 0,
    message: str = "",
    *,
    shared: Collection[str] = (),
    **parameters: str,
) -> None:
    """The pod's trainer has ended; its executor has told of these output parameters.

    shared: those whose template gives them a globalName, here the same.
    """
    meta = pod["metadata"]
    outputs = [
        {"name": name, "value": value, **({"globalName": name} if name in shared else {})}
        for name, value in parameters.items()
    ]
    result = {
        "apiVersion": RESULTS.api_version,
        "kind": RESULTS.kind,
        "metadata": {
            "name": meta["annotations"][NODE_ID],
            "labels": {WORKFLOW: meta["labels"][WORKFLOW], REPORTED: "true"},
        },
        **({"outputs": {"parameters": outputs}} if outputs else {}),
    }
    answer = ns.server.http.post(RESULTS.path(ns.name), content=json.dumps(result))
    assert answer.status_code == 201, answer.text
    phase = "Failed" if code else "Succeeded"
    tell(ns, pod, phase, ended("main", code, message), ended("wait", 0))
