"""Instant queries against Prometheus' HTTP API (v1)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Any

import httpx

from evenkeel.adapters.access import Access
from evenkeel.adapters.answer import Answer, PrometheusError, QueryRefused, Unavailable, vector

__all__ = ["Prometheus", "PrometheusError"]

TIMEOUT = httpx.Timeout(5.0, connect=2.0)
KEY_LENGTH = 480
"""Characters of a series' labels that are kept; a digest tells longer ones apart."""


class Prometheus:
    """One connection pool for all Prometheus servers.

    `token` is asked before each query, since mounted tokens rotate. Its bearer token goes to
    `trusted_url` only: a ModelDeployment may name any other.
    """

    def __init__(self, token: Callable[[], str] = lambda: "", trusted_url: str = "") -> None:
        self._token = token
        self._trusted_url = trusted_url.rstrip("/")
        self._http = httpx.AsyncClient(
            timeout=TIMEOUT,
            limits=httpx.Limits(max_connections=50, max_keepalive_connections=20),
        )

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def ask(self, access: Access, query: str) -> Answer:
        """The instant vector that the query gives now. Raises PrometheusError."""
        headers = dict(access.headers)
        if access.authorization:
            headers["Authorization"] = access.authorization
        try:
            response = await self._http.post(
                f"{access.url.rstrip('/')}/api/v1/query", data={"query": query}, headers=headers
            )
            body: dict[str, Any] = response.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise Unavailable(f"{access.url}: {type(error).__name__}") from error
        if body.get("status") != "success":
            raise QueryRefused(f"{access.url} refused {query!r}: {body.get('error', '')}")
        return vector(body.get("data", {}), tuple(body.get("warnings", ())))

    async def series(self, url: str, query: str) -> dict[str, int]:
        """The value of each counter series of an instant query, by its labels.

        NaN and infinite values are left out, as if the series were absent.
        Raises PrometheusError.
        """
        return (await self.split(url, query, "")).get("", {})

    async def split(self, url: str, query: str, label: str) -> dict[str, dict[str, int]]:
        """The same by the value of one label, which is left out of the series' own labels."""
        url = url.rstrip("/")
        try:
            token = self._token() if url == self._trusted_url else ""
        except Exception as error:
            raise PrometheusError(f"{url}: {error}") from error
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            response = await self._http.post(
                f"{url}/api/v1/query", data={"query": query}, headers=headers
            )
            body: dict[str, Any] = response.json()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PrometheusError(f"{url}: {type(error).__name__} {error}".rstrip()) from error
        except ValueError as error:
            raise PrometheusError(f"{url} answered {response.status_code} without JSON") from error
        try:
            return _counters(url, query, body, label)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise PrometheusError(f"{url}: the answer to {query!r} is not understood") from error


def _counters(url: str, query: str, body: dict[str, Any], label: str) -> dict[str, dict[str, int]]:
    if body.get("status", "success") != "success":
        raise PrometheusError(f"{url} refused {query!r}: {body.get('error', '')}")
    data = body["data"]
    if data["resultType"] != "vector":
        raise PrometheusError(
            f"{query!r} gives a {data['resultType']}; an indicator needs an instant vector"
        )
    found: dict[str, dict[str, int]] = {}
    for sample in data["result"]:
        value = float(sample["value"][1])
        if math.isfinite(value) and value >= 0:
            metric = dict(sample["metric"])
            part = metric.pop(label, "")
            found.setdefault(part, {})[_key(metric)] = round(value)
    return found


def _key(metric: dict[str, str]) -> str:
    text = ",".join(f"{k}={v}" for k, v in sorted(metric.items()))
    if len(text) <= KEY_LENGTH:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text[: KEY_LENGTH - 17]}~{digest}"
