"""Running the programs that make images, and hashing what goes into them."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path


class BuildError(Exception):
    """An image cannot be built; the message says why and what to do."""


def run(*command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Standard output of a command; raises BuildError with its last lines when it fails."""
    words = [str(word) for word in command]
    if shutil.which(words[0]) is None:
        raise BuildError(f"{words[0]} is not installed: install the Debian package of that name")
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise BuildError(f"{' '.join(words[:4])} ... failed:\n{tail}")
    return done.stdout


def content_hash(paths: Iterable[Path], *texts: str) -> str:
    """12 hex digits over texts, and over names, modes and contents of files and folders."""
    total = hashlib.sha256()
    for text in texts:
        total.update(f"{len(text)}:{text}".encode())
    for path in paths:
        for file in _files(path):
            content = file.read_bytes()
            name = file.relative_to(path.parent)
            total.update(f"{name}:{os.access(file, os.X_OK)}:{len(content)}:".encode())
            total.update(content)
    return total.hexdigest()[:12]


def discard_others(keep: Path, pattern: str) -> None:
    """Removes the older siblings that match, so that the cache holds one of each."""
    for path in keep.parent.glob(pattern):
        if path != keep:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise BuildError(f"{path} does not exist")
    return sorted(
        file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts
    )
