"""One answer for each question: what a connection takes of a server.

aiohttp bounds each line and whoever reads bounds the body. Nobody bounds how many heads come before
an answer, what an idle connection is sent, and what framing adds; each alone fills memory.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

HEAD = 2**14
"""Bytes of an answer's head, with those of interim answers before it."""
SLICE = 2**11
"""Bytes that are parsed until it is looked what they were."""


class OneAnswer(ResponseHandler):
    """A connection that ends as soon as its server sends what is no part of an answer.

    Besides the head's bytes an answer may have twice as many as its body has so far.
    """

    _taken = 0
    _body: Any = None

    def set_response_params(self, **params: Any) -> None:
        """A question begins."""
        self._taken, self._body = 0, None
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Takes the bytes as long as they are an answer's."""
        for begin in range(0, len(data), SLICE):
            if self.transport is None or self.transport.is_closing():
                return
            part = data[begin : begin + SLICE]
            super().data_received(part)
            self._taken += len(part)
            body = 0 if self._body is None else self._body.total_bytes
            if self._taken > HEAD + 2 * body:
                self._end("more bytes than an answer has")

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Takes a head, with the body that follows."""
        message, body = data
        if not 100 <= message.code < 200:
            if self._body is not None:
                self._end("an answer that nobody asked for")
                return
            self._body = body
        super().feed_data(data, size)

    def _end(self, why: str) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.set_exception(HttpProcessingError(message=why))
            self.transport.abort()


class OneAnswerConnector(aiohttp.TCPConnector):
    """Makes such connections."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        handler: type[ResponseHandler] = OneAnswer
        self._factory = partial(handler, loop=self._loop)
