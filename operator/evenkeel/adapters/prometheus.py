"""Instant queries against Prometheus' HTTP API (v1), whoever answers.

Servers are named by whoever may write a ModelDeployment, so none is trusted: each answer has a
deadline and a size, each access has connections and a circuit breaker of its own, and only the path
of the query API is ever asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import aiohttp

from evenkeel.adapters.access import Access
from evenkeel.adapters.answer import (
    AccessDenied,
    Answer,
    NotUnderstood,
    PrometheusError,
    QueryRefused,
    TooLarge,
    Unavailable,
    vector,
)
from evenkeel.adapters.body import Bodies, Body, BodyTooLarge, parsed
from evenkeel.adapters.connections import Pool, Pools, Share
from evenkeel.adapters.exchange import IDENTITY, REFUSAL, Head, Request, compressed, exchange
from evenkeel.adapters.fault import told
from evenkeel.adapters.open_queries import OpenQueries
from evenkeel.adapters.words import one_line, without

__all__ = ["Prometheus", "PrometheusError"]

DEADLINE = 8.0
"""Seconds for a query, from the wait for a connection to the answer's last byte."""
TOO_LONG = (413, 414, 431)
"""Answers to a query that is too long, from a proxy often."""
HEADERS = {"Accept": "application/json"}
Form = dict[str, str]


class _Room:
    """What all queries have together. strangers: those to servers that nobody vouches for."""

    def __init__(self, *, strangers: bool) -> None:
        self.open = OpenQueries()
        self.bodies = Bodies(strangers=strangers)


class Prometheus:
    """All Prometheus servers. clock: seconds that only grow.

    loopback: whether addresses of this process are refused where an access is guarded.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, loopback: bool = False
    ) -> None:
        self._pools = Pools(clock, loopback=loopback)
        self._rooms = {strangers: _Room(strangers=strangers) for strangers in (False, True)}

    async def close(self) -> None:
        """Closes the connections."""
        await self._pools.close()

    async def ask(
        self, access: Access, query: str, *, tenant: str = "", at: int | None = None
    ) -> Answer:
        """The instant vector that the query gives.

        tenant: on whose behalf, such as a namespace; each has a share of the connections. at: Unix
        seconds; now without.
        Raises PrometheusError; each kind is a class of its own (answer.py).
        """
        async with self._pools.use(access) as pool:
            with pool.share(tenant) as share, _watched(share):
                return await self._bounded(pool, share, access, _form(query, at))

    async def _bounded(self, pool: Pool, share: Share, access: Access, form: Form) -> Answer:
        """Raises PrometheusError."""
        room = self._rooms[access.guarded]
        try:
            async with (
                asyncio.timeout(DEADLINE),
                share.slots,
                pool.slots,
                room.open.one(pool, share),
            ):
                with room.bodies.one() as body:
                    response = await self._exchange(pool, access, form, body)
                    async with room.bodies.turn(body):
                        answer = _understood(pool, access, response, body.whole())
            pool.proven = True
            return answer
        except TimeoutError:
            raise Unavailable(f"{pool.address} gave no whole answer in {DEADLINE:g} s") from None
        except BodyTooLarge as error:
            raise TooLarge(f"{pool.address}: the answer is {error}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise told(pool.address, error) from None

    async def _exchange(self, pool: Pool, access: Access, form: Form, body: Body) -> Head:
        head = await exchange(pool, access, _request(pool, form), body, whole=_success)
        if head.status in (405, 501) and not pool.by_get:
            # Some proxies let nothing but GET through.
            pool.by_get = True
            request = _request(pool, form)
            head = await exchange(pool, access, request, body, whole=_success, repeatable=False)
        return head


def _form(query: str, at: int | None) -> Form:
    return {"query": query} if at is None else {"query": query, "time": str(at)}


def _request(pool: Pool, form: Form) -> Request:
    path = "/api/v1/query"
    if pool.by_get:
        return Request("GET", path, HEADERS, params=form)
    return Request("POST", path, HEADERS, data=form)


def _success(response: aiohttp.ClientResponse) -> bool:
    return response.status == 200


@contextmanager
def _watched(share: Share) -> Iterator[None]:
    """Tells the breaker how it went. Raises PrometheusError where it is open."""
    breaker = share.breaker
    if not breaker.admits():
        assert share.last_error is not None
        pause = f"(asked again within {breaker.pause:g} s)"
        raise type(share.last_error)(f"{share.last_error} {pause}")
    try:
        yield
    except QueryRefused:
        breaker.succeeded()
        raise
    except PrometheusError as error:
        share.last_error = error
        breaker.failed()
        raise
    except BaseException:
        breaker.gave_up()
        raise
    breaker.succeeded()


def _understood(pool: Pool, access: Access, response: Head, text: bytes) -> Answer:
    if response.status != 200:
        raise _refusal(pool, access, response, text)
    if response.encoding != IDENTITY:
        raise NotUnderstood(compressed(pool.address, response.encoding))
    try:
        body = parsed(text)
    except ValueError:
        said = _words(access, text[:REFUSAL])
        raise NotUnderstood(f"{pool.address} answered 200 without JSON: {said}") from None
    try:
        if body.get("status", "success") == "success":
            return vector(body["data"], body.get("warnings") or ())
    except QueryRefused as error:
        raise QueryRefused(f"{pool.address}: {error}") from None
    except (AttributeError, KeyError, TypeError, ValueError):
        raise NotUnderstood(f"{pool.address}: the answer is not understood") from None
    raise _refusal(pool, access, response, text)


def _refusal(pool: Pool, access: Access, response: Head, text: bytes) -> PrometheusError:
    """The error that an answer other than success stands for."""
    status = response.status
    if 300 <= status < 400:
        return Unavailable(
            f"{pool.address} answered {status}: redirects are not followed; "
            "write the address that it leads to"
        )
    kind = ""
    with suppress(ValueError, AttributeError):
        kind = str(parsed(text[:REFUSAL]).get("errorType", ""))
    said = _words(access, text[:REFUSAL]) if response.encoding == IDENTITY else ""
    message = f"{pool.address} answered {status}: {said}".removesuffix(": ")
    if status in (401, 403):
        return AccessDenied(message)
    if kind in ("bad_data", "execution") or status in (200, *TOO_LONG):
        return QueryRefused(message)
    return Unavailable(message)


def _words(access: Access, body: bytes) -> str:
    """The server's own words: the API's error text, or how the body begins."""
    text = body.decode(errors="replace")
    with suppress(ValueError, AttributeError):
        error = parsed(body).get("error")
        text = error if isinstance(error, str) else text
    return one_line(without(access.confidential, text))
