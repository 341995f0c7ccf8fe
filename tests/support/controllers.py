"""Kubernetes' own controllers, a chosen few, for tests of what they make of the operator's objects.

There are no nodes: a test plays the kubelet.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.cluster import binaries
from tests.support.api_server import ApiServer

NAME = "kube-controller-manager"


@contextmanager
def controllers(server: ApiServer, folder: Path, *names: str) -> Iterator[None]:
    """Runs the controllers of those names, such as job-controller, for all namespaces."""
    binary = binaries.ensure([NAME], print)[NAME]
    arguments = [
        str(binary),
        f"--kubeconfig={server.kubeconfig}",
        f"--controllers={','.join(names)}",
        "--leader-elect=false",
        "--secure-port=0",
        "--horizontal-pod-autoscaler-sync-period=1s",
        "--resource-quota-sync-period=1s",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]
    with (folder / f"{NAME}.log").open("w") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.kill()
            process.wait()
