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

from cluster.errors import ClusterError
from cluster.host import program

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
        """Import and unpack an archive; the references of its images."""
        arguments = ("images", "import", "--snapshotter", snapshotter, str(archive.resolve()))
        said = self._checked(*arguments)
        return [line.split()[1] for line in said.splitlines() if line.startswith("unpacking ")]

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
