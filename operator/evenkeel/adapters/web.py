"""Requests over HTTP to systems outside the cluster, whoever answers.

Servers are named by whoever may write an object, so none is trusted: an answer has a deadline and a
size, redirects are not followed, and credentials go to the address that they are for alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit

import aiohttp

from evenkeel.adapters import answer
from evenkeel.adapters.access import Access
from evenkeel.adapters.body import Bodies, Body, BodyTooLarge, Dropped, parsed
from evenkeel.adapters.connections import Pool, Pools
from evenkeel.adapters.exchange import IDENTITY, Head, Request, compressed, exchange
from evenkeel.adapters.fault import told
from evenkeel.adapters.source import (
    AccessDenied,
    NotAllowed,
    NotFound,
    NotUnderstood,
    SourceError,
    Unavailable,
)
from evenkeel.adapters.words import one_line, without

DEADLINE = 20.0
"""Seconds for a request, from the wait for a connection to the answer's last byte."""
ANSWER = 2**19
"""Bytes of an answer, unless its protocol needs more."""
TOGETHER = 32 * 2**20
"""Bytes of all answers that are being read."""


class TooLarge(NotUnderstood):
    """The answer is larger than what is taken."""


class Redirected(Unavailable):
    """The server sends elsewhere. headers: of its answer."""

    headers: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. body: whole if the status is 2xx, else how it begins. url: of what, for messages,
    without its query."""

    url: str
    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def media_type(self) -> str:
        """Such as application/json; empty if the server does not say."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()


class Web:
    """All servers. clock: seconds that only grow.

    loopback: whether addresses of this process are refused where an access is guarded.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, loopback: bool = False
    ) -> None:
        self._pools = Pools(clock, loopback=loopback, to="an outside system")
        self._bodies = Bodies(strangers=True, together=TOGETHER)

    async def close(self) -> None:
        """Closes the connections."""
        await self._pools.close()

    async def request(
        self,
        access: Access,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        limit: int = ANSWER,
        repeatable: bool = True,
    ) -> Reply:
        """What the server answers at a path below the access's address, such as /info/refs.

        query: in place of params, encoded. repeatable: whether it may be sent again after a
        connection broke without an answer. Raises SourceError, also for a redirect and a success
        that is larger than the limit.
        """
        request = Request(method, path, headers or {}, params, data, query)
        try:
            async with self._pools.use(access) as pool:
                return await self._bounded(pool, access, request, limit, repeatable)
        except answer.AddressRefused as error:
            raise NotAllowed(str(error)) from None
        except answer.PrometheusError as error:
            raise Unavailable(str(error)) from None

    async def _bounded(
        self, pool: Pool, access: Access, request: Request, limit: int, repeatable: bool
    ) -> Reply:
        try:
            async with asyncio.timeout(DEADLINE), pool.slots:
                with self._bodies.one(limit) as body:
                    head = await exchange(
                        pool, access, request, body, whole=_ok, repeatable=repeatable
                    )
                    return _reply(f"{pool.address}{request.path}", access, head, body)
        except TimeoutError:
            raise Unavailable(f"{pool.address} gave no whole answer in {DEADLINE:g} s") from None
        except Dropped as error:
            raise Unavailable(f"{pool.address}{request.path}: the answer is {error}") from None
        except BodyTooLarge as error:
            raise TooLarge(f"{pool.address}{request.path}: the answer is {error}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise told(pool.address, error) from None


def _ok(response: aiohttp.ClientResponse) -> bool:
    return response.ok


def _reply(url: str, access: Access, head: Head, body: Body) -> Reply:
    """Raises SourceError for a redirect and what is compressed, and BodyTooLarge."""
    if 300 <= head.status < 400:
        location = without(access.confidential, head.headers.get("Location", ""))
        redirected = Redirected(_redirect(url, head.status, location))
        redirected.headers = head.headers
        raise redirected
    if head.encoding != IDENTITY:
        raise NotUnderstood(compressed(url, head.encoding))
    return Reply(url, head.status, head.reason, head.headers, body.octets())


def _redirect(url: str, status: int, location: str) -> str:
    where = ""
    with suppress(ValueError):
        # Its query may hold what is nobody's business.
        parts = urlsplit(location)
        where = one_line(f"{parts.scheme}://{parts.netloc}{parts.path}") if parts.netloc else ""
    leads = f" to {where}" if where else ""
    return f"{url} answered {status}{leads}: redirects are not followed; write the final address"


def refusal(reply: Reply, access: Access) -> SourceError:
    """The error that an answer other than success stands for, in the server's own words."""
    said = words(reply, access.confidential)
    message = f"{reply.url} answered {reply.status}: {said}".removesuffix(": ")
    match reply.status:
        case 401 | 403 if access.authorization or access.headers:
            return AccessDenied(f"{message}; correct the Secret, or what its user may do")
        case 401 | 403:
            return AccessDenied(
                f"{message}; name a Secret that holds token, or username and password"
            )
        case 404 | 410:
            return NotFound(message)
        case _:
            return Unavailable(message)


def words(reply: Reply, secrets: Iterable[str]) -> str:
    """What the server says, without the secrets: the message of a JSON answer, the text, or its
    reason."""
    found = one_line(without(secrets, _said(reply)))
    return found or one_line(without(secrets, reply.reason))


def _said(reply: Reply) -> str:
    text = reply.body.decode(errors="replace")
    with suppress(ValueError, AttributeError):
        found = parsed(reply.body)
        named = (found.get(name) for name in ("message", "error", "detail"))
        return next((one for one in named if isinstance(one, str)), text)
    # Flask calls plain words HTML as well.
    return "" if reply.media_type == "text/html" and "<" in text else text
