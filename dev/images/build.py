"""Builds the images for the end-to-end tests: `python -m dev.images.build [NAME...]`.

Prints the path of each archive on standard output, one a line; progress goes there too, with the
image's name before it, only while something is built.
"""

import argparse
import fcntl
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from dev.cluster import binaries, host
from dev.cluster.errors import ClusterError
from dev.images import base, catalog, parts
from dev.images.buildah import Buildah
from dev.images.catalog import IMAGES, Image
from dev.images.tools import BuildError, content_hash, discard_others
from dev.paths import ROOT

TOOLS = ("mmdebstrap", "buildah")
"""Programs that build images, by the names of their Debian packages."""


def cache_folder() -> Path:
    """Where archives, parts and buildah's store are kept."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "evenkeel" / "images"


def archive(image: Image, cache: Path) -> Path:
    """Path of the image's archive; its name changes with anything that the image is made of."""
    machinery = sorted(set(Path(__file__).parent.glob("*.py")) - {Path(catalog.__file__)})
    paths = [ROOT / image.dockerfile, *machinery]
    paths += [ROOT / source for source in image.sources]
    if image.requirements:
        paths.append(ROOT / image.requirements)
    if image.module:
        paths.append(ROOT / image.module)
    if image.binary:
        paths.append(binaries.lock(image.binary))
    if image.data:
        paths.append(ROOT / "requirements/demo-data.txt")
    return cache / f"{image.name}-{content_hash(paths, repr(image))}.tar"


def build(image: Image, cache: Path) -> Path:
    """Path of the image's archive, built unless it is current; raises BuildError."""
    target = archive(image, cache)
    if target.exists():
        return target
    began = time.monotonic()
    buildah = Buildah(cache / "store")
    reference = base.ensure(buildah, cache)
    contexts = {}
    if image.mounted:
        contexts["site"] = parts.empty_site(cache)
    elif image.requirements:
        contexts["site"] = parts.site(image.requirements, cache)
    if image.package:
        contexts["debian"] = parts.debian(image.package, cache)
    if image.module:
        contexts["go"] = parts.go(image.module, cache)
    if image.binary:
        contexts["go"] = parts.binary(image.binary, cache)
    if image.data:
        contexts["data"] = parts.data(cache)
    print(f"{image.name}: building", flush=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        _copy_sources(image, Path(folder))
        dockerfile = ROOT / image.dockerfile
        buildah.build(dockerfile, Path(folder), reference, contexts, image.tag)
    part = target.with_suffix(".part")
    buildah.save(image.tag, part)
    os.replace(part, target)
    discard_others(target, f"{image.name}-????????????.tar")
    buildah.prune()
    size = target.stat().st_size / 2**20
    print(f"{image.name}: {size:.0f} MiB in {time.monotonic() - began:.0f} s", flush=True)
    return target


def _copy_sources(image: Image, context: Path) -> None:
    for source in image.sources:
        origin = ROOT / source
        if not origin.exists():
            raise BuildError(f"{image.name}: {source} does not exist in the repository")
        destination = context / source
        destination.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "Dockerfile")
            shutil.copytree(origin, destination, ignore=ignored)
        else:
            shutil.copy(origin, destination)


def main() -> None:
    known = {image.name: image for image in IMAGES}
    parser = argparse.ArgumentParser(description="Builds the end-to-end tests' images.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    names = parser.parse_args().names or list(known)
    for name in names:
        if name not in known:
            parser.error(f"unknown image {name!r}: choose from {', '.join(known)}")
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
            host.install(missing, lambda line: print(line, flush=True), recommended=True)
        for name in names:
            print(build(known[name], cache), flush=True)


if __name__ == "__main__":
    try:
        main()
    except (BuildError, ClusterError) as error:
        sys.exit(f"error: {error}")
