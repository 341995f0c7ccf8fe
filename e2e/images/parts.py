"""What the Dockerfiles' stages `site`, `debian`, `go` and `data` provide, made here and cached.

Each function answers a folder that stands in for the stage's root.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from images.catalog import REPOSITORY
from images.tools import BuildError, content_hash, discard_others, run

# Left out of wheels: what no server imports.
UNUSED_FOLDERS = ("tests", "test", "testing", "benchmarks", "examples", "include")
# These name a part of the package that is imported at run time.
KEPT = ("numpy/testing", "numpy/_core/tests", "sklearn/utils/_testing", "pandas/testing")
UNUSED_FILES = ("*.pyi", "*.pxd", "*.pyx", "*.c", "*.cpp", "*.h", "*.a")


def site(requirements: str, cache: Path) -> Path:
    """Installs a locked requirements file into <folder>/site, with bytecode."""
    if sys.version_info[:2] != (3, 11):
        raise BuildError("the images run Python 3.11: build them with Python 3.11")
    source = REPOSITORY / requirements
    name = f"site-{source.stem}"

    def make(folder: Path) -> None:
        target = folder / "site"
        run(
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps"),
            *("--require-hashes", "--target", target, "--requirement", source),
        )
        _strip(target)
        for script in (target / "bin").glob("*"):
            _run_with_images_python(script)
        run(
            *(sys.executable, "-m", "compileall", "-q", "-s", target, "-p", "/opt/site"),
            *("--invalidation-mode", "unchecked-hash", target),
        )

    return _cached(cache, name, content_hash([source, Path(__file__)]), make)


def debian(package: str, cache: Path) -> Path:
    """Unpacks a Debian package into <folder>/debian; apt checks its signature."""

    def make(folder: Path) -> None:
        run("apt-get", "download", "--quiet", package, cwd=folder)
        archive = next(folder.glob("*.deb"))
        run("dpkg", "--extract", archive, folder / "debian")
        archive.unlink()

    return _cached(cache, f"debian-{package}", content_hash([Path(__file__)], package), make)


def go(module: str, cache: Path) -> Path:
    """Builds the tools that a Go module locks into <folder>/go/bin."""
    source = REPOSITORY / module

    def make(folder: Path) -> None:
        command = next(
            json.loads(line)
            for line in (source / "Dockerfile").read_text().replace("RUN ", "").splitlines()
            if line.startswith('["go", "build"')
        )
        command[command.index("/go/bin/")] = f"{folder}/go/bin/"
        (folder / "go" / "bin").mkdir(parents=True)
        run("env", "CGO_ENABLED=0", *command, cwd=source)

    return _cached(cache, f"go-{source.name}", content_hash([source]), make)


def data(cache: Path) -> Path:
    """Fetches the demonstration's data set into <folder>/data."""

    def make(folder: Path) -> None:
        destination = folder / "data" / "elec2.csv.gz"
        run(sys.executable, "-m", "demo.data.fetch", destination, cwd=REPOSITORY)

    sources = [REPOSITORY / "demo/data/fetch.py", REPOSITORY / "requirements/demo-data.txt"]
    return _cached(cache, "data", content_hash(sources), make)


def _cached(cache: Path, name: str, digest: str, make: Callable[[Path], None]) -> Path:
    folder = cache / f"{name}-{digest}"
    if not folder.exists():
        print(f"{name}: fetching", flush=True)
        part = cache / f"{name}.part"
        if part.exists():
            shutil.rmtree(part)
        part.mkdir(parents=True)
        make(part)
        os.replace(part, folder)
        discard_others(folder, f"{name}-????????????")
    return folder


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
