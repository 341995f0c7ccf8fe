"""A DVC project, and the program that brings its data as an init container does."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev.environment import interpreter
from dev.paths import ROOT
from dev.versitygw import SECRET_KEY
from tests.support.git_server import Repository

PASSWORD = "a-password-of-git"


@dataclass
class Project:
    """A DVC project in a private repository, with data in a bucket.

    store: the bucket's folder. variables: what its Secret would hold.
    """

    home: Path
    repository: Repository
    url: str
    store: Path
    variables: dict[str, str] = field(default_factory=dict)

    def dvc(self, *arguments: str) -> None:
        """Runs DVC in the clone."""
        done = subprocess.run(
            [interpreter("data"), "-m", "dvc", *arguments],
            cwd=self.home / "data",
            env={
                **os.environ,
                **self.variables,
                "HOME": str(self.home),
                "DVC_NO_ANALYTICS": "true",
                "DVC_SITE_CACHE_DIR": str(self.home / "site"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def change(self, number: int, *, push: bool = True) -> str:
        """Another state of the data; the commit."""
        texts = {f"data/train/part{n}.csv": f"{number},{n}\n" * 100 for n in range(3)}
        self.repository.write(texts)
        self.dvc("add", "-q", "data/train")
        if push:
            self.dvc("push", "-q")
        return self.repository.push({})

    async def bring(self, **variables: str) -> Brought:
        """Runs the program as the init container does."""
        return await asyncio.to_thread(self._bring, variables)

    def _bring(self, variables: dict[str, str]) -> Brought:
        folder, words = self.home / "volume", self.home / "last-words"
        folder.mkdir(exist_ok=True)
        words.unlink(missing_ok=True)
        done = subprocess.run(
            [interpreter("data"), "-m", "evenkeel.sidecars.data"],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT / "operator"),
                "DATA_FOLDER": str(folder),
                "DATA_LAST_WORDS": str(words),
                "DATA_REPO": self.url,
                "DATA_PATH": "data/train",
                "DATA_WAIT_SECONDS": "0",
                "DATA_GIT_FROM": "git",
                "DATA_GIT_USERNAME": "ci",
                "DATA_GIT_PASSWORD": PASSWORD,
                **self.variables,
                **variables,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        content = folder / "content"
        files = {
            str(file.relative_to(content)): file.read_text()
            for file in content.rglob("*")
            if file.is_file()
        }
        assert not (folder / "work").exists()
        for secret in (PASSWORD, SECRET_KEY):
            assert secret not in done.stdout + done.stderr + words.read_text()
        return Brought(done.returncode, words.read_text(), files, done.stderr)


@dataclass
class Brought:
    """What came of it. words: the last ones, files: what the trainer finds, log: on the way."""

    code: int
    words: str
    files: dict[str, str]
    log: str

    @property
    def told(self) -> dict[str, Any]:
        assert self.code == 0, self.words
        found: dict[str, Any] = json.loads(self.words)
        return found
