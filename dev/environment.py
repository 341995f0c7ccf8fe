"""Python environments of locked requirements, for programs that are not the operator's.

python -m dev.environment NAME    # makes requirements/NAME.txt's, and prints where its programs are
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from pathlib import Path

from dev.cluster.paths import cache_dir
from dev.images.tools import content_hash, discard_others, run
from dev.paths import ROOT

VERSIONS = {"tfx": "3.10"}
"""Those whose packages need another Python than this one."""


def interpreter(requirements: str) -> Path:
    """Python in an environment with requirements/NAME.txt; made on the first use, then cached.

    Raises BuildError.
    """
    source = ROOT / "requirements" / f"{requirements}.txt"
    version = VERSIONS.get(requirements)
    cache = cache_dir() / "environments"
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / f"{requirements}-{content_hash([source], version or sys.version)}"
    with (cache / f"{requirements}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / ".installed").exists():
            shutil.rmtree(target, ignore_errors=True)
            if version is None:
                _install(source, target)
            else:
                _install_for(version, source, target)
            (target / ".installed").touch()
            discard_others(target, f"{requirements}-????????????")
    return target / "bin" / "python"


def _install(source: Path, target: Path) -> None:
    run(sys.executable, "-m", "venv", target)
    pip = (target / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check")
    run(*pip, "--quiet", "--require-hashes", "--requirement", source)


def _install_for(version: str, source: Path, target: Path) -> None:
    """With a Python of the version: one on the path, pyenv's, or else one that uv downloads.

    What uv downloads has its hash in uv's own release, and that is locked.
    """
    uv = interpreter("uv").with_name("uv")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders = [str(folder) for folder in sorted(pyenv.glob("versions/*/bin"))]
    path = os.pathsep.join([os.environ["PATH"], *folders])
    env = {"PATH": path, "UV_PYTHON_INSTALL_DIR": str(target.parent / "pythons")}
    run(uv, "venv", "--quiet", "--python", version, target, env={**os.environ, **env})
    pip = (uv, "pip", "install", "--python", target / "bin" / "python", "--no-cache")
    run(*pip, "--quiet", "--require-hashes", "--requirement", source)


if __name__ == "__main__":
    print(interpreter(sys.argv[1]).parent)
