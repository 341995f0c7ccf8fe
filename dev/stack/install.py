"""Installs the operator's chart, Prometheus, Alertmanager and the gateway; safe to run again."""

from __future__ import annotations

import hashlib
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from dev.cluster import binaries, provider
from dev.cluster.errors import ClusterError
from dev.cluster.kubectl import kubectl
from dev.cluster.provider import Cluster
from dev.paths import CHART, MANIFESTS

OPERATOR_NAMESPACE = "evenkeel-system"
MONITORING = "monitoring"
IMAGES = (
    "operator",
    "demo",
    "mlserver",
    "storage-initializer",
    "meter",
    "prometheus",
    "alertmanager",
    "traefik",
)

HELM_SECONDS = 300
_LOCKED = "another operation (install/upgrade/rollback) is in progress"

Say = Callable[[str], None]


class Stack:
    """One cluster and what is installed on it."""

    def __init__(self, cluster: Cluster, say: Say) -> None:
        self.cluster = cluster
        self.kubeconfig = cluster.kubeconfig
        self._say = say

    @classmethod
    def on_cluster(cls, say: Say, provider_name: str = "auto") -> Stack:
        """Brings a cluster up (or uses KUBECONFIG's). Raises ClusterError."""
        cluster = provider.choose(provider_name)
        say(f"cluster: {cluster.name}")
        if cluster.name != "kubeconfig":
            provider.remember(cluster)
        cluster.up(say)
        provider.remember(cluster)
        return cls(cluster, say)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """kubectl's output. Raises ClusterError with what it said."""
        return kubectl(self.kubeconfig, *arguments, stdin=stdin)

    def images(self, names: Sequence[str] = IMAGES) -> None:
        """Builds what is not current and loads it into the node.

        On a cluster of the user's own the published images are pulled instead.
        """
        if self.cluster.name == "kubeconfig":
            return
        archives: dict[str, Path] = {}
        for name in names:
            self._say(f"image {name}")
            done = subprocess.run(
                [sys.executable, "-m", "dev.images.build", name],
                stdout=subprocess.PIPE,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                raise ClusterError(
                    f"the image {name} could not be built: {done.stdout[-2000:]}",
                    f"run `python -m dev.images.build {name}` to see all of its output",
                )
            archives[name] = Path(done.stdout.strip().splitlines()[-1])
        self._loaded.mkdir(exist_ok=True)
        fresh = {n: a for n, a in archives.items() if not (self._loaded / a.name).exists()}
        if not fresh:
            return
        self.cluster.load(list(fresh.values()), self._say)
        for name, archive in fresh.items():
            for marker in self._markers(name):
                marker.unlink()
            (self._loaded / archive.name).touch()

    @property
    def _loaded(self) -> Path:
        """Markers of the images that the node has, beside its own state: both go together."""
        return self.kubeconfig.parent / "loaded"

    def _markers(self, image: str) -> list[Path]:
        return sorted(self._loaded.glob(f"{image}-????????????.tar"))

    def namespace(self, name: str, *, enforce: str = "restricted") -> None:
        """A namespace under that Pod Security level."""
        self.apply(
            f"""\
apiVersion: v1
kind: Namespace
metadata:
  name: {name}
  labels:
    pod-security.kubernetes.io/enforce: {enforce}
"""
        )

    def secret(self, namespace: str, name: str, key: str, value: str) -> None:
        """A Secret with one entry."""
        self.apply(
            f"""\
apiVersion: v1
kind: Secret
metadata:
  name: {name}
  namespace: {namespace}
stringData:
  {key}: "{value}"
"""
        )

    def apply(self, manifests: str | Path) -> None:
        """Server-side applies a text or a file."""
        arguments = ("apply", "--server-side", "--force-conflicts", "-f")
        if isinstance(manifests, Path):
            self.kubectl(*arguments, str(manifests))
        else:
            self.kubectl(*arguments, "-", stdin=manifests)

    def operator(self, *values: str) -> None:
        """Installs or upgrades the chart; `values` are helm's --set arguments."""
        self._say("operator: helm chart")
        tag = []
        if self.cluster.name != "kubeconfig":
            tag = [
                "image.tag=dev",
                "data.image=evenkeel/data:dev",
                "meter.image=evenkeel/meter:dev",
            ]
            # The tag stays the same, so the image's own name makes new pods.
            tag += [rf"podAnnotations.image={m.stem}" for m in self._markers("operator")]
        sets = [
            *tag,
            f"prometheus.url=http://prometheus.{MONITORING}.svc:9090",
            *values,
        ]
        helm = binaries.client("helm", self._say)
        command = [
            str(helm),
            "upgrade",
            "--install",
            "evenkeel",
            str(CHART),
            f"--namespace={OPERATOR_NAMESPACE}",
            "--create-namespace",
            # The CRDs may have been applied by hand before.
            "--take-ownership",
            "--force-conflicts",
            f"--kubeconfig={self.kubeconfig}",
            "--wait",
            f"--timeout={HELM_SECONDS}s",
        ]
        command += [f"--set={s}" for s in sets]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        while _LOCKED in done.stderr:
            self._await_other_helm()
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ClusterError(
                f"helm could not install the operator: {done.stderr.strip()[-2000:]}",
                f"look at its pods: `kubectl -n {OPERATOR_NAMESPACE} get pods`",
            )

    def _await_other_helm(self) -> None:
        """Waits for another helm on the release; the lock of one that was killed is removed."""
        self._say("operator: another helm works on the release, or was killed; waiting for it")
        time.sleep(5)
        pending = "owner=helm,name=evenkeel,status in (pending-install,pending-upgrade)"
        where = ("-n", OPERATOR_NAMESPACE, "-l", pending)
        for secret in json.loads(self.kubectl("get", "secrets", *where, "-ojson"))["items"]:
            created = datetime.fromisoformat(secret["metadata"]["creationTimestamp"])
            if (datetime.now(UTC) - created).total_seconds() > HELM_SECONDS + 10:
                self.kubectl(
                    *("delete", "secret", "-n", OPERATOR_NAMESPACE, secret["metadata"]["name"]),
                )

    def monitoring(self) -> None:
        """Prometheus and Alertmanager; Alertmanager gets the operator's webhook token."""
        self._say("monitoring: Prometheus and Alertmanager")
        self.namespace(MONITORING)
        self.namespace(OPERATOR_NAMESPACE)
        self._webhook_token()
        self.apply(MANIFESTS / "prometheus.yaml")
        self.apply(MANIFESTS / "alertmanager.yaml")
        for name in ("prometheus", "alertmanager"):
            self._restart_on_change(name)
            self.rollout(MONITORING, name)

    def _restart_on_change(self, name: str) -> None:
        """New pods for a new configuration, which neither program reads again by itself."""
        content = (MANIFESTS / f"{name}.yaml").read_bytes()
        annotations = {"evenkeel.dev/configuration": hashlib.sha256(content).hexdigest()[:16]}
        patch = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
        self.kubectl("patch", "deployment", name, "-n", MONITORING, "-p", json.dumps(patch))

    def _webhook_token(self) -> None:
        """One token for both ends, made once."""
        known = self.kubectl(
            "-n", MONITORING, "get", "secret", "evenkeel-webhook", "--ignore-not-found", "-oname"
        )
        if known:
            return
        token = secrets.token_hex(32)
        for namespace in (MONITORING, OPERATOR_NAMESPACE):
            self.secret(namespace, "evenkeel-webhook", "token", token)

    def gateway(self) -> None:
        """The Gateway API's CRDs and Traefik."""
        self._say("gateway: Gateway API and Traefik")
        provider.gateway_crds(self._say)
        self.apply(MANIFESTS / "traefik.yaml")
        self.rollout("traefik", "traefik")

    def rollout(self, namespace: str, deployment: str, seconds: int = 180) -> None:
        """Waits until the Deployment is available.

        Raises ClusterError with its pods, their Events and last words when it does not become so.
        """
        there = f"--namespace={namespace}"
        name = f"deployment/{deployment}"
        try:
            self.kubectl(there, "rollout", "status", name, f"--timeout={seconds}s")
        except ClusterError as error:
            told = "\n".join(
                self._answer(there, *question)
                for question in (
                    ("get", "deployments,replicasets,pods", "-owide"),
                    ("get", "events", "--sort-by=.lastTimestamp"),
                    ("logs", name, "--tail=20", "--prefix"),
                )
            )
            raise ClusterError(f"{error.cause}\n{told}", error.remedy) from error

    def _answer(self, *arguments: str) -> str:
        """kubectl's output, or why there is none."""
        try:
            return self.kubectl(*arguments)
        except ClusterError as error:
            return error.cause

    def everything(self) -> None:
        """Images, monitoring, gateway and operator."""
        self.images()
        self.monitoring()
        self.gateway()
        self.operator("webhook.existingSecret=evenkeel-webhook")
