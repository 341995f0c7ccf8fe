"""DVC itself, a Git server, versitygw and the program that brings data into a trainer's pod."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from evenkeel.adapters.access import Access, basic
from evenkeel.adapters.s3.s3 import S3
from evenkeel.adapters.sigv4 import Keys
from evenkeel.adapters.web import Web
from evenkeel.outside.s3 import Bucket, Look

from dev.environment import interpreter
from dev.paths import ROOT
from dev.versitygw import ACCESS_KEY, REGION, SECRET_KEY, Versitygw
from tests.support.git_server import Backend, Repository, serving

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


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Versitygw]:
    made = Versitygw(tmp_path_factory.mktemp("s3"))
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
async def place(tmp_path: Path, gateway: Versitygw) -> AsyncIterator[Project]:
    """A repository and a bucket, without DVC."""
    repository, backend = Repository(tmp_path), Backend(tmp_path)
    backend.authorization = basic("ci", PASSWORD)
    bucket = f"bucket-{len(list(gateway.buckets.iterdir()))}"
    store = gateway.bucket(bucket)
    keys = {k: v for k, v in gateway.environment().items() if k != "AWS_ENDPOINT_URL"}
    async with serving(backend) as url:
        yield Project(tmp_path, repository, f"{url}/data.git", store, keys)


@pytest.fixture
def project(place: Project, gateway: Versitygw) -> Project:
    place.dvc("init", "-q")
    place.dvc("remote", "add", "-q", "-d", "store", f"s3://{place.store.name}/dvc")
    place.dvc("remote", "modify", "-q", "store", "endpointurl", gateway.url)
    place.repository.write({"data/notes.txt": "a file of Git's\n"})
    return place


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
    (found,) = [f for f in project.store.rglob("*") if f.is_file() and b"1,2\n" in f.read_bytes()]
    found.unlink()
    found.write_text("cut off")
    brought = await project.bring(DATA_REV=rev)
    assert brought.code == 1
    assert "part2.csv is not there as the commit has it" in brought.words


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
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "correct the Secret in dvc.remoteSecretName"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "dvc.remoteSecretName"),
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


def objects(place: Project, gateway: Versitygw, **more: str) -> dict[str, str]:
    uri = f"s3://{place.store.name}/days"
    return {"DATA_S3_URI": uri, "DATA_S3_ENDPOINT": gateway.url, **more}


async def test_objects_of_a_store_are_those_that_the_trigger_tells_of(
    place: Project, gateway: Versitygw
) -> None:
    put = {"days/01/a.csv": "1", "days/01/b.csv": "22", "days.csv": "none of them"}
    for name, text in put.items():
        file = place.store / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    found = await place.bring(**objects(place, gateway))
    assert found.files == {"01/a.csv": "1", "01/b.csv": "22"}
    web = Web()
    try:
        question = Look(Bucket(place.store.name, REGION), "days/")
        access = Access(gateway.url, keys=Keys(ACCESS_KEY, SECRET_KEY))
        told: Any = await S3(web)(question, access, None)
    finally:
        await web.close()
    assert found.told == {"digest": told.digest, "size": 3, "files": 2}
    one = await place.bring(
        **objects(place, gateway, DATA_S3_URI=f"s3://{place.store.name}/days/01/b.csv")
    )
    assert one.files == {"b.csv": "22"}


async def test_objects_that_are_not_there_yet_are_waited_for(
    place: Project, gateway: Versitygw
) -> None:
    waiting = asyncio.create_task(place.bring(**objects(place, gateway, DATA_WAIT_SECONDS="120")))
    await asyncio.sleep(0)
    (place.store / "days").mkdir()
    (place.store / "days" / "a.csv").write_text("1")
    assert (await waiting).files == {"a.csv": "1"}


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({}, "/days has no objects; that is so for 0 s (waitSeconds)"),
        ({"DATA_S3_URI": "s3://none/days"}, "NoSuchBucket: "),
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "SignatureDoesNotMatch: "),
        (
            {"AWS_ACCESS_KEY_ID": "nobody"},
            "No user exists with the provided access key ID.; correct",
        ),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "AccessDenied: "),
        ({"DATA_S3_ENDPOINT": "http://127.0.0.1:1"}, "Could not connect to the endpoint"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value,
)
async def test_objects_that_cannot_be_brought_say_why(
    place: Project, gateway: Versitygw, variables: dict[str, str], says: str
) -> None:
    found = await place.bring(**objects(place, gateway, **variables))
    assert found.code == 1
    assert says in found.words
