"""How an outside system is reached: whether it may be, and with which credentials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from evenkeel.adapters.access import (
    SHOWN,
    SIGNING,
    Access,
    AccessError,
    check_header,
    shown,
    signing_keys,
)
from evenkeel.adapters.address import Address, Allowed
from evenkeel.adapters.source import AccessDenied, NotAllowed
from evenkeel.kube.by_name import ByName, Named, Unreadable
from evenkeel.meta.resources import SECRET
from evenkeel.outside import gates, s3
from evenkeel.outside.poll import Poll

KEYS = ("token", *SHOWN)
"""What may be in a Secret."""
SIGNED = {
    gates.KIND: (gates.SIGNING_KEY, *KEYS),
    s3.KIND: (*SIGNING, *SIGNING.values(), "ca.crt", "tls.crt", "tls.key", "headers"),
}
"""What may be in one for a protocol that signs its requests."""


class SourceAccesses:
    """Ways to outside systems. allowed: the addresses that may be asked; without entries any that
    an outside system may have."""

    def __init__(self, by_name: ByName, allowed: Allowed) -> None:
        self._by_name = by_name
        self._allowed = allowed

    async def of(self, namespace: str, poll: Poll) -> Access:
        """The access of a poll; reads its Secret in the namespace if it names one.

        Raises NotAllowed and AccessDenied.
        """
        try:
            address = Address.parse(poll.url)
        except ValueError as error:
            raise NotAllowed(str(error)) from None
        if self._allowed.entries and not self._allowed.names(address, namespace):
            raise NotAllowed(
                f"{address} is not among the addresses that namespace {namespace} may name; ask "
                "those who run the operator to add it (the chart's sources.allowed)"
            )
        try:
            keys = SIGNED.get(poll.kind, KEYS)
            texts = await self._texts(namespace, poll.secret, keys) if poll.secret else {}
            if poll.secret and poll.kind in SIGNED and not texts:
                raise AccessError(f"none of the keys {', '.join(keys)} is in it; add those needed")
            found = _access(str(address), texts, guarded=not self._allowed.entries)
            return replace(found, owner=namespace)
        except Unreadable as error:
            raise AccessDenied(str(error)) from None
        except AccessError as error:
            raise AccessDenied(f"Secret {poll.secret!r}: {error}") from None

    async def _texts(self, namespace: str, secret: str, keys: tuple[str, ...]) -> dict[str, str]:
        """The texts in the Secret by key."""
        return await self._by_name.values(Named(SECRET, namespace, secret, keys[0]), keys)


def _access(url: str, texts: Mapping[str, str], *, guarded: bool) -> Access:
    """Raises AccessError."""
    headers, authorization, tls = shown(texts)
    if "token" in texts:
        if authorization:
            raise AccessError("token and username exclude each other; remove one")
        check_header("token", texts["token"])
        authorization = f"Bearer {texts['token']}"
    return Access(
        url,
        headers,
        authorization,
        tls,
        signing_keys(texts),
        texts.get(gates.SIGNING_KEY, ""),
        guarded=guarded,
    )
