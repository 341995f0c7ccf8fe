"""A thin asynchronous Kubernetes client over one aiohttp session.

Configuration, credentials and their refresh are those of the `kubernetes` package; the requests
are plain JSON, because its typed models would parse and rebuild every object.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import ssl
from asyncio import sslproto
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import Configuration

from evenkeel.kube.body import encoded
from evenkeel.meta.resources import ResourceType

# asyncio gives each TLS connection a buffer of 256 KiB for good, and each watch has a connection.
sslproto.SSLProtocol.max_size = 2**15

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


class Fenced(Exception):
    """A write was not sent, since this process no longer leads."""


class ConfigurationError(Exception):
    """No usable way to the API server is configured; the message, one line, says what to do."""


class Client:
    """Requests against one API server. Use as an asynchronous context manager.

    field_manager: the name under which writes own fields (server-side apply). configuration: host,
    credentials and their refresh. proxy: the URL of one, if any. answered: set once a request was
    granted, so that address and credentials are known to be right.
    """

    def __init__(self, configuration: Configuration, *, field_manager: str) -> None:
        self.field_manager = field_manager
        self.configuration = configuration
        self.answered = asyncio.Event()
        self._leads: Callable[[], bool] = lambda: True
        self.proxy = configuration.proxy or _environment_proxy(configuration.host)
        # Each watch holds a connection for good: a limit of the pool would starve the others.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=_ssl_context(configuration)),
            read_bufsize=2**21,
            # aiohttp would look the environment up in threads, twice a request.
            trust_env=False,
            proxy=self.proxy,
        )
        self._base = configuration.host.rstrip("/")

    @classmethod
    async def from_environment(cls, *, field_manager: str) -> Self:
        """In a pod its service account, elsewhere KUBECONFIG or ~/.kube/config.

        Raises ConfigurationError.
        """
        configuration = Configuration()
        try:
            config.load_incluster_config(  # type: ignore[no-untyped-call]
                client_configuration=configuration
            )
        except config.ConfigException as error:
            files = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
            if "KUBERNETES_SERVICE_HOST" in os.environ and not _exists(files):
                raise ConfigurationError(
                    f"the pod's service account cannot be used: {_line(error)} "
                    "Let the pod have its token (automountServiceAccountToken: true)"
                ) from error
            return await cls.from_kubeconfig(files, field_manager=field_manager)
        return cls(configuration, field_manager=field_manager)

    @classmethod
    async def from_kubeconfig(cls, files: str, *, field_manager: str) -> Self:
        """The current context of that file or of several, separated as in KUBECONFIG.

        Raises ConfigurationError.
        """
        if not _exists(files):
            raise ConfigurationError(
                f"there is no kubeconfig at {files}, and this is no pod with a service account; "
                "set KUBECONFIG to a file"
            )
        configuration = Configuration()
        try:
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=files, client_configuration=configuration
            )
            if urlsplit(configuration.host).hostname is None:
                raise ValueError(f"the server {configuration.host!r} is not a URL")
            return cls(configuration, field_manager=field_manager)
        except Exception as error:
            # The loader meets whatever a person may have written with whatever Python raises.
            raise ConfigurationError(
                f"the kubeconfig {files} cannot be used: {_line(error)}; correct it, or set "
                "KUBECONFIG to another file"
            ) from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def close(self) -> None:
        """Closes the connections."""
        await self._session.close()

    def fenced(self, leads: Callable[[], bool]) -> Self:
        """The same client, whose writes are sent only while `leads` says so.

        Each try is asked for anew: a process that was paused may wake up in the midst of one.
        """
        made = copy.copy(self)
        made._leads = leads
        return made

    async def authorization(self) -> str:
        """The header's value now, such as `Bearer <token>`; empty with certificates."""
        auth = await self.configuration.auth_settings()
        token = auth.get("BearerToken")
        return str(token["value"]) if token else ""

    async def _headers(self) -> dict[str, str]:
        value = await self.authorization()
        return {"Authorization": value} if value else {}

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
        Raises ApiError; status 0 stands for no answer. Raises Fenced.
        """
        data = None if body is None else encoded(body)
        for attempt in range(RETRIES + 1):
            try:
                headers = await self._headers()
                if data is not None:
                    headers["Content-Type"] = content_type
                if method != "GET" and not self._leads():
                    raise Fenced(f"{method} {path}: this process no longer leads")
                async with self._session.request(
                    method,
                    self._base + path,
                    params=query,
                    data=data,
                    headers=headers,
                    timeout=REQUEST_TIMEOUT,
                    server_hostname=self.configuration.tls_server_name,
                ) as response:
                    text = await response.read()
                    if response.status < 400:
                        answer: JSON = json.loads(text) if text else {}
                        self.answered.set()
                        return answer
                    error = _error(response.status, text, response.headers.get("Retry-After"))
            except (aiohttp.ClientError, TimeoutError, ssl.SSLError, OSError) as fault:
                error = ApiError(0, "NoAnswer", _no_answer(fault))
            except ValueError:
                error = ApiError(0, "NoAnswer", f"{self._base} answers, but not as Kubernetes does")
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

    async def delete(
        self, type_: ResourceType, namespace: str, name: str, uid: str, version: str = ""
    ) -> None:
        """Deletes exactly that object, its children in the background; gone is success.

        version: the resourceVersion that it must have.
        Raises ApiError(409) if another object has taken the name, or it has another version.
        """
        body: JSON = {"propagationPolicy": "Background"}
        wanted = {"uid": uid, "resourceVersion": version}
        if given := {k: v for k, v in wanted.items() if v}:
            body["preconditions"] = given
        try:
            await self.request("DELETE", type_.path(namespace, name), body=body)
        except ApiError as error:
            if error.status != 404:
                raise

    async def pages(
        self, type_: ResourceType, *, namespace: str = "", selector: str = "", fields: str = ""
    ) -> AsyncIterator[tuple[list[JSON], str]]:
        """All objects, a page at a time, each with the resourceVersion to watch from.

        selector: of labels. fields: a field selector.
        """
        wanted = {"labelSelector": selector, "fieldSelector": fields}
        query = {"limit": str(PAGE), **{key: text for key, text in wanted.items() if text}}
        while True:
            page = await self.request("GET", type_.path(namespace), query=query)
            query["continue"] = page["metadata"].get("continue", "")
            yield page["items"], page["metadata"]["resourceVersion"]
            if not query["continue"]:
                return

    async def list(
        self, type_: ResourceType, *, namespace: str = "", selector: str = "", fields: str = ""
    ) -> tuple[list[JSON], str]:
        """All objects, and the resourceVersion to watch from."""
        items: list[JSON] = []
        version = ""
        found = self.pages(type_, namespace=namespace, selector=selector, fields=fields)
        async for page, at in found:
            items += page
            version = at
        return items, version

    async def watch(
        self,
        type_: ResourceType,
        *,
        namespace: str = "",
        selector: str = "",
        resource_version: str,
        timeout_seconds: int = 300,
        opened: Callable[[], None] = lambda: None,
        known: Callable[[bytes], bool] = lambda line: False,
    ) -> AsyncIterator[JSON]:
        """Watch events from that version on, until the server ends the stream.

        opened: called once the server has granted the watch; the first event may be long in coming.
        known: whether an event, as a line of JSON, brings no news, so that it need not be parsed.
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
                server_hostname=self.configuration.tls_server_name,
            ) as response:
                if response.status >= 400:
                    raise _error(response.status, await response.read(), None)
                opened()
                async for line in response.content:
                    if known(line):
                        continue
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
            raise ApiError(0, "NoAnswer", _no_answer(fault)) from fault


def _ssl_context(configuration: Configuration) -> ssl.SSLContext:
    """What the configuration says of certificates. Raises OSError (ssl.SSLError is one)."""
    context = ssl.create_default_context(
        cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data
    )
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.disable_strict_ssl_verification:
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _exists(files: str) -> bool:
    """Whether any of the files is there."""
    return any(os.path.exists(os.path.expanduser(f)) for f in files.split(os.pathsep))


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _no_answer(fault: Exception) -> str:
    if isinstance(fault, aiohttp.ClientConnectorCertificateError):
        return f"cannot trust {fault.host}:{fault.port}: {fault.certificate_error}"
    if isinstance(fault, aiohttp.ClientConnectorError):
        why = fault.os_error.strerror or fault.os_error
        return f"cannot connect to {fault.host}:{fault.port}: {why}"
    return str(fault) or type(fault).__name__


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
