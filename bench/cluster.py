"""A fresh API server with the product's kinds, and what it counts."""

from __future__ import annotations

import os
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from bench.process import OperatorProcess
from dev.cluster import binaries
from dev.cluster.control_plane import ControlPlane
from dev.paths import ROOT

_REQUESTS = re.compile(r"^apiserver_request_total\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
WRITES = ("POST", "PUT", "PATCH", "APPLY", "DELETE")


class Written(NamedTuple):
    """A kind of write: the plural, with `/status` for that of a status."""

    verb: str
    resource: str


class Cluster:
    """A control plane without nodes and controllers; KUBECONFIG names its administrator."""

    def __init__(self, folder: Path, plane: ControlPlane) -> None:
        self.folder, self.plane = folder, plane
        self.kubeconfig = str(plane.kubeconfig)
        context = ssl.create_default_context(cafile=str(plane.authority.pair.cert))
        context.load_cert_chain(plane.admin().cert, plane.admin().key)
        self._http = httpx.Client(base_url=plane.server, verify=context, timeout=60)

    def operator(self, kubeconfig: str = "", **variables: str) -> OperatorProcess:
        """An operator as a process of its own."""
        return OperatorProcess(self.folder, kubeconfig or self.kubeconfig, **variables)

    def kubectl(self, *arguments: str, stdin: str = "") -> None:
        """Runs kubectl; CalledProcessError if it fails."""
        subprocess.run(
            [binaries.path("kubectl"), *arguments],
            check=True,
            input=stdin,
            text=True,
            stdout=subprocess.DEVNULL,
        )

    def writes(self) -> Counter[Written]:
        """Writes that were granted so far, but for Leases."""
        text = self._http.get("/metrics").raise_for_status().text
        found: Counter[Written] = Counter()
        for labels, number in _REQUESTS.findall(text):
            label = dict(_LABEL.findall(labels))
            if label["verb"] not in WRITES or not label["code"].startswith("2"):
                continue
            part = f"/{label['subresource']}" if label["subresource"] else ""
            if label["resource"] != "leases":
                found[Written(label["verb"], label["resource"] + part)] += int(float(number))
        return found

    @contextmanager
    def away(self) -> Iterator[None]:
        """The API server gives no answer meanwhile."""
        pid = self.plane.processes.pid("kube-apiserver")
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """One that ends, with all that it holds, with the context."""
    folder = Path(tempfile.mkdtemp(prefix="evenkeel-bench-"))
    try:
        with ControlPlane(folder / "cp", die_with_parent=True, controllers=False) as plane:
            os.environ["KUBECONFIG"] = str(plane.kubeconfig)
            made = Cluster(folder, plane)
            made.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
            time.sleep(2)
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)
