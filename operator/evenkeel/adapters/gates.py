"""Asks a gate outside the cluster whether a canary may leave its step.

Signed as https://www.standardwebhooks.com says, if there is a key to sign with.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any

from evenkeel.adapters.access import Access
from evenkeel.adapters.body import parsed
from evenkeel.adapters.source import NotUnderstood, Unavailable
from evenkeel.adapters.web import Reply, Web, refusal
from evenkeel.adapters.words import one_line, without
from evenkeel.outside.gates import GateAnswer, GateQuestion

ANSWER = 2**16
"""Bytes of an answer."""
WORDS = 512
"""Characters of a gate's message."""
LATER = (202, 425)
"""Statuses by which a gate says that it will be able to tell later."""
_PREFIX = "whsec_"
_HOW = (
    'answer 200 with {"allow": true}, {"allow": false, "message": "..."} or {"wait": true}; '
    "an empty answer allows"
)


class Gates:
    """Asks by the connections to outside systems. wall: Unix seconds."""

    def __init__(self, web: Web, wall: Callable[[], float] = time.time) -> None:
        self._web = web
        self._wall = wall

    async def __call__(self, question: GateQuestion, access: Access, last: Any) -> GateAnswer:
        """What it says now. Raises SourceError; no fault is ever an answer."""
        body, told = question.body.encode(), str(int(self._wall()))
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "webhook-id": question.delivery,
            "webhook-timestamp": told,
        }
        if access.signing:
            signed = signature(access.signing, question.delivery, told, body)
            headers["webhook-signature"] = signed
        try:
            async with asyncio.timeout(question.timeout):
                reply = await self._web.request(
                    access,
                    "POST",
                    "",
                    query=question.query,
                    headers=headers,
                    data=body,
                    limit=ANSWER,
                )
        except TimeoutError:
            raise Unavailable(f"{access.url} gave no answer in {question.timeout:g} s") from None
        return _answer(reply, access)


def signature(key: str, delivery: str, told: str, body: bytes) -> str:
    """The header's value. key: text, or `whsec_` and bytes in base64."""
    secret = key.encode()
    if key.startswith(_PREFIX):
        try:
            secret = base64.b64decode(key.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            secret = key.encode()
    content = f"{delivery}.{told}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()


def _answer(reply: Reply, access: Access) -> GateAnswer:
    if reply.status in LATER:
        return GateAnswer("Wait", _said(reply, access))
    if not 200 <= reply.status < 300:
        raise refusal(reply, access)
    if not reply.body.strip():
        return GateAnswer("Allow")
    found = _document(reply)
    if found is not None:
        message = _said(reply, access)
        if found.get("wait") is True:
            return GateAnswer("Wait", message)
        if found.get("allow") is True:
            return GateAnswer("Allow", message)
        if found.get("allow") is False:
            return GateAnswer("Deny", message)
    shown = one_line(reply.body[:80].decode(errors="replace"))
    raise NotUnderstood(f"{reply.url} answers {reply.status} with {shown}: {_HOW}")


def _document(reply: Reply) -> dict[str, Any] | None:
    try:
        found = parsed(reply.body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _said(reply: Reply, access: Access) -> str:
    message = (_document(reply) or {}).get("message", "")
    return one_line(without(access.confidential, str(message)))[:WORDS]
