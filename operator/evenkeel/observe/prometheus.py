"""Instant queries against Prometheus' HTTP API (v1)."""

from __future__ import annotations

import math
from typing import Any

import httpx

TIMEOUT = httpx.Timeout(5.0, connect=2.0)


class PrometheusError(Exception):
    """Prometheus did not answer, or refused the query; the message says which."""


class Prometheus:
    """One connection pool for all Prometheus servers."""

    def __init__(self, token: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.AsyncClient(
            timeout=TIMEOUT,
            headers=headers,
            limits=httpx.Limits(max_connections=50, max_keepalive_connections=20),
        )

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def series(self, url: str, query: str) -> dict[str, int]:
        """The value of each counter series of an instant query, by its labels.

        NaN and infinite values are left out, as if the series were absent.
        Raises PrometheusError.
        """
        try:
            response = await self._http.post(
                f"{url.rstrip('/')}/api/v1/query", data={"query": query}
            )
            body: dict[str, Any] = response.json()
        except httpx.HTTPError as error:
            raise PrometheusError(f"{url}: {type(error).__name__} {error}".rstrip()) from error
        except ValueError as error:
            raise PrometheusError(f"{url} answered {response.status_code} without JSON") from error
        if body.get("status") != "success":
            raise PrometheusError(f"{url} refused {query!r}: {body.get('error', response.text)}")
        data = body["data"]
        if data.get("resultType") != "vector":
            raise PrometheusError(
                f"{query!r} gives a {data.get('resultType')}; an indicator needs an instant vector"
            )
        found: dict[str, int] = {}
        for sample in data["result"]:
            value = float(sample["value"][1])
            if math.isfinite(value) and value >= 0:
                key = ",".join(f"{k}={v}" for k, v in sorted(sample["metric"].items()))
                found[key[:480]] = round(value)
        return found
