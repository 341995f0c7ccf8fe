"""A real API server for tests: etcd and kube-apiserver with the project's CRDs, no nodes."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from dev.cluster import binaries
from dev.cluster.control_plane import ControlPlane
from dev.paths import CRDS
from tests.support.resources import BY_KIND

JSON = dict[str, Any]


class ApiServer:
    """One API server that all tests of a session share; each test gets its own namespace."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.kubeconfig = plane.kubeconfig
        self.server = plane.server
        self.kubectl_binary = binaries.ensure(["kubectl"], print)["kubectl"]
        admin = plane.admin()
        context = ssl.create_default_context(cafile=str(plane.authority.pair.cert))
        context.load_cert_chain(admin.cert, admin.key)
        self.http = httpx.Client(base_url=self.server, verify=context, timeout=30)

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig for a user who may do what RBAC grants to the user and the groups."""
        return self.plane.kubeconfig_for(user, groups)

    def kubectl(
        self,
        *arguments: str,
        stdin: str | None = None,
        check: bool = True,
        kubeconfig: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl; AssertionError with its error output if it fails and `check` is set."""
        done = subprocess.run(
            [str(self.kubectl_binary), f"--kubeconfig={kubeconfig or self.kubeconfig}", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
            env={**os.environ, "KUBECACHEDIR": str(self.plane.directory / "kubectl-cache")},
        )
        assert not check or done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done

    def create(
        self, manifest: JSON, namespace: str, *, dry_run: bool = False, strict: bool = True
    ) -> httpx.Response:
        """POST as `kubectl create` does it; `strict` refuses unknown fields as kubectl does."""
        query = {"fieldValidation": "Strict" if strict else "Ignore"}
        if dry_run:
            query["dryRun"] = "All"
        path = BY_KIND[manifest["kind"]].path(namespace)
        return self.http.post(path, params=query, json=manifest)

    def patch(
        self, kind: str, namespace: str, name: str, body: JSON, subresource: str = ""
    ) -> httpx.Response:
        """A JSON merge patch of the object or of its subresource."""
        return self.http.patch(
            BY_KIND[kind].path(namespace, name, subresource),
            content=json.dumps(body),
            headers={"Content-Type": "application/merge-patch+json"},
        )

    def get(self, kind: str, namespace: str, name: str) -> JSON:
        """The object; HTTPStatusError if it isn't there."""
        found: JSON = self.http.get(BY_KIND[kind].path(namespace, name)).raise_for_status().json()
        return found

    def install_crds(self) -> None:
        """Apply crds/ and wait until all kinds are served."""
        self.kubectl("apply", "--server-side", "-f", str(CRDS))
        names = [yaml.safe_load(f.read_text())["metadata"]["name"] for f in CRDS.glob("*.yaml")]
        self.kubectl(
            "wait", "--for=condition=Established", "--timeout=60s", *(f"crd/{n}" for n in names)
        )
