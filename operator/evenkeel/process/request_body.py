"""Bodies of requests to the webhooks: bounded in size and in time."""

from __future__ import annotations

import asyncio

from aiohttp import web

READING = 10.0
"""Seconds within which a body must have come."""
LATE = f"the body did not come within {READING:.0f} s"


async def read(request: web.Request, most: int) -> bytes:
    """The body; unlike aiohttp's own, it is not kept as long as the request is.

    Raises TimeoutError, and HTTPRequestEntityTooLarge for more bytes than `most`.
    """
    body = bytearray()
    async with asyncio.timeout(READING):
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > most:
                raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=len(body))
    return bytes(body)
