"""An alias that follows what serves, as its team meets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from tests.support.manifests import manifest
from tests.support.mlflow_loop import model_registry
from tests.support.mlflow_registry import Registry, Version
from tests.support.operating import World, model_deployment, until

JSON = dict[str, Any]
CHAMPION = {"registry": "mlflow", "name": "fraud", "alias": "champion"}


@pytest.fixture
def mlflow(w: World, mlflow: Registry) -> Registry:
    mlflow.versions["fraud"] = {n: Version(f"s3://m/{n}", source=f"models:/m-{n}") for n in "123"}
    mlflow.aliases["fraud"] = {"candidate": "1"}
    model_registry(w, mlflow.url)
    return mlflow


def following(name: str = "fraud", follows: str = "candidate", moves: str = "champion") -> JSON:
    made = model_deployment(name)
    source = {"registry": "mlflow", "name": "fraud", "alias": follows}
    made["spec"]["model"] = {"registry": source, "format": {"name": "test"}}
    made["spec"]["servedAlias"] = {**CHAMPION, "alias": moves}
    return made


def condition(w: World, name: str = "fraud") -> JSON:
    return w.ns.condition(name, "AliasCurrent")


def says(w: World, reason: str, name: str = "fraud") -> Callable[[], bool]:
    """Whether its condition has the reason."""
    return lambda: condition(w, name).get("reason") == reason


def means(mlflow: Registry) -> str:
    return mlflow.aliases["fraud"].get("champion", "")


def reached(mlflow: Registry, version: str) -> Callable[[], bool]:
    return lambda: means(mlflow) == version


async def test_it_goes_with_promotions_and_not_with_rollbacks(w: World, mlflow: Registry) -> None:
    async with w.operator():
        w.ns.create(following())
        await until(says(w, "AliasSet"))
        assert means(mlflow) == "1"
        mlflow.aliases["fraud"]["candidate"] = "2"
        await until(lambda: means(mlflow) == "2", "the promotion")
        first = w.ns.status("fraud")["stable"]["revision"]
        # A bad one: while it is on trial and after it is taken back, nothing moves.
        w.counters.bad = lambda revision: 0.0 if revision == first else 0.9
        mlflow.aliases["fraud"]["candidate"] = "3"
        await until(lambda: w.ns.outcomes("fraud")[0].startswith("RolledBack"), seconds=60)
        assert means(mlflow) == "2"
        # The way back: an older version is wanted again.
        w.counters.bad = lambda revision: 0.0
        mlflow.aliases["fraud"]["candidate"] = "1"
        await until(lambda: means(mlflow) == "1", "the way back", seconds=60)
        await until(lambda: w.ns.status("fraud")["servedAlias"]["version"] == "1")
    assert mlflow.moves == ["champion 1", "champion 2", "champion 1"]


async def test_it_is_moved_once_the_registry_is_there_again(w: World, mlflow: Registry) -> None:
    async with w.operator():
        w.ns.create(following())
        await until(says(w, "AliasSet"))
        mlflow.fault = lambda request: (
            web.Response(status=403, text="Permission denied") if request.method == "POST" else None
        )
        mlflow.aliases["fraud"]["candidate"] = "2"
        await until(says(w, "SourceAccessDenied"))
        assert "alias answered 403: Permission denied" in condition(w)["message"]
        assert w.ns.ready("fraud")["reason"] == "Serving"
        assert w.ns.status("fraud")["stable"]["registered"]["version"] == "2"
    mlflow.fault = lambda request: None
    async with w.operator():
        await until(lambda: means(mlflow) == "2")
        # By somebody else, with the same words as a promotion's.
        mlflow.aliases["fraud"]["champion"] = "3"
        await until(says(w, "AliasMovedByOthers"), seconds=60)
        del mlflow.aliases["fraud"]["champion"]
        await until(says(w, "AliasSet"), seconds=60)
    assert mlflow.moves == ["champion 1", "champion 2", "champion 2"]


async def test_who_goes_in_a_circle_moves_nothing(w: World, mlflow: Registry) -> None:
    mlflow.aliases["fraud"]["champion"] = "1"
    refused = w.server.create(following(moves="candidate"), w.ns.name)
    assert refused.status_code == 422
    assert "follow another, such as candidate" in refused.text
    async with w.operator():
        w.ns.create(following("there"))
        w.ns.create(following("back", follows="champion", moves="candidate"))
        for name in ("there", "back"):
            await until(says(w, "AliasLoop", name))
        assert "by way of back" in condition(w, "there")["message"]
        await until(lambda: w.ns.ready("back").get("status") == "True")
    assert mlflow.moves == []


async def test_of_two_the_older_moves_it(w: World, mlflow: Registry) -> None:
    async with w.operator():
        w.ns.create(following("older"))
        await until(says(w, "AliasSet", "older"))
        mlflow.aliases["fraud"]["other"] = "2"
        w.ns.create(following("younger", follows="other"))
        await until(says(w, "AliasTaken", "younger"))
        assert "ModelDeployment older, which is older" in condition(w, "younger")["message"]
        await until(lambda: w.ns.ready("younger").get("status") == "True")
    assert mlflow.moves == ["champion 1"]


@pytest.mark.parametrize("alias", ["latest", "v3", "V12", "a b", ""])
async def test_words_that_are_no_aliases(w: World, alias: str) -> None:
    assert w.server.create(following(moves=alias), w.ns.name).status_code == 422


async def test_versions_that_were_trained(w: World, mlflow: Registry) -> None:
    """From the version to its registration, to its promotion, to the alias and the verdict."""
    made = model_deployment("fraud")
    made["spec"] |= {"model": {"follow": "fraud"}, "servedAlias": CHAMPION}
    async with w.operator():
        w.ns.create(made)
        for number in "45":
            version = manifest("ModelVersion", name=f"fraud-{number}")
            version["spec"] |= {
                "uri": f"s3://trained/{number}",
                "format": {"name": "test"},
                "registration": {"registry": "mlflow", "name": "fraud"},
                "trainedTime": f"2026-01-0{number}T00:00:00Z",
            }
            w.ns.create(version)
            await until(reached(mlflow, number), f"version {number}", seconds=60)
        tag = f"evenkeel.dev/rollout.{w.ns.name}.fraud"
        told = mlflow.versions["fraud"]["5"].tags
        await until(lambda: told.get(tag, "").startswith("Promoted at "), seconds=60)
    assert mlflow.moves == ["champion 4", "champion 5"]
