"""The webhook of registries: a notification makes their question be asked at once.

What it says is not believed but asked for, so that a forged or repeated one costs a question and a
lost one some seconds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from aiohttp import web

from evenkeel.api.modelregistry import ModelRegistry
from evenkeel.kube.by_name import ByName, Named, Unreadable
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.meta.resources import SECRET
from evenkeel.outside.mlflow import KIND, KeptAlias, Which
from evenkeel.outside.poll import Poll
from evenkeel.process import request_body
from evenkeel.registries.notification import Malformed, model_named, verified

log = logging.getLogger(__name__)

PATH = "/registries/{namespace}/{name}"
SECRET_KEY = "webhook"
BODY = 2**16
"""Bytes; MLflow's notifications have some hundred."""

Hint = Callable[[Callable[[str, Poll], bool]], int]


class Hints:
    """hint: has questions asked soon; tells how many. leads: whether this process asks."""

    def __init__(
        self, store: Store, by_name: ByName, hint: Hint, leads: Callable[[], bool]
    ) -> None:
        self._store = store
        self._by_name = by_name
        self._hint = hint
        self._leads = leads

    def add_to(self, app: web.Application) -> None:
        """Adds the route."""
        app.router.add_post(PATH, self._receive)

    async def _receive(self, request: web.Request) -> web.Response:
        if not self._leads():
            return _answer(503, "this replica does not lead; send again")
        try:
            body = await request_body.read(request, BODY)
        except TimeoutError:
            return _answer(408, request_body.LATE)
        except web.HTTPRequestEntityTooLarge:
            return _answer(413, f"more than {BODY // 1024} KiB")
        namespace, name = request.match_info["namespace"], request.match_info["name"]
        registry = self._registry(namespace, name)
        # Who may not know of a registry does not learn whether there is one.
        if registry is None or not await self._signed(registry, request, body):
            return _answer(401, "the signature is missing or wrong")
        try:
            model = model_named(body)
        except Malformed as fault:
            return _answer(400, str(fault))
        return web.json_response({"asked": self._asked(registry, model) if model else 0})

    def _registry(self, namespace: str, name: str) -> ModelRegistry | None:
        found = self._store.get(Key(ModelRegistry.kind, namespace, name))
        return None if found is None else self._store.parse(ModelRegistry, found)

    async def _signed(self, registry: ModelRegistry, request: web.Request, body: bytes) -> bool:
        meta, secret = registry.metadata, registry.spec.secret_name
        if secret is None:
            return False
        try:
            key = await self._by_name.value(Named(SECRET, meta.namespace, secret, SECRET_KEY))
        except Unreadable as error:
            log.warning("notifications of %s/%s are refused: %s", meta.namespace, meta.name, error)
            return False
        return verified(key, request.headers, body, datetime.now(UTC))

    def _asked(self, registry: ModelRegistry, model: str) -> int:
        """The questions about the model that are asked now."""

        def concerns(namespace: str, poll: Poll) -> bool:
            asked = poll.question
            same = (namespace, poll.kind, poll.url) == (
                registry.metadata.namespace,
                KIND,
                registry.spec.mlflow.url,
            )
            return same and isinstance(asked, Which | KeptAlias) and asked.name == model

        return self._hint(concerns)


def _answer(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)
