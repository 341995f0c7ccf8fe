"""Images as archives: writing small ones, and reading them into containerd."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dev.cluster.errors import ClusterError
from dev.cluster.host import program

PAUSE_IMAGE = "localhost/evenkeel-pause:1"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write_archive(
    archive: Path, tag: str, files: Mapping[str, Path], command: Sequence[str]
) -> None:
    """Write a docker-archive with one layer: `files` gives the source of each path inside."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for inside, source in sorted(files.items()):
            entry = tarfile.TarInfo(inside)
            entry.size, entry.mode = source.stat().st_size, 0o755
            with source.open("rb") as content:
                tar.addfile(entry, content)
    layer_digest = hashlib.sha256(layer.getvalue()).hexdigest()
    config = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Cmd": list(command)},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
    }
    config_bytes = json.dumps(config).encode()
    config_name = f"{hashlib.sha256(config_bytes).hexdigest()}.json"
    layer_name = f"{layer_digest}.tar"
    manifest = [{"Config": config_name, "RepoTags": [tag], "Layers": [layer_name]}]
    parts = {
        layer_name: layer.getvalue(),
        config_name: config_bytes,
        "manifest.json": json.dumps(manifest).encode(),
    }
    with tarfile.open(archive, "w") as tar:
        for name, content_bytes in parts.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content_bytes)
            tar.addfile(entry, io.BytesIO(content_bytes))


def names_in(archive: Path) -> list[str]:
    """The image names in a docker-archive or OCI tar.

    Raises ClusterError when it is neither, or names no image: no pod could refer to it.
    """
    try:
        with tarfile.open(archive) as tar:
            names = _names(tar)
    except (tarfile.TarError, json.JSONDecodeError, OSError) as error:
        raise ClusterError(
            f"{archive} cannot be read as an image archive: {error}",
            "give a docker-archive or OCI tar, such as `docker save NAME:TAG` writes",
        ) from error
    if not names:
        raise ClusterError(
            f"{archive} names no image", "write it with a name, such as `docker save NAME:TAG`"
        )
    return names


def _names(tar: tarfile.TarFile) -> list[str]:
    members = set(tar.getnames())

    def read(name: str) -> Any:
        file = tar.extractfile(name) if name in members else None
        return json.load(file) if file else None

    tags = [tag for image in read("manifest.json") or [] for tag in image.get("RepoTags") or []]
    if tags:
        return tags
    found = (m.get("annotations", {}) for m in (read("index.json") or {}).get("manifests", []))
    keys = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
    return [name for a in found if (name := next((a[k] for k in keys if k in a), None))]


class Containerd:
    """The namespace that kubelet uses in one containerd, reached by `ctr`."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def answers(self) -> bool:
        return self._ctr("version").returncode == 0

    def images(self) -> list[str]:
        """The references of the images that are present."""
        return self._checked("images", "ls", "-q").split()

    def load(self, archive: Path, snapshotter: str) -> list[str]:
        """Import and unpack an archive; its image names. ClusterError when it names none."""
        names = names_in(archive)
        self._checked("images", "import", "--snapshotter", snapshotter, str(archive.resolve()))
        return names

    def tasks(self) -> list[str]:
        """The containers that run, pods' sandboxes included."""
        return self._checked("tasks", "ls", "-q").split()

    def kill_all(self) -> None:
        """Kill what runs; kubelet still tears the pods down."""
        for task in self.tasks():
            self._ctr("tasks", "kill", "--signal", "SIGKILL", task)

    def containers(self) -> list[str]:
        return self._checked("containers", "ls", "-q").split()

    def remove(self, container: str) -> None:
        """Kill and remove one container."""
        self._ctr("tasks", "delete", "--force", container)
        self._ctr("containers", "delete", container)

    def _checked(self, *arguments: str) -> str:
        done = self._ctr(*arguments)
        if done.returncode != 0:
            raise ClusterError(
                f"ctr {' '.join(arguments)} failed: {done.stderr.strip()}",
                "an archive must be a docker-archive or OCI tar; see `logs containerd` otherwise",
            )
        return done.stdout

    def _ctr(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [program("ctr"), "--address", str(self._socket), "--namespace", "k8s.io"]
        return subprocess.run(
            [*command, *arguments], capture_output=True, text=True, check=False, timeout=300
        )
