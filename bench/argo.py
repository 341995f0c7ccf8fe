"""Argo Rollouts' controller, built from its Go module, to compare with in the same run."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evenkeel.meta.resources import ResourceType

from bench.cluster import Cluster
from bench.process import free_port, until
from dev.cluster.paths import cache_dir

MODULE = "github.com/argoproj/argo-rollouts"
VERSION = "v1.8.5"
"""The newest that Go 1.26.8 builds."""
ROLLOUT = ResourceType("argoproj.io", "v1alpha1", "rollouts", "Rollout")
REPLICA_SET = ResourceType("apps", "v1", "replicasets", "ReplicaSet")


class Unavailable(Exception):
    """It cannot be built here; the message says why."""


def ensure() -> tuple[Path, Path]:
    """The binary and the folder of its CRDs, built once (some minutes). Raises Unavailable."""
    kept = cache_dir() / f"argo-rollouts-{VERSION}"
    binary, crds = kept / "rollouts-controller", kept / "crds"
    if not binary.exists():
        with tempfile.TemporaryDirectory() as folder:
            # A module that replaces others builds only as the main one.
            source = Path(folder) / "source"
            told = _go("mod", "download", "-json", f"{MODULE}@{VERSION}", folder=Path(folder))
            shutil.copytree(json.loads(told)["Dir"], source, copy_function=shutil.copyfile)
            source.chmod(0o755)
            shutil.copytree(source / "manifests" / "crds", crds, dirs_exist_ok=True)
            _go("build", "-o", str(binary), "./cmd/rollouts-controller", folder=source)
    return binary, crds


def _go(*arguments: str, folder: Path) -> str:
    try:
        done = subprocess.run(
            ["go", *arguments], cwd=folder, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", "") or getattr(error, "stdout", "") or str(error)
        raise Unavailable(told.strip().splitlines()[-1]) from error
    return done.stdout


@contextmanager
def running(made: Cluster) -> Iterator[None]:
    """The controller at its defaults, alone, against that API server. Raises Unavailable."""
    binary, crds = ensure()
    files = [f"--filename={f}" for f in sorted(crds.glob("*-crd.yaml"))]
    made.kubectl("apply", "--server-side", *files)
    made.kubectl("wait", "--for=condition=Established", "--timeout=60s", *files)
    # The API server serves them a moment later than it says.
    until(lambda: _is_served(made), 60)
    ports = [f"--metricsport={free_port()}", f"--healthzPort={free_port()}"]
    with (made.folder / "argo.log").open("w") as log:
        process = subprocess.Popen(
            [binary, f"--kubeconfig={made.kubeconfig}", "--leader-elect=false", *ports],
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _is_served(made: Cluster) -> bool:
    try:
        made.kubectl("get", f"{ROLLOUT.plural}.{ROLLOUT.group}", "--namespace=default")
    except subprocess.CalledProcessError:
        return False
    return True


def rollout(number: int) -> dict[str, Any]:
    """One with a single ReplicaSet."""
    name = f"bench-{number}"
    labels = {"app": name}
    container = {"name": "model", "image": "example/model:1"}
    return {
        "apiVersion": ROLLOUT.api_version,
        "kind": ROLLOUT.kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            "strategy": {"canary": {"steps": [{"setWeight": 20}]}},
        },
    }
