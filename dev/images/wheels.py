"""Installs locked wheels for an image."""

import shutil
import sys
from pathlib import Path

from dev.images.tools import BuildError, run

# Left out of wheels: what no server imports.
UNUSED_FOLDERS = ("tests", "test", "testing", "benchmarks", "examples", "include")
# These name a part of the package that is imported at run time.
KEPT = ("numpy/testing", "numpy/_core/tests", "sklearn/utils/_testing", "pandas/testing")
UNUSED_FILES = ("*.pyi", "*.pxd", "*.pyx", "*.c", "*.cpp", "*.h", "*.a")


def install(requirements: Path, target: Path) -> None:
    """Installs a locked requirements file into a folder, with bytecode and without tests.

    Raises BuildError when the running Python is not the images', or when pip fails.
    """
    if sys.version_info[:2] != (3, 11):
        raise BuildError("the images run Python 3.11: build them with Python 3.11")
    run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps"),
        *("--require-hashes", "--target", target, "--requirement", requirements),
    )
    _strip(target)
    for script in (target / "bin").glob("*"):
        _run_with_images_python(script)
    run(
        *(sys.executable, "-m", "compileall", "-q", "-s", target, "-p", "/opt/site"),
        *("--invalidation-mode", "unchecked-hash", target),
    )


def _strip(target: Path) -> None:
    for folder in sorted(target.rglob("*")):
        inside = folder.relative_to(target).as_posix()
        if folder.name in UNUSED_FOLDERS and inside not in KEPT and folder.is_dir():
            if (folder / "__init__.py").exists() and folder.name not in ("tests", "benchmarks"):
                continue
            shutil.rmtree(folder)
    for pattern in UNUSED_FILES:
        for file in target.rglob(pattern):
            file.unlink()


def _run_with_images_python(script: Path) -> None:
    content = script.read_bytes()
    if content.startswith(b"#!") and b"python" in content.split(b"\n", 1)[0]:
        script.write_bytes(b"#!/usr/bin/python3\n" + content.split(b"\n", 1)[1])
