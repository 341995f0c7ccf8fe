"""Python environments of locked requirements, for programs that are not the operator's."""

from __future__ import annotations

import fcntl
import shutil
import sys
from pathlib import Path

from dev.cluster.paths import cache_dir
from dev.images.tools import content_hash, discard_others, run
from dev.paths import ROOT


def interpreter(requirements: str) -> Path:
    """Python in an environment with requirements/NAME.txt; made on the first use, then cached.

    Raises BuildError.
    """
    source = ROOT / "requirements" / f"{requirements}.txt"
    cache = cache_dir() / "environments"
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / f"{requirements}-{content_hash([source], sys.version)}"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        python = target / "bin" / "python"
        if not (target / ".installed").exists():
            shutil.rmtree(target, ignore_errors=True)
            run(sys.executable, "-m", "venv", target)
            pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
            run(*pip, "--require-hashes", "--requirement", source)
            (target / ".installed").touch()
            discard_others(target, f"{requirements}-????????????")
        return python
