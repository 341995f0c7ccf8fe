"""DVC itself, a Git server, versitygw and the program that brings data into a trainer's pod."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from evenkeel.adapters.access import Access, basic
from evenkeel.adapters.s3.s3 import S3
from evenkeel.adapters.sigv4 import Keys
from evenkeel.adapters.web import Web
from evenkeel.outside.s3 import Bucket, Look

from dev.cluster.pki import Authority
from dev.versitygw import ACCESS_KEY, REGION, SECRET_KEY, Versitygw
from tests.support.api_server import ApiServer
from tests.support.controllers import controllers
from tests.support.dvc_project import PASSWORD, Project
from tests.support.git_server import Backend, Repository, serving
from tests.support.manifests import manifest
from tests.support.operating import World, until, world
from tests.support.training_pods import REPORT, ended, going, runs, tell


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


@pytest.mark.short
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


@pytest.mark.parametrize("mutual", [False, True])
async def test_a_git_server_with_an_authority_of_its_own_and_a_token(
    place: Project, mutual: bool
) -> None:
    authority = Authority(place.home / "pki")
    pair = authority.issue("server", "git", hosts=["localhost"])
    own = authority.issue("client", "evenkeel")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.pair.cert))
    context.load_cert_chain(pair.cert, pair.key)
    context.verify_mode = ssl.CERT_REQUIRED if mutual else ssl.CERT_NONE
    backend = Backend(place.home)
    backend.authorization = "Bearer a-token-of-git"
    rev = place.repository.push({"data/notes.txt": "a file of Git's\n"})
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", backend.handle)
    server = TestServer(app, scheme="https", host="localhost")
    await server.start_server(ssl=context)
    shown = {
        "DATA_REPO": f"https://localhost:{server.port}/data.git",
        "DATA_PATH": "data/notes.txt",
        "DATA_GIT_TOKEN": "a-token-of-git",
        "DATA_GIT_CERTIFICATE": own.cert.read_text(),
        "DATA_GIT_KEY": own.key.read_text(),
    }
    try:
        found = await place.bring(**shown, DATA_GIT_CA=authority.pair.cert.read_text())
        stranger = await place.bring(**shown)
    finally:
        await server.close()
    assert found.told["rev"] == rev
    assert "a-token-of-git" not in found.log
    assert "certificate" in stranger.words
    assert stranger.words.endswith("what its Secret's user may read")


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
    store = {"DATA_S3_ADDRESSING": "Path", "DATA_S3_REGION": REGION}
    return {"DATA_S3_URI": uri, "DATA_S3_ENDPOINT": gateway.url, **store, **more}


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
    reached = Web()
    try:
        question = Look(Bucket(place.store.name, REGION), "days/")
        access = Access(gateway.url, keys=Keys(ACCESS_KEY, SECRET_KEY))
        told: Any = await S3(reached)(question, access, None)
    finally:
        await reached.close()
    assert found.told == {"digest": told.digest, "size": 3, "files": 2}
    one = await place.bring(
        **objects(place, gateway, DATA_S3_URI=f"s3://{place.store.name}/days/01/b.csv")
    )
    assert one.files == {"b.csv": "22"}
    whole = await place.bring(**objects(place, gateway, DATA_S3_URI=f"s3://{place.store.name}/"))
    assert whole.files == put


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


@pytest.fixture
async def w(api_server: ApiServer, namespace: str, tmp_path: Path) -> AsyncIterator[World]:
    """A world in which Jobs make pods."""
    with controllers(api_server, tmp_path, "job-controller", "garbage-collector-controller"):
        async with world(api_server, namespace) as made:
            yield made


def give_secrets(w: World, project: Project) -> None:
    for name, values in (
        ("git", {"username": "ci", "password": PASSWORD}),
        ("store", project.variables),
    ):
        literals = (f"--from-literal={key}={value}" for key, value in values.items())
        w.server.kubectl("-n", w.ns.name, "create", "secret", "generic", name, *literals)


def by_data(project: Project) -> dict[str, Any]:
    """As the tutorial has it."""
    data = {"repo": project.url, "path": "data/train", "secretName": "git"}
    made = manifest("RetrainSchedule", "{}", "elec")
    made["spec"] |= {
        "model": "elec",
        "triggers": [{"name": "data", "gitData": data}],
        "training": {
            "data": [
                {
                    "name": "train",
                    "mountPath": "/data/train",
                    "dvc": {**data, "remoteSecretName": "store"},
                }
            ],
            "podTemplate": {"spec": {"containers": [{"name": "trainer", "image": "x"}]}},
        },
    }
    return made


def environment(w: World, container: dict[str, Any]) -> dict[str, str]:
    """What the kubelet makes of a container's variables."""

    def secret(name: str) -> dict[str, str]:
        found = w.server.http.get(f"/api/v1/namespaces/{w.ns.name}/secrets/{name}")
        return {k: base64.b64decode(v).decode() for k, v in found.json()["data"].items()}

    given: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        given |= secret(source["secretRef"]["name"])
    for variable in container["env"]:
        if (reference := variable.get("valueFrom", {}).get("secretKeyRef")) is None:
            given[variable["name"]] = variable.get("value", "").replace("$$", "$")
        elif (value := secret(reference["name"]).get(reference["key"])) is not None:
            given[variable["name"]] = value
    del given["DATA_FOLDER"]
    return given


async def test_a_push_of_data_trains_on_them_and_is_told_of_the_version(
    w: World, project: Project
) -> None:
    give_secrets(w, project)
    project.change(1)
    async with w.operator() as operator:
        w.ns.create(by_data(project))
        await until(
            lambda: w.ns.status("elec", "RetrainSchedule")["triggers"][0].get("lastRevision")
        )
        rev = project.change(2, push=False)
        assert operator._polls.hint(lambda namespace, poll: poll.kind == "git") == 1
        await until(lambda: w.ns.all("TrainingRun"), "the run")
        name = w.ns.all("TrainingRun")[0]["metadata"]["name"]
        await until(lambda: going(w.ns, name), "its pod")
        (pod,) = going(w.ns, name)
        (container,) = pod["spec"]["initContainers"]
        bringing = asyncio.create_task(project.bring(**environment(w, container)))
        initializer = {"initContainerStatuses": [runs(container["name"])]}
        tell(w.ns, pod, "Pending", **initializer)
        await until(
            lambda: "being brought or waited for" in w.ns.ready(name, "TrainingRun")["message"]
        )
        # The branch moves on before the data of the run's commit are there.
        await asyncio.to_thread(project.change, 3)
        await asyncio.to_thread(project.dvc, "push", "-q", "--all-commits")
        brought = await bringing
        assert (brought.told["rev"], brought.files["part1.csv"]) == (rev, "2,1\n" * 100)
        done = [ended(container["name"], 0, brought.words)]
        tell(w.ns, pod, "Running", runs("trainer"), initContainerStatuses=done)
        await until(lambda: w.ns.status(name, "TrainingRun").get("data"))
        more = {"initContainerStatuses": done}
        tell(w.ns, pod, "Succeeded", ended("trainer", 0, REPORT), **more)
        await until(lambda: w.ns.all("ModelVersion"), "the version")
        (version,) = w.ns.all("ModelVersion")
        where = {"name": "train", "repo": project.url, "path": "data/train"}
        assert version["spec"]["data"] == [{**where, **brought.told}]
        assert version["spec"]["dataRevision"] == rev
        await until(lambda: w.ns.status(version["metadata"]["name"], "ModelVersion").get("lineage"))
        lineage = w.ns.status(version["metadata"]["name"], "ModelVersion")["lineage"]
        digest = brought.told["digest"]
        assert lineage.startswith(
            f"data data: data/train at {rev[:12]} ({digest}, 1200 bytes in 3 files) -> "
            f"TrainingRun {name} -> ModelVersion "
        )
        assert PASSWORD not in json.dumps(w.ns.get("Job", name))
