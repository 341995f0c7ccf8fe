"""Kubeflow Trainer and JobSet, the real controllers with their webhooks, on a test's API server.

There are no nodes: a test plays the kubelet.
"""

from __future__ import annotations

import base64
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from dev.cluster import binaries
from dev.cluster.ports import free_port
from tests.support.api_server import ApiServer

JSON = dict[str, Any]
LOCK = "tools-kubeflow"
SECONDS = 120.0
OWN_CERTIFICATE = "validator.trainer.kubeflow.org"
"""Trainer gives its own authority to a configuration of this name, and waits until it has."""
LOOKED_FOR = Path("/tmp/k8s-webhook-server/serving-certs/tls.crt")
"""Trainer begins once this file is there; what it serves with is below TMPDIR."""


@contextmanager
def trainer(server: ApiServer, folder: Path) -> Iterator[None]:
    """Runs both controllers, for all namespaces, until both answer. folder: for what they need."""
    built = binaries.ensure(["trainer-controller-manager", "jobset"], print)
    modules = [
        binaries.module_file_dir(name, LOCK)
        for name in ("github.com/kubeflow/trainer/v2", "sigs.k8s.io/jobset")
    ]
    hooks, probes = (free_port(), free_port()), (free_port(), free_port())
    certificates = _certificates(server, folder)
    _install(server, *modules)
    webhooks = _webhooks(server, modules, hooks)
    config = folder / "jobset.yaml"
    config.write_text(yaml.safe_dump(_jobset(hooks[1], certificates)))
    commands = (
        [
            str(built["trainer-controller-manager"]),
            f"--webhook-server-port={hooks[0]}",
            f"--health-probe-bind-address=127.0.0.1:{probes[0]}",
        ],
        [
            str(built["jobset"]),
            f"--config={config}",
            "--metrics-bind-address=0",
            f"--health-probe-bind-address=127.0.0.1:{probes[1]}",
        ],
    )
    environment = {**os.environ, "KUBECONFIG": str(server.kubeconfig), "TMPDIR": str(folder)}
    started = [_start(command, folder, environment) for command in commands]
    try:
        for port in probes:
            _ready(port, folder)
        server.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(webhooks))
        yield
    finally:
        server.kubectl("delete", "-f", "-", stdin=yaml.safe_dump_all(webhooks), check=False)
        server.kubectl("delete", "validatingwebhookconfiguration", OWN_CERTIFICATE, check=False)
        for process in started:
            process.kill()
            process.wait()


def _start(
    command: list[str], folder: Path, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    with (folder / f"{Path(command[0]).name}.log").open("w") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment)


def _ready(port: int, folder: Path) -> None:
    end = time.monotonic() + SECONDS
    while True:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).is_success:
                return
        except httpx.HTTPError:
            pass
        said = {log.name: log.read_text()[-2000:] for log in folder.glob("*.log")}
        assert time.monotonic() < end, f"not ready after {SECONDS} s: {said}"
        time.sleep(0.2)


def _certificates(server: ApiServer, folder: Path) -> Path:
    """The folder with what both webhooks serve with."""
    pair = server.plane.authority.issue("webhooks", "webhooks", hosts=("127.0.0.1",))
    made = folder / "k8s-webhook-server" / "serving-certs"
    made.mkdir(parents=True)
    for name, file in (("tls.crt", pair.cert), ("tls.key", pair.key)):
        (made / name).write_bytes(file.read_bytes())
    LOOKED_FOR.parent.mkdir(parents=True, exist_ok=True)
    LOOKED_FOR.touch()
    return made


def _install(server: ApiServer, trainer_module: Path, jobset_module: Path) -> None:
    crds = (
        *(trainer_module / "manifests" / "base" / "crds").glob("trainer*.yaml"),
        *(jobset_module / "config" / "components" / "crd" / "bases").glob("*.yaml"),
    )
    for file in crds:
        server.kubectl("apply", "--server-side", "-f", str(file))
    names = [f"crd/{yaml.safe_load(file.read_text())['metadata']['name']}" for file in crds]
    server.kubectl("wait", "--for=condition=Established", "--timeout=60s", *names)
    nothing = {
        "name": "never.trainer.kubeflow.org",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Ignore",
        "clientConfig": {"url": "https://127.0.0.1:1/never"},
        "rules": [
            {
                "apiGroups": ["never.example.com"],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["nevers"],
            }
        ],
    }
    space = "kubeflow-system"
    secret = {"name": "kubeflow-trainer-webhook-cert", "namespace": space}
    made = (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": secret},
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": OWN_CERTIFICATE},
            "webhooks": [nothing],
        },
    )
    server.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(made))


def _webhooks(server: ApiServer, modules: list[Path], ports: tuple[int, int]) -> list[JSON]:
    """The modules' own configurations, by address in place of a Service."""
    authority = base64.b64encode(server.plane.authority.pair.cert.read_bytes()).decode()
    places = (("manifests", "base"), ("config", "components"))
    made = []
    for module, place, port in zip(modules, places, ports, strict=True):
        file = module.joinpath(*place, "webhook", "manifests.yaml")
        for found in filter(None, yaml.safe_load_all(file.read_text())):
            found["metadata"]["name"] += f"-{port}"
            for hook in found["webhooks"]:
                path = hook["clientConfig"]["service"]["path"]
                url = f"https://127.0.0.1:{port}{path}"
                hook["clientConfig"] = {"url": url, "caBundle": authority}
                if hook["rules"][0]["resources"] == ["pods"]:
                    of_jobsets = {"key": "jobset.sigs.k8s.io/jobset-name", "operator": "Exists"}
                    hook["objectSelector"] = {"matchExpressions": [of_jobsets]}
            made.append(found)
    return made


def _jobset(port: int, certificates: Path) -> JSON:
    return {
        "apiVersion": "config.jobset.x-k8s.io/v1alpha1",
        "kind": "Configuration",
        "leaderElection": {"leaderElect": False},
        "internalCertManagement": {"enable": False},
        "webhook": {"port": port, "certDir": str(certificates)},
    }
