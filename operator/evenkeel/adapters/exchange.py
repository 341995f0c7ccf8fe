"""One request over HTTP to a server that nobody trusts, and what is taken of its answer.

Redirects are not followed and nothing is decompressed; credentials go to the access's own address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import aiohttp
from yarl import URL

from evenkeel.adapters.access import Access
from evenkeel.adapters.body import Body
from evenkeel.adapters.connections import Pool
from evenkeel.adapters.fault import broke
from evenkeel.adapters.words import one_line

REFUSAL = 2**14
"""Bytes that are read of an answer that is not wanted whole."""
IDENTITY = "identity"


class Request(NamedTuple):
    """path: below the access's address, such as /api/v1/query. params: of the query. data: the
    body, or a form's fields. query: one that is encoded already, and must stay as it is."""

    method: str
    path: str
    headers: Mapping[str, str]
    params: Mapping[str, str] | None = None
    data: bytes | Mapping[str, str] | None = None
    query: str = ""


class Head(NamedTuple):
    """An answer without its body. encoding: such as identity or gzip, in small letters."""

    status: int
    reason: str
    headers: Mapping[str, str]
    encoding: str


async def exchange(
    pool: Pool,
    access: Access,
    request: Request,
    body: Body,
    *,
    whole: Callable[[aiohttp.ClientResponse], bool],
    repeatable: bool = True,
) -> Head:
    """The answer's head; its body, or how that begins, is in `body`.

    whole: whether the body is read to its end. repeatable: whether the request may be sent again
    after a connection broke without an answer. Raises BodyTooLarge and what aiohttp does.
    """
    try:
        return await _once(pool, access, request, body, whole)
    except aiohttp.ClientConnectionError as error:
        if not (repeatable and broke(error)):
            raise
    return await _once(pool, access, request, body, whole)


async def _once(
    pool: Pool,
    access: Access,
    request: Request,
    body: Body,
    whole: Callable[[aiohttp.ClientResponse], bool],
) -> Head:
    headers = [*access.headers, *request.headers.items(), ("Accept-Encoding", IDENTITY)]
    if access.authorization:
        headers.append(("Authorization", access.authorization))
    query = f"?{request.query}" if request.query else ""
    async with pool.session.request(
        request.method,
        URL(f"{pool.address}{request.path}{query}", encoded=True),
        params=request.params,
        data=request.data,
        headers=headers,
        allow_redirects=False,
        server_hostname=access.tls.server_name or None,
    ) as response:
        encoding = response.headers.get("Content-Encoding", IDENTITY).lower()
        chunks = response.content.iter_any()
        try:
            if whole(response) and encoding == IDENTITY:
                await body.read(chunks)
            else:
                await body.read_beginning(chunks, REFUSAL)
        finally:
            if not response.content.is_eof():
                response.close()
        return Head(response.status, response.reason or "", response.headers, encoding)


def compressed(where: object, encoding: str) -> str:
    """What is wrong with an answer that is, in words."""
    return (
        f"{where} compressed its answer ({one_line(encoding, 20)}) though asked not to; let "
        "proxies pass Accept-Encoding on"
    )
