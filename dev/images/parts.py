"""What the Dockerfiles' stages `site`, `debian`, `go` and `data` provide, made here and cached.

Each function answers a folder that stands in for the stage's root.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from dev.cluster import binaries
from dev.images import wheels
from dev.images.tools import BuildError, content_hash, discard_others, run
from dev.paths import ROOT


def site(requirements: str, cache: Path) -> Path:
    """Installs a locked requirements file into <folder>/site."""
    source = ROOT / requirements

    def make(folder: Path) -> None:
        wheels.install(source, folder / "site")

    digest = content_hash([source, Path(wheels.__file__)])
    return _cached(cache, f"site-{source.stem}", digest, make)


def empty_site(cache: Path) -> Path:
    """An empty <folder>/site, where a pod mounts what was installed elsewhere."""
    return _cached(cache, "no-site", content_hash([]), lambda folder: (folder / "site").mkdir())


def debian(package: str, cache: Path) -> Path:
    """Unpacks Debian packages into <folder>/debian; apt checks their signatures."""
    names = package.split()

    def make(folder: Path) -> None:
        try:
            run("apt-get", "download", "--quiet", *names, cwd=folder)
        except BuildError:
            # A machine that has never installed anything has no lists of packages yet.
            run("apt-get", "update", "--quiet")
            run("apt-get", "download", "--quiet", *names, cwd=folder)
        for archive in sorted(folder.glob("*.deb")):
            run("dpkg", "--extract", archive, folder / "debian")
            archive.unlink()

    return _cached(cache, f"debian-{names[0]}", content_hash([], package), make)


def go(module: str, cache: Path) -> Path:
    """Builds what the Dockerfile in a Go module's folder builds into <folder>/go/bin."""
    source = ROOT / module

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


def binary(name: str, cache: Path) -> Path:
    """Puts one of the cluster's commands into <folder>/go/bin; it is built on its first use."""
    built = binaries.ensure([name], lambda line: print(f"{name}: {line}", flush=True))[name]

    def make(folder: Path) -> None:
        target = folder / "go" / "bin"
        target.mkdir(parents=True)
        shutil.copy(built, target)

    return _cached(cache, f"binary-{name}", content_hash([binaries.lock(name)]), make)


def data(cache: Path) -> Path:
    """Fetches the demonstration's data set into <folder>/data."""

    def make(folder: Path) -> None:
        destination = folder / "data" / "elec2.csv.gz"
        run(sys.executable, "-m", "demo.data.fetch", destination, cwd=ROOT)

    sources = [ROOT / "demo/data/fetch.py", ROOT / "requirements/demo-data.txt"]
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
