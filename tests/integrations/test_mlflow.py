"""MLflow 3 itself: what the client understands of it, and that the stand-in answers the same."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from evenkeel.adapters.access import Access, basic
from evenkeel.adapters.mlflow.mlflow import Mlflow
from evenkeel.adapters.source import AccessDenied, NotUnderstood
from evenkeel.adapters.web import Web
from evenkeel.api.artifacts import fetched_from
from evenkeel.outside.mlflow import Missing, Reach, Reached, Registered, Tag, Tagged, Which
from evenkeel.registries.notification import model_named, verified

from dev.mlflow import PASSWORD, USER
from dev.paths import ROOT
from tests.integrations.conftest import Trained
from tests.support.mlflow_registry import UNAUTHENTICATED, Version, registry

CHAMPION = Which("iris", alias="champion")
FLAVORS = ("python_function", "sklearn")
LOADED = """
import json, sys, mlflow.pyfunc
from sklearn.datasets import load_iris
features, classes = load_iris(return_X_y=True, as_frame=True)
model = mlflow.pyfunc.load_model(sys.argv[1])
print(json.dumps(float((model.predict(features) == classes).mean())))
"""


@pytest.fixture
async def client() -> AsyncIterator[Mlflow]:
    reached = Web()
    yield Mlflow(reached)
    await reached.close()


def access(mlflow: Trained, password: str = PASSWORD) -> Access:
    return Access(mlflow.server.url, authorization=basic(USER, password))


async def test_an_alias_is_resolved_followed_and_lost(mlflow: Trained, client: Mlflow) -> None:
    first, second = mlflow.versions
    found: Any = await client(CHAMPION, access(mlflow), None)
    path = f"mlflow-artifacts:/0/models/{first['model']}/artifacts"
    source = f"models:/{first['model']}"
    assert found == Registered("1", source, path, first["run"], FLAVORS, True, "c0ffee")
    assert await client(CHAMPION, access(mlflow), found) is found
    mlflow.server.call("POST", "registered-models/alias", name="iris", alias="next", version="2")
    asked = Which("iris", alias="next")
    moved: Any = await client(asked, access(mlflow), None)
    assert (moved.version, moved.source) == ("2", f"models:/{second['model']}")
    mlflow.server.call("DELETE", "registered-models/alias", name="iris", alias="next")
    lost = Missing("AliasNotFound", "Registered model alias next not found.")
    assert await client(asked, access(mlflow), moved) == lost


async def test_a_version_with_a_bucket_has_no_mlmodel(mlflow: Trained, client: Mlflow) -> None:
    found: Any = await client(Which("iris", version="3", flavors=False), access(mlflow), None)
    assert (found.uri, found.run_id, found.flavors) == ("s3://models/iris/3", "", ())


@pytest.mark.parametrize(
    "asked",
    [
        Reach(),
        Which("iris", alias="none"),
        Which("spam", alias="champion"),
        Which("iris", version="99"),
        Which("spam", version="1"),
    ],
    ids=str,
)
async def test_the_stand_in_answers_the_same(
    mlflow: Trained, client: Mlflow, asked: object
) -> None:
    async with registry() as stand_in:
        stand_in.versions["iris"] = {"1": Version("mlflow-artifacts:/0/models/m/artifacts")}
        stand_in.aliases["iris"] = {"champion": "1"}
        expected = await client(asked, Access(stand_in.url), None)
    assert await client(asked, access(mlflow), None) == expected


async def test_a_tag_is_written_by_who_may(mlflow: Trained, client: Mlflow) -> None:
    told = Tag("iris", "2", "evenkeel.dev/rollout.shop.iris", 'Promoted: "3/900"\nü' + "x" * 900)
    assert await client(told, access(mlflow), None) == Tagged()
    assert await client(told, access(mlflow), Tagged()) == Tagged()
    assert mlflow.server.tags("iris", "2") == {told.key: told.value}
    gone: Any = await client(replace(told, version="99"), access(mlflow), None)
    assert gone.reason == "RegisteredVersionNotFound"
    if mlflow.server.auth:
        stranger = {"username": "stranger", "password": "a-users-password"}
        mlflow.server.call("POST", "users/create", **stranger)
        shown = Access(mlflow.server.url, authorization=basic(*stranger.values()))
        with pytest.raises(AccessDenied, match="set-tag answered 403: Permission denied"):
            await client(replace(told, value="other"), shown, None)


async def test_its_notifications_are_verified(mlflow: Trained) -> None:
    """By the endpoint that tries one, since a new webhook is not heard of for a minute."""
    heard: list[tuple[str, bool]] = []

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        signed = verified("geheim", request.headers, body, datetime.now(UTC))
        heard.append((model_named(body), signed))
        return web.Response()

    app = web.Application()
    app.router.add_post("/registries/shop/mlflow", handle)
    async with TestServer(app, host="127.0.0.1") as receiver:
        made = await asyncio.to_thread(
            mlflow.server.call,
            "POST",
            "webhooks",
            name="evenkeel",
            url=f"http://127.0.0.1:{receiver.port}/registries/shop/mlflow",
            secret="geheim",
            events=[{"entity": "MODEL_VERSION_ALIAS", "action": "CREATED"}],
            status="ACTIVE",
        )
        path = f"webhooks/{made['webhook']['webhook_id']}"
        tried = await asyncio.to_thread(mlflow.server.call, "POST", f"{path}/test")
        await asyncio.to_thread(mlflow.server.call, "DELETE", path)
    assert tried["result"]["success"], tried
    ((named, signed),) = heard
    assert (bool(named), signed) == (True, True)


async def test_another_address_is_no_registry(mlflow: Trained, client: Mlflow) -> None:
    elsewhere = Access(f"{mlflow.server.url}/elsewhere", authorization=basic(USER, PASSWORD))
    with pytest.raises(NotUnderstood, match="write the server's base URL"):
        await client(Reach(), elsewhere, None)


async def test_credentials(mlflow: Trained, client: Mlflow) -> None:
    if not mlflow.server.auth:
        assert await client(Reach(), Access(mlflow.server.url), None) == Reached()
        return
    reader = {"username": "reader", "password": "a-readers-password"}
    mlflow.server.call("POST", "users/create", **reader)
    shown = Access(mlflow.server.url, authorization=basic(*reader.values()))
    assert await client(Reach(), shown, None) == Reached()
    assert isinstance(await client(CHAMPION, shown, None), Registered)
    for question in (Reach(), CHAMPION):
        with pytest.raises(AccessDenied, match=f"answered 401: {re.escape(UNAUTHENTICATED)}"):
            await client(question, Access(mlflow.server.url), None)
        with pytest.raises(AccessDenied, match="correct the Secret"):
            await client(question, access(mlflow, "another-password"), None)


async def test_the_model_is_downloaded_as_a_pod_does_it_and_loads(
    mlflow: Trained, client: Mlflow, tmp_path: Path
) -> None:
    found: Any = await client(CHAMPION, access(mlflow), None)
    address = fetched_from(found.uri, mlflow.server.url)
    assert isinstance(address, str)
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "operator"),
        "MLFLOW_ARTIFACTS": address.removeprefix("mlflow+"),
        "MLFLOW_DESTINATION": str(tmp_path),
        "MLFLOW_USERNAME": USER,
        "MLFLOW_PASSWORD": PASSWORD,
    }
    program = [sys.executable, "-m", "evenkeel.sidecars.mlflow_download"]
    done = await asyncio.to_thread(
        subprocess.run, program, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    script = tmp_path / "load.py"
    script.write_text(LOADED)
    assert float(mlflow.server.run(script, str(tmp_path))) > 0.9
