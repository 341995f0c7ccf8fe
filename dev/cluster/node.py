"""The built-in node: a whole single-node cluster of processes on this machine."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import http.client
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dev.cluster import binaries, components, host, network
from dev.cluster.addons import DNS_USER, PROVISIONER_USER, manifests
from dev.cluster.components import NODE_NAME, Layout
from dev.cluster.control_plane import ControlPlane, NodeAccess
from dev.cluster.errors import ClusterError
from dev.cluster.images import PAUSE_IMAGE, Containerd, write_archive
from dev.cluster.kubectl import kubectl
from dev.cluster.paths import prepare
from dev.cluster.processes import start_mark

Say = Callable[[str], None]
COMPONENTS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "containerd",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "coredns",
    "hostpath-provisioner",
)
_API_PORT = 6443
_DRAIN_S = 30.0
_KILL_AFTER_S = 6.0
_LOG_REMEDY = "read the log; running `up` again starts what ended"


class Node:
    """The built-in provider: everything below one state directory."""

    name = "builtin"

    def __init__(self, directory: Path) -> None:
        self._layout = Layout(directory)
        self._plane = ControlPlane(
            directory, preferred_port=_API_PORT, node=NodeAccess(network.NODE_ADDRESS)
        )
        self._processes = self._plane.processes
        self._containerd = Containerd(self._layout.containerd_socket)
        self._ports = self._plane.ports
        self._chains_file = directory / "chains.json"
        self.kubeconfig = self._plane.kubeconfig

    def up(self, say: Say) -> None:
        """Start what does not run as configured; wait until pods can run and resolve names."""
        host.prepare(self._layout.kubelet, say)
        prepare(self._layout.root)
        with self._locked():
            paths = binaries.ensure(binaries.NODE, say)
            host.save_sysctls(self._layout.root / "sysctls.json")
            host.save_absent(self._layout.root / "absent.json")
            network.save_chains(self._chains_file)
            network.add_node_address()
            self._plane.start()
            say(f"API server ready at {self._plane.server}")
            self._plane.start_controllers(paths["kube-controller-manager"])
            self._configure()
            self._apply_addons()
            self._start_daemons(paths, say)
            self._wait(say)

    def down(self, say: Say, *, purge: bool) -> None:
        """End the pods, then the components; remove what they made outside the directory."""
        # Written when `up` begins to change the machine. Without it, what there is to remove
        # belongs to the cluster of another checkout.
        if not self._chains_file.exists():
            say("nothing was started")
            return
        with self._locked():
            self._drain(say)
            for name in ("hostpath-provisioner", "coredns", "kubelet"):
                self._processes.stop(name)
            self._remove_containers(say)
            for name in ("kube-proxy", "containerd"):
                self._processes.stop(name)
            self._clean_up_proxy()
            self._plane.stop()
            self._end_shims()
            host.end_pod_processes()
            network.remove_namespaces()
            shutil.rmtree(self._layout.cni_leases, ignore_errors=True)
            host.unmount_below(self._layout.root)
            host.remove_pod_cgroups()
            network.remove_node_address()
            host.restore_sysctls(self._layout.root / "sysctls.json")
            host.remove_absent(self._layout.root / "absent.json")
            network.remove_chains(self._chains_file)
            say("components stopped, network and mounts removed")

    def status(self) -> int:
        """Print each component's process and the node; 0 when all are alive and it is ready."""
        dead = 0
        for name in COMPONENTS:
            pid = self._processes.pid(name)
            dead += pid is None
            print(f"{name:24} {f'process {pid}, {_resident_mib(pid)} MiB' if pid else 'DOWN'}")
        if not self._plane.ready():
            print("the API server does not answer")
            return 1
        print(kubectl(self.kubeconfig, "get", "nodes", "-o", "wide"), end="")
        return 1 if dead or not self._node_ready() else 0

    def load(self, archives: Sequence[Path], say: Say) -> None:
        """Import docker-archive or OCI tars; use a tag other than latest, or IfNotPresent."""
        for archive in archives:
            for image in self._containerd.load(archive, self._snapshotter()):
                say(f"loaded {image}")

    def log(self, component: str) -> Path:
        """The component's log; ClusterError for an unknown one."""
        if component not in COMPONENTS:
            raise ClusterError(
                f"there is no component {component}", f"choose from {', '.join(COMPONENTS)}"
            )
        return self._processes.log(component)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One `up` or `down` at a time."""
        with (self._layout.root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _configure(self) -> None:
        """Write the configuration; a file that did not change keeps its component running."""
        layout, plane = self._layout, self._plane
        authority = plane.authority
        kubelet_user = f"system:node:{NODE_NAME}"
        plane.kubeconfig_for(kubelet_user, ["system:nodes"])
        plane.kubeconfig_for("system:kube-scheduler")
        proxy = plane.kubeconfig_for("system:kube-proxy")
        dns = plane.kubeconfig_for(DNS_USER)
        plane.kubeconfig_for(PROVISIONER_USER)
        serving = authority.issue(
            "kubelet", kubelet_user, ["system:nodes"], [NODE_NAME, network.NODE_ADDRESS]
        )
        cni = host.cni_directory()
        assert cni is not None, "host.prepare has found it"
        for name, component, preferred in (
            ("kubelet", "kubelet", 10250),
            ("proxy-health", "kube-proxy", 10256),
            ("proxy-metrics", "kube-proxy", 10249),
            ("dns-ready", "coredns", 8181),
        ):
            if name not in self._ports or self._processes.pid(component) is None:
                self._ports.reserve(name, preferred)
        resolv_conf = _resolv_conf()
        files = {
            "cni/10-evenkeel.conflist": components.cni_config(layout),
            "containerd.toml": components.containerd_config(layout, self._snapshotter(), cni),
            "kubelet.yaml": components.kubelet_config(
                layout,
                port=self._ports["kubelet"],
                ca=authority.pair.cert,
                cert=serving.cert,
                key=serving.key,
                resolv_conf=resolv_conf,
            ),
            "kube-proxy.yaml": components.proxy_config(
                proxy,
                health_port=self._ports["proxy-health"],
                metrics_port=self._ports["proxy-metrics"],
            ),
            "Corefile": components.corefile(
                dns, ready_port=self._ports["dns-ready"], resolv_conf=resolv_conf.read_text()
            ),
        }
        for name, text in files.items():
            file = layout.config / name
            file.parent.mkdir(parents=True, exist_ok=True)
            # kube-proxy ends when its file is written, even with the same content.
            if not file.exists() or file.read_text() != text:
                file.write_text(text)
        layout.volumes.mkdir(exist_ok=True)

    def _start_daemons(self, paths: dict[str, Path], say: Say) -> None:
        daemons = components.daemons(
            self._layout, paths, host.program("containerd"), host.SEARCH_PATH
        )
        for name, daemon in daemons.items():
            if self._processes.ensure(daemon):
                say(f"{name} started")
            if name == "containerd":
                self._prepare_containerd(paths["pause"])

    def _prepare_containerd(self, pause: Path) -> None:
        self._processes.wait_for(
            "containerd", self._containerd.answers, 30, "waiting for containerd", _LOG_REMEDY
        )
        if PAUSE_IMAGE not in self._containerd.images():
            archive = self._layout.root / "pause.tar"
            write_archive(archive, PAUSE_IMAGE, {"pause": pause}, ["/pause"])
            self._containerd.load(archive, self._snapshotter())
            archive.unlink()

    def _apply_addons(self) -> None:
        """Grant the rights before the daemons ask for them, since a refusal makes them back off."""
        objects = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests()})
        kubectl(
            self.kubeconfig,
            *("apply", "--server-side", "--validate=false", "--field-manager=evenkeel-cluster"),
            *("-f", "-"),
            stdin=objects,
        )

    def _wait(self, say: Say) -> None:
        for name, ready, what in (
            ("kubelet", self._node_ready, "waiting for the node to be Ready"),
            ("coredns", self._dns_ready, "waiting for CoreDNS to be ready"),
            (
                "kube-controller-manager",
                self._has_default_account,
                "waiting for the default service account",
            ),
        ):
            self._processes.wait_for(name, ready, 90, what, _LOG_REMEDY)
        say("node and DNS ready")
        for name in COMPONENTS:
            if self._processes.pid(name) is None:
                raise ClusterError(f"{name} ended.\n{self._processes.tail(name)}", _LOG_REMEDY)

    def _node_ready(self) -> bool:
        """Whether the kubelet that runs now has called the node Ready; an earlier one's word is
        still in the API after a restart."""
        paths = f".items[?(@.metadata.name=='{NODE_NAME}')].status.conditions[?(@.type=='Ready')]"
        query = f"jsonpath={{{paths}.status}} {{{paths}.lastHeartbeatTime}}"
        status, _, heartbeat = kubectl(self.kubeconfig, "get", "nodes", "-o", query).partition(" ")
        if status != "True":
            return False
        said_at = datetime.datetime.fromisoformat(heartbeat).timestamp()
        # The API keeps whole seconds.
        return said_at >= int(self._processes.started_at("kubelet"))

    def _has_default_account(self) -> bool:
        found = kubectl(self.kubeconfig, "get", "serviceaccounts", "-n", "default", "-o", "name")
        return "serviceaccount/default" in found.split()

    def _dns_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._ports["dns-ready"], timeout=2)
        try:
            connection.request("GET", "/ready")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _snapshotter(self) -> str:
        """Chosen once: images unpacked by one snapshotter are not seen by another."""
        file = self._layout.root / "snapshotter"
        if not file.exists():
            file.write_text(host.snapshotter(self._layout.root))
        return file.read_text()

    def _drain(self, say: Say) -> None:
        """Delete every pod while nothing makes new ones, so that kubelet tears them down."""
        for name in ("kube-controller-manager", "kube-scheduler"):
            self._processes.stop(name)
        alive = all(self._processes.pid(name) for name in ("kubelet", "containerd"))
        if not alive or not self._plane.ready():
            return
        say("ending the pods")
        with contextlib.suppress(ClusterError):
            kubectl(
                self.kubeconfig,
                *("delete", "pods", "--all", "--all-namespaces"),
                *("--grace-period=1", "--wait=false"),
            )
        began = time.monotonic()
        killed = False
        while self._pods_remain() and (waited := time.monotonic() - began) < _DRAIN_S:
            # A pod that was being deleted already keeps the longer grace that it was given.
            if waited > _KILL_AFTER_S and not killed:
                self._containerd.kill_all()
                killed = True
            time.sleep(0.2)

    def _pods_remain(self) -> bool:
        leases = self._layout.cni_leases / network.CNI_NETWORK
        addresses = list(leases.glob("*.*.*.*")) if leases.exists() else []
        mounts = host.mounts_below(self._layout.kubelet)
        return bool(self._containerd.tasks() or addresses or mounts)

    def _remove_containers(self, say: Say) -> None:
        """Remove what kubelet could not."""
        if self._processes.pid("containerd") is None:
            return
        running = len(self._containerd.tasks())
        for container in self._containerd.containers():
            self._containerd.remove(container)
        if running:
            say(f"removed {running} containers that did not end in time")

    def _clean_up_proxy(self) -> None:
        proxy = binaries.path("kube-proxy")
        if proxy.exists():
            environment = {"PATH": host.SEARCH_PATH}
            subprocess.run([proxy, "--cleanup"], capture_output=True, check=False, env=environment)

    def _end_shims(self) -> None:
        """End containerd's helpers, which outlive a containerd that was killed."""
        socket = str(self._layout.containerd_socket).encode()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                arguments = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"containerd-shim" in arguments[0] and socket in arguments:
                pid = int(process.name)
                subprocess.run(["kill", "-KILL", str(pid)], capture_output=True, check=False)
                deadline = time.monotonic() + 5
                while start_mark(pid) is not None and time.monotonic() < deadline:
                    time.sleep(0.02)


def _resolv_conf() -> Path:
    """The machine's resolver configuration, not the stub that only the machine itself reaches."""
    real = Path("/run/systemd/resolve/resolv.conf")
    return real if real.exists() else Path("/etc/resolv.conf")


def _resident_mib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    return 0
