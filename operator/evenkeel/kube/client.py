"""A thin asynchronous Kubernetes client over one aiohttp session.

Configuration, credentials and their refresh are those of the `kubernetes` package; the requests
are plain JSON, because its typed models would parse and rebuild every object.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from evenkeel.meta.resources import ResourceType

PAGE = 500
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=10)
RETRIES = 4

JSON = dict[str, Any]


class ApiError(Exception):
    """The API server's refusal: HTTP `status`, machine-readable `reason` and message."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None):
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after


class Client:
    """Requests against one API server. Use as an asynchronous context manager.

    field_manager: the name under which writes own fields (server-side apply).
    """

    def __init__(
        self, configuration: Configuration, *, field_manager: str, connections: int = 50
    ) -> None:
        self.field_manager = field_manager
        configuration.connection_pool_maxsize = connections
        self._configuration = configuration
        # aiohttp would look the environment up in threads, twice a request.
        proxy = configuration.proxy or _environment_proxy(configuration.host)
        configuration.client_session_kwargs = {"trust_env": False, "proxy": proxy}
        self._session = RESTClientObject(configuration)._create_pool_manager()
        self._base = configuration.host.rstrip("/")

    @classmethod
    async def from_environment(cls, *, field_manager: str) -> Self:
        """In a pod its service account, elsewhere KUBECONFIG or ~/.kube/config."""
        configuration = Configuration()
        try:
            config.load_incluster_config(  # type: ignore[no-untyped-call]
                client_configuration=configuration
            )
        except config.ConfigException:
            file = os.environ.get("KUBECONFIG")
            return await cls.from_kubeconfig(file, field_manager=field_manager)
        return cls(configuration, field_manager=field_manager)

    @classmethod
    async def from_kubeconfig(cls, file: str | None, *, field_manager: str) -> Self:
        """The current context of that file; ~/.kube/config without one."""
        configuration = Configuration()
        await config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=file, client_configuration=configuration
        )
        return cls(configuration, field_manager=field_manager)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def close(self) -> None:
        """Closes the connections."""
        await self._session.close()

    async def _headers(self) -> dict[str, str]:
        auth = await self._configuration.auth_settings()
        token = auth.get("BearerToken")
        return {"Authorization": str(token["value"])} if token else {}

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> JSON:
        """One request, repeated on 429 and on a server's or connection's passing fault.

        Safe for every verb used here: POST names are deterministic, so a repeated one answers
        AlreadyExists, and apply, delete with a UID and GET are idempotent.
        Raises ApiError; status 0 stands for no answer.
        """
        data = None if body is None else json.dumps(body, separators=(",", ":"))
        for attempt in range(RETRIES + 1):
            try:
                headers = await self._headers()
                if data is not None:
                    headers["Content-Type"] = content_type
                async with self._session.request(
                    method,
                    self._base + path,
                    params=query,
                    data=data,
                    headers=headers,
                    timeout=REQUEST_TIMEOUT,
                ) as response:
                    text = await response.read()
                    if response.status < 400:
                        return json.loads(text) if text else {}
                    error = _error(response.status, text, response.headers.get("Retry-After"))
            except (aiohttp.ClientError, TimeoutError, ssl.SSLError, OSError) as fault:
                error = ApiError(0, "NoAnswer", str(fault) or type(fault).__name__)
            passing = error.status in (0, 429, 502, 503, 504)
            if not passing or attempt == RETRIES:
                raise error
            await asyncio.sleep(error.retry_after or 0.1 * 2**attempt)
        raise AssertionError("unreachable")

    async def get(self, type_: ResourceType, namespace: str, name: str) -> JSON:
        """The object. Raises ApiError(404) if it isn't there."""
        return await self.request("GET", type_.path(namespace, name))

    async def create(self, type_: ResourceType, namespace: str, body: JSON) -> JSON:
        """Creates the object. Raises ApiError(409, AlreadyExists)."""
        return await self.request(
            "POST", type_.path(namespace), query={"fieldManager": self.field_manager}, body=body
        )

    async def apply(
        self,
        type_: ResourceType,
        namespace: str,
        name: str,
        body: JSON,
        *,
        subresource: str = "",
        manager: str = "",
    ) -> JSON:
        """Server-side apply: the object's fields become exactly what `body` states.

        manager: another than the client's own.
        """
        return await self.request(
            "PATCH",
            type_.path(namespace, name, subresource),
            query={"fieldManager": manager or self.field_manager, "force": "true"},
            body=body,
            content_type="application/apply-patch+yaml",
        )

    async def merge(self, type_: ResourceType, namespace: str, name: str, body: JSON) -> JSON:
        """Changes the fields that `body` names. Raises ApiError(404) if the object isn't there."""
        return await self.request(
            "PATCH",
            type_.path(namespace, name),
            query={"fieldManager": self.field_manager},
            body=body,
            content_type="application/merge-patch+json",
        )

    async def replace(self, type_: ResourceType, namespace: str, name: str, body: JSON) -> JSON:
        """Replaces the object at its resourceVersion. Raises ApiError(409) on a lost race."""
        return await self.request("PUT", type_.path(namespace, name), body=body)

    async def delete(self, type_: ResourceType, namespace: str, name: str, uid: str) -> None:
        """Deletes exactly that object, its children in the background; gone is success.

        Raises ApiError(409) if another object has taken the name.
        """
        body: JSON = {"propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            await self.request("DELETE", type_.path(namespace, name), body=body)
        except ApiError as error:
            if error.status != 404:
                raise

    async def list(
        self, type_: ResourceType, *, namespace: str = "", selector: str = ""
    ) -> tuple[list[JSON], str]:
        """All objects, page by page, and the resourceVersion to watch from."""
        items: list[JSON] = []
        query = {"limit": str(PAGE), **({"labelSelector": selector} if selector else {})}
        while True:
            page = await self.request("GET", type_.path(namespace), query=query)
            items += page["items"]
            query["continue"] = page["metadata"].get("continue", "")
            if not query["continue"]:
                return items, page["metadata"]["resourceVersion"]

    async def watch(
        self,
        type_: ResourceType,
        *,
        namespace: str = "",
        selector: str = "",
        resource_version: str,
        timeout_seconds: int = 300,
    ) -> AsyncIterator[JSON]:
        """Watch events from that version on, until the server ends the stream.

        Raises ApiError(410) when the version is too old.
        """
        query = {
            "watch": "true",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(timeout_seconds),
            **({"labelSelector": selector} if selector else {}),
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=timeout_seconds + 30)
        try:
            async with self._session.get(
                self._base + type_.path(namespace),
                params=query,
                headers=await self._headers(),
                timeout=timeout,
            ) as response:
                if response.status >= 400:
                    raise _error(response.status, await response.read(), None)
                async for line in response.content:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        status = event["object"]
                        raise ApiError(
                            status.get("code", 0),
                            status.get("reason", ""),
                            status.get("message", ""),
                        )
                    yield event
        except (aiohttp.ClientError, TimeoutError, OSError) as fault:
            raise ApiError(0, "NoAnswer", str(fault) or type(fault).__name__) from fault


def _environment_proxy(host: str) -> str | None:
    """The proxy that HTTPS_PROXY names, unless NO_PROXY exempts the host."""
    parts = urlsplit(host)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)


def _error(status: int, text: bytes, retry_after: str | None) -> ApiError:
    try:
        body = json.loads(text)
        reason, message = body.get("reason", ""), body.get("message", "")
    except (ValueError, AttributeError):
        reason, message = "", text.decode(errors="replace")[:500]
    wait = float(retry_after) if retry_after and retry_after.isdigit() else None
    return ApiError(status, reason, message, wait)
