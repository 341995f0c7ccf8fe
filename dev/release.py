"""Makes everything that a release consists of, and publishes nothing: `python -m dev.release`.

    python -m dev.release [--final] [--no-image] [--dist DIR]

Writes to dist/: wheel and sdist, the chart, the plain manifests, the images, SHA256SUMS.
Without --final it is a dry run, which says what a release would still lack; with it, that is an
error.
Times within the archives are the last commit's, so that the same commit gives the same bytes.
"""

from __future__ import annotations

import argparse
import fcntl
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import yaml

from dev.cluster import binaries, host
from dev.cluster.errors import ClusterError
from dev.images import build as images
from dev.images.catalog import IMAGES
from dev.images.tools import BuildError
from dev.paths import ROOT

SUMS = "SHA256SUMS"
PUBLISHED = ("operator", "data", "meter")
"""Names of the images that a release has."""
Say = Callable[[str], None]


class ReleaseError(Exception):
    """Something that a release needs is missing; the message says what and what to do."""


def versions(root: Path) -> dict[str, str]:
    """Every place that states the version, and what it states."""
    chart = yaml.safe_load((root / "charts/evenkeel/Chart.yaml").read_text())
    package = (root / "operator/evenkeel/__init__.py").read_text()
    found = re.search(r'^__version__ = "(.+)"$', package, re.MULTILINE)
    return {
        "pyproject.toml": tomllib.loads((root / "pyproject.toml").read_text())["project"][
            "version"
        ],
        "charts/evenkeel/Chart.yaml version": str(chart["version"]),
        "charts/evenkeel/Chart.yaml appVersion": str(chart["appVersion"]),
        "operator/evenkeel/__init__.py": found[1] if found else "none",
    }


def version(root: Path) -> str:
    """The version of all places. Raises ReleaseError if they differ."""
    stated = versions(root)
    if len(set(stated.values())) > 1:
        told = ", ".join(f"{place} says {one}" for place, one in stated.items())
        raise ReleaseError(f"versions differ: {told}; write the same everywhere")
    return next(iter(stated.values()))


def lacking(root: Path, wanted: str) -> list[str]:
    """What the release of that version still lacks, one sentence each."""
    found = []
    heading = rf"^## \[{re.escape(wanted)}\] - (.+)$"
    section = re.search(heading, (root / "CHANGELOG.md").read_text(), re.MULTILINE)
    if section is None:
        found.append(f"CHANGELOG.md has no section [{wanted}]; write one")
    elif not re.fullmatch(r"\d{4}-\d{2}-\d{2}", section[1]):
        found.append(f"CHANGELOG.md dates [{wanted}] {section[1]!r}; write the day, as 2026-01-31")
    if changed := _git(root, "status", "--porcelain").splitlines():
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        found.append(f"the working tree is dirty ({changed[0].strip()}{more}); commit first")
    return found


def epoch(root: Path) -> int:
    """The time of the last commit in seconds since 1970."""
    return int(_git(root, "log", "-1", "--format=%ct"))


def packages(root: Path, dist: Path, time: int) -> None:
    """Sdist, and the wheel that is built from it, which proves that the sdist is complete."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        for name in ("pyproject.toml", "README.md", "LICENSE", "operator/evenkeel"):
            _copy(root / name, source / name)
        (sdist,) = _setuptools(source, "build_sdist", dist, time)
        _repack(sdist, time)
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        unpacked = Path(folder, sdist.name.removesuffix(".tar.gz"))
        _setuptools(unpacked, "build_wheel", dist, time)


def chart(root: Path, dist: Path, time: int, helm: Path) -> None:
    """The chart's archive."""
    before = set(dist.iterdir())
    _run([str(helm), "package", str(root / "charts/evenkeel"), "--destination", str(dist)])
    for made in set(dist.iterdir()) - before:
        _repack(made, time)


def manifests(root: Path, dist: Path) -> None:
    """install.yaml and runtimes.yaml as they are, and all CRDs in one file."""
    for name in ("install.yaml", "runtimes.yaml"):
        shutil.copy(root / "deploy" / name, dist / name)
    crds = (path.read_text() for path in sorted((root / "crds").glob("*.yaml")))
    (dist / "crds.yaml").write_text("".join(f"---\n{text}" for text in crds))


def published(dist: Path, wanted: str, say: Say) -> None:
    """The images as docker-archives, under the names that the manifests have."""
    cache = images.cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if missing := [tool for tool in images.TOOLS if shutil.which(tool) is None]:
            host.install(missing, say, recommended=True)
        for one in (image for image in IMAGES if image.name in PUBLISHED):
            tag = f"{one.tag.rpartition(':')[0]}:{wanted}"
            made = images.build(replace(one, name=f"{one.name}-release", tag=tag), cache)
            shutil.copy(made, dist / f"evenkeel-{one.name}-{wanted}.tar")


def sums(dist: Path) -> str:
    """SHA256SUMS of all files in dist, as sha256sum writes and checks it."""
    files = sorted(path for path in dist.iterdir() if path.name != SUMS)
    return "".join(f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.name}\n" for f in files)


def release(root: Path, dist: Path, *, final: bool, with_image: bool, say: Say) -> None:
    """Fills dist anew. Raises ReleaseError; with `final` also for what a release lacks."""
    wanted = version(root)
    if missing := lacking(root, wanted):
        if final:
            raise ReleaseError("; ".join(missing))
        for sentence in missing:
            say(f"dry run: {sentence}")
    if dist.exists() and any(dist.iterdir()) and not (dist / SUMS).exists():
        raise ReleaseError(f"{dist} holds something else than a release; name another --dist")
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir(parents=True)
    time = epoch(root)
    packages(root, dist, time)
    chart(root, dist, time, binaries.client("helm", say))
    manifests(root, dist)
    if with_image:
        published(dist, wanted, say)
    else:
        say("without the images, as asked")
    (dist / SUMS).write_text(sums(dist))
    for line in (dist / SUMS).read_text().splitlines():
        say(line)


def _setuptools(source: Path, hook: str, dist: Path, time: int) -> list[Path]:
    """Calls the build backend in the source folder; what it has made in dist."""
    before = set(dist.iterdir())
    call = f"from setuptools import build_meta; build_meta.{hook}({str(dist)!r})"
    _run([sys.executable, "-c", call], cwd=source, SOURCE_DATE_EPOCH=str(time))
    return sorted(set(dist.iterdir()) - before)


def _copy(origin: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    if origin.is_dir():
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "Dockerfile")
        shutil.copytree(origin, destination, ignore=ignored)
    else:
        shutil.copy(origin, destination)


def _repack(path: Path, time: int) -> None:
    """Rewrites a .tar.gz with fixed order, times, owners and modes."""
    with tarfile.open(path) as archive:
        members = [(member, archive.extractfile(member)) for member in archive.getmembers()]
        part = path.with_suffix(".part")
        with (
            part.open("wb") as raw,
            gzip.GzipFile("", "wb", mtime=time, fileobj=raw) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as made,
        ):
            for member, content in sorted(members, key=lambda pair: pair[0].name):
                plain = tarfile.TarInfo(member.name)
                plain.type, plain.size, plain.mtime = member.type, member.size, time
                plain.mode = 0o755 if member.isdir() else 0o644
                made.addfile(plain, content)
    os.replace(part, path)


def _git(root: Path, *arguments: str) -> str:
    return _run(["git", "-C", str(root), *arguments])


def _run(command: Iterable[str], cwd: Path | None = None, **environment: str) -> str:
    done = subprocess.run(
        list(command),
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ReleaseError(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--final", action="store_true", help="refuse what a release lacks")
    parser.add_argument("--no-image", action="store_true", help="leave the images out")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist")
    options = parser.parse_args(arguments)
    try:
        release(
            ROOT,
            options.dist.resolve(),
            final=options.final,
            with_image=not options.no_image,
            say=lambda line: print(line, flush=True),
        )
    except (ReleaseError, BuildError, ClusterError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
