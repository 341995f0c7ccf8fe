"""DVC itself, a Git server and the program that brings data into a trainer's pod."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from evenkeel.adapters.access import basic

from dev.environment import interpreter
from dev.paths import ROOT
from tests.support.git_server import Backend, Repository, serving

PASSWORD = "a-password-of-git"


@dataclass
class Project:
    """A DVC project in a private repository, with a folder of data and a file."""

    home: Path
    repository: Repository
    url: str
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
        assert PASSWORD not in done.stdout + done.stderr + words.read_text()
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


@pytest.fixture
async def project(tmp_path: Path) -> AsyncIterator[Project]:
    repository, backend = Repository(tmp_path), Backend(tmp_path)
    backend.authorization = basic("ci", PASSWORD)
    async with serving(backend) as url:
        made = Project(tmp_path, repository, f"{url}/data.git")
        made.dvc("init", "-q")
        made.dvc("remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
        repository.write({"data/notes.txt": "a file of Git's\n"})
        yield made


async def test_the_pinned_revision_is_brought_whatever_came_after(project: Project) -> None:
    first = project.change(1)
    second = project.change(2)
    found = await project.bring(DATA_REV=first)
    assert sorted(found.files) == ["part0.csv", "part1.csv", "part2.csv"]
    assert found.files["part1.csv"] == "1,1\n" * 100
    told = found.told
    assert (told["rev"], told["size"], told["files"]) == (first, 1200, 3)
    assert told["digest"].startswith("md5:")
    assert told["digest"].endswith(".dir")
    newest = await project.bring(DATA_REV="main")
    assert (newest.told["rev"], newest.files["part1.csv"]) == (second, "2,1\n" * 100)
    default = await project.bring()
    assert default.told == newest.told
    one = await project.bring(DATA_REV=first, DATA_PATH="data/train/part2.csv")
    assert one.files == {"part2.csv": "1,2\n" * 100}


async def test_data_in_git_itself(project: Project) -> None:
    project.change(1)
    found = await project.bring(DATA_PATH="data/notes.txt")
    assert found.files == {"notes.txt": "a file of Git's\n"}
    assert found.told["digest"].startswith("git:")


async def test_data_that_are_pushed_after_their_commit_are_waited_for(project: Project) -> None:
    project.change(1)
    rev = project.change(2, push=False)
    missing = await project.bring(DATA_REV=rev)
    assert missing.code == 1
    assert f"data/train at {rev[:12]} cannot be had from DVC's remote" in missing.words
    assert "was dvc push forgotten?" in missing.words
    assert missing.files == {}
    waiting = asyncio.create_task(project.bring(DATA_REV=rev, DATA_WAIT_SECONDS="120"))
    await asyncio.sleep(0)
    await asyncio.to_thread(project.dvc, "push", "-q")
    found = await waiting
    assert (found.told["rev"], found.files["part0.csv"]) == (rev, "2,0\n" * 100)


async def test_data_that_are_not_what_the_commit_says_are_none(project: Project) -> None:
    rev = project.change(1)
    for file in (project.home / "store").rglob("*"):
        if file.is_file() and file.read_text().startswith("1,2"):
            file.chmod(0o644)
            file.write_text("cut off")
    found = await project.bring(DATA_REV=rev)
    assert found.code == 1
    assert "part2.csv is not there as the commit has it" in found.words


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"DATA_REV": "0" * 40}, "has no commit 000000000000 (any more)"),
        ({"DATA_REV": "nightly"}, "has no branch and no tag nightly"),
        ({"DATA_PATH": "data/test"}, "has no data data/test: neither DVC nor Git tracks them"),
        ({"DATA_REMOTE": "none"}, "correct DVC's remote in the repository, or dvc.remote"),
        ({"DATA_GIT_PASSWORD": "wrong"}, "refuses the credentials: "),
        (
            {"DATA_GIT_USERNAME": "", "DATA_GIT_PASSWORD": ""},
            "Secret 'git' is not there, or has none of the keys",
        ),
        (
            {"DATA_GIT_FROM": "", "DATA_GIT_USERNAME": "", "DATA_GIT_PASSWORD": ""},
            "name a Secret in dvc.secretName",
        ),
        ({"DATA_REPO": "http://127.0.0.1:1/data.git"}, "Failed to connect"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value,
)
async def test_what_cannot_be_brought_says_why(
    project: Project, variables: dict[str, str], says: str
) -> None:
    project.change(1)
    found = await project.bring(**variables)
    assert found.code == 1
    assert says in found.words
    assert "\n" not in found.words
    assert found.files == {}
