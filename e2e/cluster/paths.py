"""Where the cluster keeps its state and its binaries."""

from __future__ import annotations

import os
from pathlib import Path

from cluster.errors import ClusterError

PACKAGE = Path(__file__).resolve().parent
# Linux holds a socket's path in 108 bytes, the terminating zero included.
_SOCKET_PATH_LIMIT = 107
_LONGEST_SOCKET = "kubelet/pod-resources/kubelet.sock.tmp"


def state_dir() -> Path:
    """The cluster's state: $EVENKEEL_CLUSTER_DIR, else .cluster in the repository.

    Raises ClusterError where the path is too long for the sockets inside it.
    """
    chosen = os.environ.get("EVENKEEL_CLUSTER_DIR")
    path = Path(chosen).resolve() if chosen else PACKAGE.parent.parent / ".cluster"
    if len(os.fsencode(path / _LONGEST_SOCKET)) > _SOCKET_PATH_LIMIT:
        raise ClusterError(
            f"{path} is too long: the sockets inside it would pass Linux's limit of "
            f"{_SOCKET_PATH_LIMIT} bytes",
            "set EVENKEEL_CLUSTER_DIR to a shorter path",
        )
    return path


def prepare(directory: Path) -> Path:
    """Make the state directory, private to its owner and ignored by git."""
    directory.mkdir(parents=True, exist_ok=True)
    # Pods that do not run as root pass through to their volumes, hence x for all.
    directory.chmod(0o711)
    ignore = directory / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    return directory


def cache_dir() -> Path:
    """The cache of built binaries: $XDG_CACHE_HOME/evenkeel, else ~/.cache/evenkeel."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "evenkeel"
