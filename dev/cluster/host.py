"""What the built-in node asks of the machine, and what it gives back afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from dev.cluster.errors import ClusterError

# A shell that became root without a login shell often lacks the sbin directories.
SEARCH_PATH = os.pathsep.join(
    dict.fromkeys(
        [*os.environ.get("PATH", "").split(os.pathsep), "/usr/local/sbin", "/usr/sbin", "/sbin"]
    )
)
_PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "mount": "mount",
}
_CNI_DIRECTORIES = (Path("/opt/cni/bin"), Path("/usr/lib/cni"), Path("/usr/libexec/cni"))
_CNI_PLUGINS = ("loopback", "ptp", "host-local", "portmap", "firewall")
# What kubelet, kube-proxy and the CNI plugins set.
_SYSCTLS = (
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/route_localnet",
    "net/netfilter/nf_conntrack_tcp_be_liberal",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
# Fixed paths that kubelet, kube-controller-manager, containerd and CNI use besides their own
# directories, and the files that they leave there.
_FOOTPRINT = (
    "/etc/cni",
    "/run/containerd",
    "/usr/libexec/kubernetes",
    "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/log/containers",
)
_FOOTPRINT_FILES = {"cni.lock", "kubelet.sock", "kubelet_internal_checkpoint", "DEPRECATION"}


def program(name: str) -> str:
    """The path of a program of the machine; ClusterError when it is missing."""
    found = shutil.which(name, path=SEARCH_PATH)
    if found is None:
        package = _PACKAGES.get(name, name)
        raise ClusterError(f"there is no `{name}` on PATH", f"install the package {package}")
    return found


def cni_directory() -> Path | None:
    """The first usual directory that has the CNI plugins."""
    for directory in _CNI_DIRECTORIES:
        if all((directory / plugin).exists() for plugin in _CNI_PLUGINS):
            return directory
    return None


def prepare(kubelet_root: Path, say: Callable[[str], None]) -> None:
    """Check that a node with this kubelet directory can run here; install missing packages."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        raise ClusterError(
            "the built-in node needs root on Linux",
            "run it as root, or use kind, or set KUBECONFIG",
        )
    _refuse_second_kubelet(kubelet_root)
    _require_cgroups()
    missing = {pkg for name, pkg in _PACKAGES.items() if not shutil.which(name, path=SEARCH_PATH)}
    if cni_directory() is None:
        missing.add("containernetworking-plugins")
    if missing:
        install(sorted(missing), say)
    for name in _PACKAGES:
        program(name)
    if cni_directory() is None:
        directories = ", ".join(map(str, _CNI_DIRECTORIES))
        raise ClusterError(
            f"the CNI plugins {', '.join(_CNI_PLUGINS)} are in none of {directories}",
            "install containernetworking-plugins",
        )


def snapshotter(directory: Path) -> str:
    """containerd's snapshotter: overlayfs, or native where the directory is on an overlay."""
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        parts = {name: Path(scratch, name) for name in ("lower", "upper", "work", "merged")}
        for part in parts.values():
            part.mkdir()
        options = f"lowerdir={parts['lower']},upperdir={parts['upper']},workdir={parts['work']}"
        merged = str(parts["merged"])
        mount = [program("mount"), "-t", "overlay", "-o", options, "overlay", merged]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            return "native"
        subprocess.run([program("umount"), merged], check=True)
    return "overlayfs"


def save_sysctls(file: Path) -> None:
    """Note the kernel settings that the node changes, unless they are noted already."""
    if not file.exists():
        found = {key: Path("/proc/sys", key) for key in _SYSCTLS}
        values = {key: path.read_text().strip() for key, path in found.items() if path.exists()}
        file.write_text(json.dumps(values, indent=1) + "\n")


def restore_sysctls(file: Path) -> None:
    """Put noted kernel settings back and drop the note."""
    if file.exists():
        for key, value in json.loads(file.read_text()).items():
            path = Path("/proc/sys", key)
            if path.exists() and path.read_text().strip() != value:
                path.write_text(value)
        file.unlink()


def save_absent(file: Path) -> None:
    """Note which of the fixed paths do not exist yet, unless they are noted already."""
    if not file.exists():
        file.write_text(json.dumps([p for p in _FOOTPRINT if not Path(p).exists()]) + "\n")


def remove_absent(file: Path) -> None:
    """Remove the paths that were noted as absent, so far as nobody else put files there."""
    if file.exists():
        for top in map(Path, json.loads(file.read_text())):
            for path in sorted(top.rglob("*"), reverse=True):
                if path.name in _FOOTPRINT_FILES:
                    path.unlink()
                elif path.is_dir():
                    _rmdir(path)
            _rmdir(top)
        file.unlink()


def unmount_below(directory: Path) -> None:
    """Unmount everything below the directory, the deepest first."""
    for mount in sorted(mounts_below(directory), reverse=True):
        subprocess.run([program("umount"), "-l", str(mount)], capture_output=True, check=False)


def mounts_below(directory: Path) -> list[Path]:
    """The mount points below the directory."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    # The kernel writes a space in a path as \040.
    points = [Path(line.split()[4].replace("\\040", " ")) for line in lines]
    return [point for point in points if directory in point.parents]


def end_pod_processes() -> None:
    """Kill what runs in the pods' cgroups; this machine has no second kubelet whose they were."""
    deadline = time.monotonic() + 10
    while (alive := _pod_processes()) and time.monotonic() < deadline:
        for pid in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _pod_processes() -> set[int]:
    files = (file for top in _pod_cgroups() for file in top.rglob("cgroup.procs"))
    return {int(pid) for file in files for pid in file.read_text().split()}


def _pod_cgroups() -> list[Path]:
    root = Path("/sys/fs/cgroup")
    return [path for path in (root / "kubepods", *root.glob("*/kubepods")) if path.is_dir()]


def remove_pod_cgroups() -> None:
    """Remove the cgroups that kubelet left."""
    for top in _pod_cgroups():
        for directory in sorted((p for p in top.rglob("*") if p.is_dir()), reverse=True):
            _rmdir(directory)
        _rmdir(top)


def _rmdir(directory: Path) -> None:
    try:
        directory.rmdir()
    except OSError:
        return  # in use, or gone already


def _refuse_second_kubelet(kubelet_root: Path) -> None:
    """Two kubelets on one machine would end each other's pods as unknown ones."""
    machine = os.readlink("/proc/self/ns/mnt")
    ours = f"--root-dir={kubelet_root}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text().strip() != "kubelet":
                continue
            # A kubelet inside a container, such as kind's, has mounts of its own.
            other = os.readlink(process / "ns/mnt") != machine
            arguments = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if not other and arguments != [b""] and ours not in arguments:
            raise ClusterError(
                f"another kubelet (process {process.name}) runs on this machine",
                "use its cluster by setting KUBECONFIG, or stop it first",
            )


def _require_cgroups() -> None:
    root = Path("/sys/fs/cgroup")
    unified = root / "cgroup.controllers"
    if unified.exists():
        controllers: Iterable[str] = unified.read_text().split()
    else:
        controllers = [p.name for p in root.iterdir() if p.is_dir()] if root.is_dir() else []
    missing = {"cpu", "memory", "pids"} - set(controllers)
    if missing:
        raise ClusterError(
            f"the cgroup controllers {', '.join(sorted(missing))} are not available in {root}",
            "mount cgroups (in a container: run it privileged with its own cgroup namespace)",
        )


def install(packages: list[str], say: Callable[[str], None], *, recommended: bool = False) -> None:
    """Install Debian packages, with fresh lists if the first try fails. Raises ClusterError."""
    apt = shutil.which("apt-get", path=SEARCH_PATH)
    if apt is None:
        raise ClusterError(
            f"these are missing and this system has no apt-get: {', '.join(packages)} "
            "(Debian's package names)",
            "install them with this system's package manager",
        )
    say(f"installing {', '.join(packages)}")
    options = [] if recommended else ["--no-install-recommends"]
    command = [apt, "install", "-y", "-q", *options, *packages]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    first = subprocess.run(command, capture_output=True, check=False, env=environment)
    if first.returncode == 0:
        return
    subprocess.run([apt, "update", "-q"], capture_output=True, check=False, env=environment)
    again = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if again.returncode != 0:
        tail = "\n".join((again.stdout + again.stderr).strip().splitlines()[-10:])
        raise ClusterError(
            f"apt-get could not install {', '.join(packages)}:\n{tail}",
            "install them by hand, then run this again",
        )
