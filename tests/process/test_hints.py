"""Notifications of a registry: what they make be asked, and what they are refused for."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from evenkeel.kube.by_name import ByName
from evenkeel.kube.client import ApiError
from evenkeel.kube.store import Store
from evenkeel.outside.mlflow import KeptAlias, Reach, Which
from evenkeel.outside.poll import Poll
from evenkeel.process.hints import BODY, Hints

from tests.support.mlflow_registry import notification

JSON = dict[str, Any]
URL = "http://mlflow:5000"
PATH = "/registries/shop/mlflow"


def poll(question: Any, url: str = URL) -> Poll:
    return Poll("mlflow", url, question, 30.0)


QUESTIONS = {
    "followed": ("shop", poll(Which("fraud", alias="champion"))),
    "moved": ("shop", poll(KeptAlias("fraud", "champion", "3"))),
    "pinned": ("shop", poll(Which("fraud", version="3"))),
    "other model": ("shop", poll(Which("spam", alias="champion"))),
    "other namespace": ("other", poll(Which("fraud", alias="champion"))),
    "other registry": ("shop", poll(Which("fraud", alias="champion"), "http://other")),
    "whether it answers": ("shop", poll(Reach())),
}


class Desk:
    """hinted: the questions that are asked at once. secret: of the registry, by key."""

    def __init__(self) -> None:
        self.leads = True
        self.hinted: list[str] = []
        self.secret: dict[str, str] | None = {"webhook": "geheim"}
        self.store = Store()
        meta = {"name": "mlflow", "namespace": "shop", "uid": "1", "resourceVersion": "1"}
        spec = {"mlflow": {"url": URL}, "secretName": "mlflow"}
        self.store.put("ModelRegistry", {"metadata": meta, "spec": spec})
        by_name = ByName(self, lambda: 0.0)  # type: ignore[arg-type]
        self.hints = Hints(self.store, by_name, self._hint, lambda: self.leads)
        self.client: TestClient[web.Request, web.Application]

    async def get(self, *_: object) -> JSON:
        if self.secret is None:
            raise ApiError(404, "NotFound", "gone")
        data = {k: base64.b64encode(v.encode()).decode() for k, v in self.secret.items()}
        return {"data": data}

    def _hint(self, concerns: Callable[[str, Poll], bool]) -> int:
        found = [name for name, question in QUESTIONS.items() if concerns(*question)]
        self.hinted += found
        return len(found)

    async def post(
        self, path: str = PATH, body: bytes | None = None, secret: str = "geheim"
    ) -> tuple[int, JSON]:
        made, headers = notification(secret, "fraud", time.time())
        async with self.client.post(path, data=body or made, headers=headers) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    app = web.Application()
    made.hints.add_to(app)
    async with TestClient(TestServer(app)) as made.client:
        yield made


async def test_the_models_questions_are_asked_at_once(desk: Desk) -> None:
    assert await desk.post() == (200, {"asked": 3})
    assert desk.hinted == ["followed", "moved", "pinned"]


@pytest.mark.parametrize("path", ["/registries/shop/other", "/registries/other/mlflow"])
async def test_who_does_not_know_learns_nothing(desk: Desk, path: str) -> None:
    unknown = await desk.post(path)
    assert unknown == await desk.post(secret="wrong")
    assert unknown[0] == 401
    assert not desk.hinted


@pytest.mark.parametrize("secret", [None, {}, {"token": "geheim"}, {"webhook": "other"}])
async def test_without_the_secret_nothing_is_taken(
    desk: Desk, secret: dict[str, str] | None
) -> None:
    desk.secret = secret
    assert (await desk.post())[0] == 401
    assert not desk.hinted


async def test_a_registry_without_a_secret_takes_none(desk: Desk) -> None:
    found = desk.store.all("ModelRegistry")
    spec = {"mlflow": {"url": URL}}
    changed = {**next(found), "spec": spec}
    changed["metadata"] = {**changed["metadata"], "resourceVersion": "2"}
    desk.store.put("ModelRegistry", changed)
    assert (await desk.post(secret=""))[0] == 401


async def test_bodies_are_bounded(desk: Desk) -> None:
    assert (await desk.post(body=b"x" * (BODY + 1)))[0] == 413
    assert (await desk.post(body=b"x" * BODY))[0] == 401


async def test_a_follower_asks_nothing(desk: Desk) -> None:
    desk.leads = False
    assert (await desk.post())[0] == 503
    assert not desk.hinted
