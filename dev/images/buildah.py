"""buildah with a store of its own, without an engine and without a network."""

import os
from pathlib import Path

from dev.images.tools import BuildError, run


class Buildah:
    """Builds into `store`; layers are kept there, so that an unchanged step costs nothing."""

    def __init__(self, store: Path) -> None:
        if os.geteuid() != 0:
            raise BuildError("images are built by root only: run this as root")
        self._store = store
        self._driver = self._pick_driver()

    def has(self, reference: str) -> bool:
        """Whether the store holds the image."""
        return bool(self._run("images", "--quiet", "--filter", f"reference={reference}").strip())

    def import_root(self, root: Path, reference: str) -> None:
        """Makes an image of one layer from a root file system."""
        container = self._run("from", "scratch").strip()
        try:
            self._run("add", "--quiet", container, root, "/")
            self._run("config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin", container)
            self._run("config", "--env", "LANG=C.UTF-8", container)
            self._run("commit", "--quiet", container, reference)
        finally:
            self._run("rm", container)

    def build(
        self, dockerfile: Path, context: Path, base: str, contexts: dict[str, Path], tag: str
    ) -> None:
        """Builds a Dockerfile; `contexts` stand in for its stages of the same names."""
        named = [f"--build-context={name}={path}" for name, path in contexts.items()]
        self._run(
            *("build", "--quiet", "--isolation", "chroot", "--layers", "--pull-never"),
            *("--build-arg", f"BASE_IMAGE={base}", *named),
            *("--file", dockerfile, "--tag", tag, context),
        )

    def save(self, tag: str, archive: Path) -> None:
        """Writes the image as a docker-archive that bears the tag."""
        archive.unlink(missing_ok=True)
        self._run("push", "--quiet", tag, f"docker-archive:{archive}:{tag}")

    def prune(self) -> None:
        """Drops images that no tag names any more."""
        self._run("rmi", "--prune", "--force")

    def _pick_driver(self) -> str:
        # Overlay shares layers; where the kernel refuses it (as on another overlay), vfs copies.
        for driver in ("overlay", "vfs"):
            self._driver = driver
            try:
                self._run("images", "--quiet")
            except BuildError as error:
                failure = error
            else:
                return driver
        raise failure

    def _run(self, *words: str | Path) -> str:
        return run(
            *("buildah", "--storage-driver", self._driver),
            *("--root", self._store / self._driver, "--runroot", self._store / "run"),
            *words,
        )
