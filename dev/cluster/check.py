"""Proves the built-in cluster on this machine: `python -m dev.cluster.check`, as root on Linux.

It brings the cluster up, runs a workload, takes the cluster down, looks for what is left, and
brings it up again. A cluster of this checkout that is up already is restarted by that.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dev.cluster import host, network
from dev.cluster.control_plane import ControlPlane
from dev.cluster.errors import ClusterError
from dev.cluster.images import write_archive
from dev.cluster.kubectl import kubectl
from dev.cluster.paths import state_dir

_NAMESPACE = "cluster-check"
_IMAGE = "localhost/cluster-check:1"
_TIMEOUT_S = 60.0


def main() -> int:
    """Run every check; 0 when all hold."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        print("this check needs root on Linux", file=sys.stderr)
        return 2
    environment = {k: v for k, v in os.environ.items() if k != "KUBECONFIG"}
    run = Runner(environment)
    run.cluster("up", "--provider", "builtin")
    processes = run.component_processes()
    run.cluster("up", "--provider", "builtin")
    run.expect("a second up restarts nothing", run.component_processes() == processes)
    run.repairs()
    run.workload()
    run.cluster("down")
    run.nothing_left()
    began = time.monotonic()
    run.cluster("up", "--provider", "builtin")
    print(f"up again in {time.monotonic() - began:.1f} s")
    run.kubectl("delete", "namespace", _NAMESPACE, "--timeout=60s")
    print(f"{run.failures} of {run.checks} checks failed")
    return 1 if run.failures else 0


class Runner:
    """Runs the command line and counts what holds."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.checks = 0
        self.failures = 0
        self._environment = environment
        self._kubeconfig = state_dir() / "kubeconfig"

    def expect(self, what: str, holds: bool, found: object = "") -> None:
        """Print and count one check."""
        self.checks += 1
        self.failures += not holds
        print(f"{'ok  ' if holds else 'FAIL'} {what}" + (f": {found}" if not holds else ""))

    def eventually(self, what: str, probe: Callable[[], str], wanted: str) -> None:
        """Expect that the probe gives `wanted` within a minute."""
        deadline = time.monotonic() + _TIMEOUT_S
        while (found := probe()) != wanted and time.monotonic() < deadline:
            time.sleep(0.2)
        self.expect(what, found == wanted, found)

    def cluster(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "dev.cluster", *arguments]
        subprocess.run(command, check=True, env=self._environment)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """kubectl in the check's namespace; a failure's message in place of the output."""
        try:
            return kubectl(self._kubeconfig, "--namespace", _NAMESPACE, *arguments, stdin=stdin)
        except ClusterError as error:
            return error.cause

    def component_processes(self) -> dict[str, int | None]:
        plane = ControlPlane(state_dir())
        return {name: plane.processes.pid(name) for name in plane.processes.names()}

    def repairs(self) -> None:
        """A killed component is started again, and the others stay."""
        before = self.component_processes()
        victim = before["kube-scheduler"]
        assert victim is not None
        os.kill(victim, 9)
        self.cluster("up")
        after = self.component_processes()
        changed = {name for name in before if before[name] != after[name]}
        self.expect("up repairs a killed component only", changed == {"kube-scheduler"}, changed)

    def workload(self) -> None:
        """A Deployment, its Service by name from a pod of another user, volumes, logs, exec."""
        with tempfile.TemporaryDirectory() as scratch:
            archive = Path(scratch, "busybox.tar")
            busybox = Path(host.program("busybox"))
            tools = ("sh", "sleep", "httpd", "wget", "hostname", "mkdir", "cat")
            write_archive(archive, _IMAGE, {f"bin/{t}": busybox for t in tools}, ["sleep", "1d"])
            self.cluster("load", str(archive))
        self.kubectl("create", "namespace", _NAMESPACE)
        self.eventually(
            "the namespace has its service account",
            lambda: self.kubectl("get", "serviceaccount", "default", "-o", "name"),
            "serviceaccount/default\n",
        )
        items = json.dumps({"apiVersion": "v1", "kind": "List", "items": _workload()})
        self.kubectl("apply", "-f", "-", stdin=items)
        self.eventually("3 replicas are ready", self._ready_replicas, "3")
        self.eventually(
            "both claims are bound",
            lambda: self.kubectl("get", "pvc", "-o", "jsonpath={.items[*].status.phase}"),
            "Bound Bound",
        )
        self.eventually(
            "the client pod runs",
            lambda: self.kubectl("get", "pod", "client", "-o", "jsonpath={.status.phase}"),
            "Running",
        )
        url = f"http://web.{_NAMESPACE}.svc.cluster.local/"
        fetch = f"for i in 1 2 3 4 5 6 7 8 9 10 11 12; do wget -qO- {url}; done"
        answers = self.kubectl("exec", "client", "--", "sh", "-c", fetch).split()
        self.expect("a pod reaches the Service by name 12 times", len(answers) == 12, answers)
        self.expect("the Service spreads over pods", len(set(answers)) > 1, answers)
        kept = self.kubectl("exec", "client", "--", "cat", "/once/file", "/many/file")
        self.expect("a pod that is not root writes both volumes", kept == "kept\nkept\n", kept)
        logs = self.kubectl("logs", "deployment/web")
        self.expect("kubectl logs shows the output", "serving" in logs, logs)

    def nothing_left(self) -> None:
        """After down no process, mount, link, chain, cgroup or changed path is left."""
        state = state_dir()
        alive = [n for n, pid in self.component_processes().items() if pid is not None]
        self.expect("no component runs", not alive, alive)
        shims = _output("ps", "-eo", "args").splitlines()
        ours = [line for line in shims if f"{state}/" in line and "dev.cluster.check" not in line]
        self.expect("no process mentions the state directory", not ours, ours)
        mounts = host.mounts_below(state)
        self.expect("no mount is below the state directory", not mounts, mounts)
        links = [line.split()[0] for line in _output("ip", "-br", "link").splitlines()]
        left = [link for link in links if link == network.BRIDGE or link.startswith("veth")]
        self.expect("no bridge or veth is left", not left, left)
        for family in ("iptables-save", "ip6tables-save"):
            lines = _output(family).splitlines()
            chains = [line for line in lines if "KUBE-" in line or "CNI-" in line]
            self.expect(f"{family} shows no chain of Kubernetes or CNI", not chains, chains)
        groups = [str(p) for p in Path("/sys/fs/cgroup").glob("**/kubepods*")]
        self.expect("no pod cgroup is left", not groups, groups)
        namespaces = list(Path("/run/netns").glob("cni-*"))
        self.expect("no pod network namespace is left", not namespaces, namespaces)

    def _ready_replicas(self) -> str:
        return self.kubectl("get", "deployment", "web", "-o", "jsonpath={.status.readyReplicas}")


def _workload() -> list[dict[str, object]]:
    serve = "mkdir /www; hostname >/www/index.html; echo serving; exec httpd -f -p 8080 -h /www"
    write = "echo kept >/once/file; echo kept >/many/file; exec sleep 1d"
    web = {"name": "web", "image": _IMAGE, "command": ["sh", "-c", serve]}
    client = {
        "name": "client",
        "image": _IMAGE,
        "command": ["sh", "-c", write],
        "volumeMounts": [{"name": n, "mountPath": f"/{n}"} for n in ("once", "many")],
    }
    labels = {"app": "web"}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {
                "replicas": 3,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [web]}},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web"},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        },
        _claim("once", "ReadWriteOnce"),
        _claim("many", "ReadWriteMany"),
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "client"},
            "spec": {
                "securityContext": {"runAsUser": 1000, "runAsNonRoot": True},
                "containers": [client],
                "volumes": [
                    {"name": n, "persistentVolumeClaim": {"claimName": n}} for n in ("once", "many")
                ],
            },
        },
    ]


def _claim(name: str, mode: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}},
    }


def _output(*command: str) -> str:
    program = host.program(command[0])
    return subprocess.run(
        [program, *command[1:]], capture_output=True, text=True, check=True
    ).stdout


if __name__ == "__main__":
    sys.exit(main())
