"""Where the cluster keeps its state and its binaries."""

from __future__ import annotations

import os
from pathlib import Path

from dev.cluster.errors import ClusterError
from dev.paths import ROOT

PACKAGE = Path(__file__).resolve().parent
# Linux holds a socket's path in 108 bytes, the terminating zero included.
_SOCKET_PATH_LIMIT = 107
_MARKER = ".evenkeel-cluster"
_LONGEST_SOCKET = "kubelet/pod-resources/kubelet.sock.tmp"


def state_dir() -> Path:
    """The cluster's state: $EVENKEEL_CLUSTER_DIR, else .cluster in the repository.

    Raises ClusterError where the path is too long for the sockets inside it.
    """
    chosen = os.environ.get("EVENKEEL_CLUSTER_DIR")
    path = Path(chosen).resolve() if chosen else ROOT / ".cluster"
    if len(os.fsencode(path / _LONGEST_SOCKET)) > _SOCKET_PATH_LIMIT:
        raise ClusterError(
            f"{path} is too long: the sockets inside it would pass Linux's limit of "
            f"{_SOCKET_PATH_LIMIT} bytes",
            "set EVENKEEL_CLUSTER_DIR to a shorter path",
        )
    return path


def prepare(directory: Path) -> Path:
    """Make the state directory and mark it as ours; git ignores what is in it.

    Raises ClusterError for a directory that holds something else, since `down --purge` would
    remove that too.
    """
    directory.mkdir(parents=True, exist_ok=True)
    marker = directory / _MARKER
    if not marker.exists():
        if any(directory.iterdir()):
            raise ClusterError(
                f"{directory} holds files that are not a cluster's state",
                "choose a new or an empty directory",
            )
        marker.touch()
        (directory / ".gitignore").write_text("*\n")
    # Pods that do not run as root pass through to their volumes, hence x for all.
    directory.chmod(0o711)
    return directory


def is_state(directory: Path) -> bool:
    """Whether `prepare` made this directory."""
    return (directory / _MARKER).exists()


def cache_dir() -> Path:
    """The cache of built binaries: $XDG_CACHE_HOME/evenkeel, else ~/.cache/evenkeel."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "evenkeel"
