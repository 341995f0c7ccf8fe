"""KubeRay's operator, the real one, on a test's API server, and what it asks of Ray.

There are no nodes: a test plays the kubelet, and Ray by its dashboard, which the operator reaches
through a proxy instead of the cluster's DNS.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from dev.cluster import binaries
from dev.cluster.ports import free_port
from tests.support.api_server import ApiServer

JSON = dict[str, Any]
LOCK = "tools-ray"
MODULE = "github.com/ray-project/kuberay/ray-operator"


class Dashboard:
    """Ray's job server of every cluster, known by the host that is asked: SERVICE.NAMESPACE..."""

    def __init__(self) -> None:
        self._jobs: dict[str, JSON] = {}
        self.stopped: set[str] = set()
        self.url = ""

    def says(self, namespace: str, status: str, message: str = "") -> None:
        """What it tells of the Ray job of the namespace's cluster from now on."""
        now = int(time.time() * 1000)
        times = {"start_time": now} | ({} if status == "RUNNING" else {"end_time": now})
        self._jobs[namespace] = {
            "status": status,
            "message": message,
            "type": "SUBMISSION",
            **times,
        }

    def answer(self, method: str, url: str) -> JSON | None:
        """To a request; None: there is no such job."""
        place = urlsplit(url)
        namespace = str(place.hostname).split(".")[1]
        if method == "POST" and place.path.endswith("/stop"):
            self.stopped.add(namespace)
            return {"stopped": True}
        found = self._jobs.get(namespace)
        return found and {**found, "submission_id": place.path.rsplit("/", 1)[1]}

    @contextmanager
    def served(self) -> Iterator[None]:
        """As an HTTP proxy on a port of 127.0.0.1."""
        dashboard = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = dashboard.answer(self.command, self.path)
                body = json.dumps(found).encode()
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.url = f"http://127.0.0.1:{server.server_port}"
            try:
                yield
            finally:
                server.shutdown()


@contextmanager
def kuberay(server: ApiServer, folder: Path) -> Iterator[Dashboard]:
    """Runs the operator, for all namespaces. folder: for its log."""
    binary = binaries.ensure(["ray-operator"], print)["ray-operator"]
    _install(server)
    command = [
        str(binary),
        "--enable-leader-election=false",
        "--metrics-addr=0",
        f"--health-probe-bind-address=127.0.0.1:{free_port()}",
        "--qps=200",
        "--burst=400",
    ]
    dashboard = Dashboard()
    with dashboard.served(), (folder / "kuberay.log").open("w") as log:
        environment = {
            **os.environ,
            "KUBECONFIG": str(server.kubeconfig),
            "HTTP_PROXY": dashboard.url,
            "NO_PROXY": "",
        }
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            yield dashboard
        finally:
            process.kill()
            process.wait()


def _install(server: ApiServer) -> None:
    folder = binaries.module_file_dir(MODULE, LOCK) / "config" / "crd" / "bases"
    files = sorted(folder.glob("*.yaml"))
    for file in files:
        server.kubectl("apply", "--server-side", "-f", str(file))
    names = [f"crd/{yaml.safe_load(file.read_text())['metadata']['name']}" for file in files]
    server.kubectl("wait", "--for=condition=Established", "--timeout=60s", *names)
