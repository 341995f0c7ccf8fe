"""New data in Git and DVC train, serve and are named by the version that came of them.

It is the example search-ranking, as its README has its reader do it: somebody at a desk versions
judgements by DVC, and pushes them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.paths import ROOT
from dev.stack.install import Stack
from e2e.support.world import World, quiet_afterwards

EXAMPLE = ROOT / "examples" / "search-ranking"
MANIFESTS = Path(__file__).with_name("manifests")
NAMESPACE = "search"
NAME = "search-ranking"
BEGIN = (
    "git clone -q http://ci:only-for-these-tests@git:8080/search.git .",
    "git checkout -q -b main",
    "git config user.email desk@example.com",
    "git config user.name desk",
    "dvc init -q",
    "dvc remote add -q -d store s3://data/search",
    "dvc remote modify -q store endpointurl http://store:7070",
    "git add .",
    "git commit -q -m init",
)
ROUND_1, ROUND_2 = (
    (
        f"python3 /work/judgements.py {number} data/judgements",
        "dvc add -q data/judgements",
        "git add .",
        f"git commit -q -m round-{number}",
    )
    for number in (1, 2)
)
SEND_DATA = "dvc push -q"
SEND = "git push -q -u origin main"
RUN = """
import json, os, subprocess, sys
os.makedirs("/work/search", exist_ok=True)
os.chdir("/work/search")
for words in json.loads(sys.argv[1]):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout)
    if done.returncode:
        sys.exit(f"{words}: {done.returncode}")
"""
"""The image has no shell."""


@pytest.fixture(scope="module")
def search(integrated: Stack) -> Iterator[World]:
    """A namespace with a Git server, an object store and a desk."""
    w = World(integrated, NAMESPACE)
    for name in ("store", "git"):
        w.kubectl("apply", "-f", str(MANIFESTS / f"{name}.yaml"))
    for name in ("store", "git"):
        integrated.rollout(NAMESPACE, name, 300)
    w.kubectl("wait", "--for=condition=Ready", "pod/desk", "--timeout=180s")
    take = "import sys; open('/work/judgements.py', 'w').write(sys.stdin.read())"
    script = (EXAMPLE / "judgements.py").read_text()
    w.kubectl("exec", "-i", "desk", "--", "python3", "-c", take, stdin=script)
    with quiet_afterwards(w):
        yield w


def test_new_data_train_and_other_commits_do_not(search: World) -> None:
    at_desk(search, *BEGIN, *ROUND_1, SEND_DATA, SEND)
    search.kubectl("apply", "-k", str(EXAMPLE))
    search.until(
        "the branch was read",
        lambda: search.condition("retrainschedule", NAME, "SourcesRead").get("status") == "True",
    )
    assert search.objects("trainingruns") == [], "the first revision is where changes count from"

    at_desk(search, "git commit -q --allow-empty -m words", SEND)
    at_desk(search, *ROUND_2, SEND)
    run = search.until("a run was made", lambda: search.objects("trainingruns"))[0]["metadata"]
    search.until("it waits for its data", lambda: waits(search, run["name"]))
    at_desk(search, SEND_DATA)
    version = trained(search, run["name"])

    commit = at_desk(search, "git rev-parse HEAD").strip()
    (data,) = version["spec"]["data"]
    assert (data["rev"], data["path"], data["files"]) == (commit, "data/judgements", 2)
    tracked = yaml.safe_load(at_desk(search, "git show HEAD:data/judgements.dvc"))
    assert data["digest"] == f"md5:{tracked['outs'][0]['md5']}"
    assert {s["name"] for s in version["spec"]["slices"]} == {"market:de", "market:fr"}
    search.ready(NAME, 300)
    lineage = search.get("modelversion", version["metadata"]["name"])["status"]["lineage"]
    assert lineage.startswith("data ")
    assert commit[:12] in lineage
    assert len(search.objects("trainingruns")) == 1


def at_desk(world: World, *commands: str) -> str:
    """What the commands print, which somebody types in a clone of the repository."""
    words = [command.split() for command in commands]
    words = [["python3", "-m", *w] if w[0] == "dvc" else w for w in words]
    return world.kubectl("exec", "desk", "--", "python3", "-c", RUN, json.dumps(words))


def waits(world: World, run: str) -> bool:
    """Whether the run's pod fetches its data."""
    pods = world.objects("pods", f"evenkeel.dev/run={run}")
    return any(
        "running" in status.get("state", {})
        for pod in pods
        for status in pod["status"].get("initContainerStatuses", [])
    )


def trained(world: World, run: str) -> dict[str, Any]:
    """The version that came of the run."""
    world.until(
        f"{run} ends",
        lambda: world.condition("trainingrun", run, "Succeeded").get("status") in ("True", "False"),
        600,
    )
    (version,) = world.until("its version is there", lambda: world.objects("modelversions"))
    return dict(version)
