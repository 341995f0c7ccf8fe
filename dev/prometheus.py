"""The Prometheus server that the images contain, for what runs without containers."""

from __future__ import annotations

import fcntl
from pathlib import Path

from dev.images import build, parts

MODULE = "dev/images/prometheus"


def binary() -> Path:
    """Its program, built if it is not cached. Raises BuildError."""
    cache = build.cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return parts.go(MODULE, cache) / "go" / "bin" / "prometheus"
