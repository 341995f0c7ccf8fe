"""Installs Kubeflow Trainer and JobSet from the manifests that their releases bring."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import yaml

from dev.cluster import binaries
from dev.stack.install import Stack

IMAGES = ("trainer", "jobset")
NAMESPACE = "kubeflow-system"
JOBSET_NAMESPACE = "jobset-system"
LOCK = "tools-kubeflow"
TRAINER = {
    "namespace": NAMESPACE,
    "resources": [
        "namespace.yaml",
        *(f"trainer/base/{part}" for part in ("crds", "manager", "rbac", "webhook")),
    ],
    "images": [{"name": "ghcr.io/kubeflow/trainer/trainer-controller-manager", "newTag": "v2.0.0"}],
    # Trainer puts its certificate into it.
    "secretGenerator": [
        {"name": "kubeflow-trainer-webhook-cert", "options": {"disableNameSuffixHash": True}}
    ],
}
"""Their overlay `manager`, which would fetch JobSet from the network."""
JOBSET = {
    "resources": ["jobset/default"],
    "images": [
        {
            "name": "us-central1-docker.pkg.dev/k8s-staging-images/jobset/jobset",
            "newName": "registry.k8s.io/jobset/jobset",
            "newTag": "v0.8.2",
        }
    ],
}


def install(stack: Stack) -> None:
    """Both controllers with their webhooks, ready to be used. Raises ClusterError."""
    stack.images(IMAGES)
    trainer, jobset = (
        binaries.module_file_dir(name, LOCK)
        for name in ("github.com/kubeflow/trainer/v2", "sigs.k8s.io/jobset")
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(trainer / "manifests", root / "trainer")
        shutil.copytree(jobset / "config", root / "jobset")
        shutil.copy(trainer / "manifests/overlays/manager/namespace.yaml", root)
        for overlay in (JOBSET, TRAINER):
            (root / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
            stack.apply(stack.kubectl("kustomize", folder))
    stack.rollout(JOBSET_NAMESPACE, "jobset-controller-manager", 300)
    stack.rollout(NAMESPACE, "kubeflow-trainer-controller-manager", 300)
