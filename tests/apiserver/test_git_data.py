"""Data in a private Git repository that train a model: from the push to the trainer's variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from evenkeel.adapters.access import basic
from evenkeel.process.operator import Operator

from tests.support.git_server import DIGEST, Backend, Repository, serving, tracked
from tests.support.operating import World, schedule, until

JSON = dict[str, Any]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path)
    made.push({"data/train.dvc": tracked(1, size=12, files=3)})
    return made


@pytest.fixture
async def backend(tmp_path: Path, repository: Repository) -> Backend:
    made = Backend(tmp_path)
    made.authorization = basic("ci", "geheim")
    return made


def by_data(url: str) -> JSON:
    made = schedule()
    data = {"repo": f"{url}/data.git", "path": "data/train", "secretName": "git"}
    made["spec"]["triggers"].append({"name": "data", "gitData": data})
    made["spec"]["cooldownSeconds"] = 0
    return made


def give_secret(w: World, password: str = "geheim") -> None:
    w.server.kubectl(
        *("-n", w.ns.name, "create", "secret", "generic", "git"),
        *("--from-literal=username=ci", f"--from-literal=password={password}"),
    )


def trigger(w: World) -> JSON:
    found: JSON = w.ns.status("retrain", "RetrainSchedule")["triggers"][1]
    return found


def sources(w: World) -> JSON:
    conditions = w.ns.status("retrain", "RetrainSchedule").get("conditions", ())
    found: JSON = next((c for c in conditions if c["type"] == "SourcesRead"), {})
    return found


def look(operator: Operator) -> None:
    """What a webhook of the Git server would do: the next look comes at once."""
    assert operator._polls.hint(lambda namespace, poll: poll.kind == "git") == 1


async def looked(w: World, operator: Operator, backend: Backend) -> None:
    """Waits for one more look, to its end."""
    before = len(backend.asked)
    look(operator)
    await until(lambda: len(backend.asked) > before + 1, "a look")
    await until(lambda: not operator._polls._tasks, "its end")
    await until(lambda: operator._controller.queue.depth() == 0, "what follows")


async def test_new_data_train_once_and_other_commits_never(
    w: World, repository: Repository, backend: Backend
) -> None:
    give_secret(w)
    async with serving(backend) as url:
        async with w.operator() as operator:
            w.ns.create(by_data(url))
            await until(lambda: trigger(w)["lastRevision"]["digest"] == f"md5:{DIGEST}1.dir")
            assert w.ns.all("TrainingRun") == [], "what was there is where changes count from"
            repository.push({"README": "another commit"})
            await looked(w, operator, backend)
            rev = repository.push({"data/train.dvc": tracked(2, size=34, files=5)})
            look(operator)
            await until(lambda: w.ns.all("Job"), "the training")
            repository.push({"README": "one more"})
            await looked(w, operator, backend)
        (run,) = w.ns.all("TrainingRun")
        cause = run["spec"]["cause"]
        assert (cause["type"], cause["trigger"], cause["change"]) == ("Data", "data", 1)
        assert cause["data"] == {
            "repo": f"{url}/data.git",
            "rev": rev,
            "path": "data/train",
            "digest": f"md5:{DIGEST}2.dir",
            "size": 34,
            "files": 5,
        }
        (job,) = w.ns.all("Job")
        (container,) = job["spec"]["template"]["spec"]["containers"]
        given = {e["name"]: e.get("value") for e in container["env"]}
        assert given["EVENKEEL_DATA_REV"] == rev
        assert given["EVENKEEL_DATA_DIGEST"] == f"md5:{DIGEST}2.dir"
        assert (sources(w)["status"], sources(w)["reason"]) == ("True", "Read")
        before = w.ns.versions()
        asked = len(backend.asked)
        async with w.operator() as operator:
            await until(lambda: len(backend.asked) > asked + 1, "a look of the next leader")
            await looked(w, operator, backend)
        assert len(w.ns.all("TrainingRun")) == 1
        assert w.ns.versions() == before, "a restart writes nothing"
        assert "geheim" not in str(w.ns.get("RetrainSchedule", "retrain"))


async def test_a_commit_after_a_forced_push_back_trains_without_a_restart(
    w: World, repository: Repository, backend: Backend
) -> None:
    give_secret(w)
    old = repository.git("rev-parse", "HEAD")
    async with serving(backend) as url, w.operator() as operator:
        w.ns.create(by_data(url))
        await until(lambda: trigger(w)["lastRevision"]["digest"] == f"md5:{DIGEST}1.dir")
        repository.push({"data/train.dvc": tracked(2)})
        look(operator)
        await until(lambda: len(w.ns.all("TrainingRun")) == 1, "the new data")
        repository.git("reset", "-q", "--hard", old)
        repository.git("push", "-q", "-f", "origin", f"{old}:refs/heads/main")
        await looked(w, operator, backend)
        assert len(w.ns.all("TrainingRun")) == 1, "what comes back is not trained again"
        rev = repository.push({"README": "more"})
        look(operator)
        w.ns.patch("RetrainSchedule", "retrain", {"spec": {"concurrencyPolicy": "Replace"}})
        await until(lambda: len(w.ns.all("TrainingRun")) == 2, "the same data in a new commit")
        revs = {run["spec"]["cause"]["data"]["rev"] for run in w.ns.all("TrainingRun")}
        assert rev in revs
        repository.push({"README": "and more"})
        await looked(w, operator, backend)
        assert len(w.ns.all("TrainingRun")) == 2


async def test_a_source_that_cannot_be_read_says_what_to_do(
    w: World, repository: Repository, backend: Backend
) -> None:
    async with serving(backend) as url, w.operator() as operator:
        w.ns.create(by_data(url))
        says = f"there is no Secret 'git' of namespace {w.ns.name}; create it"
        await until(lambda: says in sources(w).get("message", ""))
        assert sources(w)["reason"] == "SourceAccessDenied"
        assert backend.asked == []
        ready = w.ns.ready("retrain", "RetrainSchedule")
        assert (ready["status"], ready["reason"]) == ("True", "Scheduled")
        give_secret(w, "falsch")
        operator._by_name._known._values.clear()
        look(operator)
        await until(lambda: "answered 401: wants credentials; correct" in sources(w)["message"])
        assert trigger(w)["failure"].startswith("SourceAccessDenied: ")
        assert "falsch" not in str(w.ns.get("RetrainSchedule", "retrain"))


async def test_an_address_that_the_platform_does_not_allow(
    w: World, repository: Repository, backend: Backend
) -> None:
    give_secret(w)
    async with serving(backend) as url, w.operator(sources_allowed=("https://git.example",)):
        w.ns.create(by_data(url))
        await until(lambda: sources(w).get("reason") == "SourceNotAllowed")
        assert "sources.allowed" in sources(w)["message"]
        assert backend.asked == []
