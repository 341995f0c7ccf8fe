"""New data in Git and DVC train, serve and are named by the version that came of them.

It is the example search-ranking, as its README has its reader do it: somebody at a desk versions
judgements by DVC, and pushes them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dev.paths import ROOT
from dev.stack.install import Stack
from e2e.support.world import World

EXAMPLE = ROOT / "examples" / "search-ranking"
MANIFESTS = Path(__file__).with_name("manifests")
NAMESPACE = "search"
NAME = "search-ranking"
BEGIN = """
set -e
git config --global user.email desk@example.com; git config --global user.name desk
git config --global credential.helper store
echo http://ci:only-for-these-tests@git:8080 > ~/.git-credentials
git clone -q http://git:8080/search.git ~/search; cd ~/search; git checkout -q -b main
dvc init -q
dvc remote add -q -d store s3://data/search
dvc remote modify -q store endpointurl http://store:7070
git add .; git commit -qm 'Keep judgements by DVC'
"""
ANEW = """
set -e
cd ~/search
python3 ~/judgements.py {round} data/judgements
dvc add -q data/judgements; git add .; git commit -qm 'Judgements, round {round}'
"""
SEND = "set -e; cd ~/search; git push -q -u origin main; "
SEND_DATA = "cd ~/search; dvc push -q; "
ELSE = "set -e; cd ~/search; echo hello > README.md; git add .; git commit -qm Words; "


@pytest.fixture(scope="module")
def search(integrated: Stack) -> World:
    """A namespace with a Git server, an object store and a desk."""
    w = World(integrated, NAMESPACE)
    for name in ("store", "git"):
        w.kubectl("apply", "-f", str(MANIFESTS / f"{name}.yaml"))
    for name in ("store", "git"):
        integrated.rollout(NAMESPACE, name, 300)
    w.kubectl("wait", "--for=condition=Ready", "pod/desk", "--timeout=180s")
    w.kubectl("cp", str(EXAMPLE / "judgements.py"), "desk:/work/judgements.py")
    return w


def test_new_data_train_and_other_commits_do_not(search: World) -> None:
    at_desk(search, BEGIN + ANEW.format(round=1) + SEND_DATA + SEND)
    search.kubectl("apply", "-k", str(EXAMPLE))
    search.until(
        "the branch was read",
        lambda: search.condition("retrainschedule", NAME, "SourcesRead").get("status") == "True",
    )
    assert search.objects("trainingruns") == [], "the first revision is where changes count from"

    at_desk(search, ELSE + SEND)
    at_desk(search, ANEW.format(round=2) + SEND)
    run = search.until("a run was made", lambda: search.objects("trainingruns"))[0]["metadata"]
    search.until("it waits for its data", lambda: waits(search, run["name"]))
    at_desk(search, SEND_DATA)
    version = trained(search, run["name"])

    commit = at_desk(search, "cd ~/search; git rev-parse HEAD").strip()
    (data,) = version["spec"]["data"]
    assert (data["rev"], data["path"], data["files"]) == (commit, "data/judgements", 2)
    assert data["digest"] in at_desk(search, DIGEST)
    assert {s["name"] for s in version["spec"]["slices"]} == {"market:de", "market:fr"}
    search.ready(NAME, 300)
    lineage = search.get("modelversion", version["metadata"]["name"])["status"]["lineage"]
    assert lineage.startswith("data ")
    assert commit[:12] in lineage
    assert len(search.objects("trainingruns")) == 1


DIGEST = "cd ~/search; sed -n 's/^- md5: /md5:/p' data/judgements.dvc"


def at_desk(world: World, script: str) -> str:
    """What a shell at the desk prints."""
    return world.kubectl("exec", "desk", "--", "sh", "-c", script)


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
