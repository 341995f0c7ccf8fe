"""Kubernetes, etcd, CoreDNS and Helm, built from locked Go modules and cached by the lock."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.errors import ClusterError
from dev.cluster.paths import PACKAGE, cache_dir


@dataclass(frozen=True)
class Source:
    """A Go command: the module directory that locks it, and its package path."""

    module: str
    package: str


SOURCES: dict[str, Source] = {
    "etcd": Source("tools", "go.etcd.io/etcd/server/v3"),
    **{
        name: Source("tools", f"k8s.io/kubernetes/cmd/{name}")
        for name in (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kubelet",
            "kube-proxy",
            "kubectl",
        )
    },
    "helm": Source("tools-extra", "helm.sh/helm/v4/cmd/helm"),
    **{
        name: Source("tools-extra", f"evenkeel.dev/cluster-tools-extra/{name}")
        for name in ("coredns", "hostpath-provisioner", "pause")
    },
    "trainer-controller-manager": Source(
        "tools-kubeflow", "github.com/kubeflow/trainer/v2/cmd/trainer-controller-manager"
    ),
    "jobset": Source("tools-kubeflow", "sigs.k8s.io/jobset"),
    "versitygw": Source("tools-versitygw", "github.com/versity/versitygw/cmd/versitygw"),
}
CONTROL_PLANE = ("etcd", "kube-apiserver")
NODE = (
    *CONTROL_PLANE,
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
    "coredns",
    "hostpath-provisioner",
    "pause",
)


def module_hash(module: Path) -> str:
    """The first 16 hex digits of SHA-256 over the module's lock files and Go sources."""
    digest = hashlib.sha256()
    files = [module / "go.mod", module / "go.sum", *sorted(module.rglob("*.go"))]
    for file in files:
        digest.update(f"{file.relative_to(module)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def bin_dir(module: str) -> Path:
    """The directory of one module's binaries."""
    return cache_dir() / module_hash(PACKAGE / module) / "bin"


def path(name: str) -> Path:
    """Where the named binary is or will be; KeyError for an unknown name."""
    return bin_dir(SOURCES[name].module) / name


def ensure(names: Iterable[str], say: Callable[[str], None]) -> dict[str, Path]:
    """Build the named binaries that are not cached; give the path of each.

    `say` gets one line per build. Raises ClusterError when Go is missing or a build fails.
    """
    wanted = {name: path(name) for name in names}
    for module in sorted({SOURCES[name].module for name in wanted}):
        missing = [n for n, p in wanted.items() if SOURCES[n].module == module and not p.exists()]
        if missing:
            with _locked(bin_dir(module)):
                _build(module, [n for n in missing if not wanted[n].exists()], say)
    return wanted


def client(name: str, say: Callable[[str], None]) -> Path:
    """kubectl or helm: the cached one, else the one on PATH, else it is built.

    A machine that only uses somebody else's cluster needs no Go for it.
    """
    installed = shutil.which(name)
    if installed is not None and not path(name).exists():
        return Path(installed)
    return ensure([name], say)[name]


def module_file_dir(module_path: str, lock: str = "tools-extra") -> Path:
    """The directory of a module that LOCK/go.mod locks, downloaded when needed."""
    out = _go(
        ["mod", "download", "-json", module_path],
        PACKAGE / lock,
        f"cannot download the Go module {module_path}",
    )
    return Path(json.loads(out)["Dir"])


def kubernetes_version() -> str:
    """The locked Kubernetes version, for example v1.37.2."""
    text = (PACKAGE / "tools" / "go.mod").read_text()
    found = re.search(r"^\s*k8s\.io/kubernetes (v\S+)", text, re.MULTILINE)
    if found is None:
        raise ClusterError(
            "tools/go.mod does not require k8s.io/kubernetes", "restore dev/cluster/tools/go.mod"
        )
    return found[1]


def purge(say: Callable[[str], None]) -> None:
    """Remove the cached binaries of this checkout's locks."""
    for module in sorted({source.module for source in SOURCES.values()}):
        directory = bin_dir(module).parent
        if directory.exists():
            shutil.rmtree(directory)
            say(f"removed {directory}")


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Let one process at a time build into the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(module: str, names: list[str], say: Callable[[str], None]) -> None:
    if not names:
        return
    target = bin_dir(module)
    say(f"building {', '.join(names)} (first time: minutes)")
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        packages = [SOURCES[name].package for name in names]
        _go(
            ["build", "-trimpath", f"-ldflags={_ldflags()}", "-o", f"{scratch}/", *packages],
            PACKAGE / module,
            f"cannot build {', '.join(names)}",
        )
        for name in names:
            # Go names a command after its path's last element that is not a major version.
            package = re.sub(r"/v\d+$", "", SOURCES[name].package)
            Path(scratch, package.rsplit("/", 1)[1]).rename(target / name)


def _ldflags() -> str:
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".", 2)
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    stamps = (f"-X k8s.io/component-base/version.{key}={value}" for key, value in values.items())
    return " ".join(("-s -w", *stamps))


def _go(arguments: list[str], directory: Path, failure: str) -> str:
    go = shutil.which("go")
    if go is None:
        raise ClusterError(
            f"{failure}: there is no `go` on PATH",
            "install Go 1.26 or newer, or use an existing cluster (set KUBECONFIG)",
        )
    done = subprocess.run(
        [go, *arguments],
        cwd=directory,
        env={**os.environ, "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-15:])
        raise ClusterError(
            f"{failure} (exit status {done.returncode}):\n{tail}",
            "read the lines above: without network, set GOPROXY to a proxy that answers; "
            "with too little memory or disk (4 GiB each), free some; then run it again",
        )
    return done.stdout
