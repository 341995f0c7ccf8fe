"""How an outside system is reached: whether it may be, and with which credentials."""

from __future__ import annotations

from evenkeel.adapters.access import SHOWN, Access, AccessError, check_header, shown
from evenkeel.adapters.address import Address, Allowed
from evenkeel.adapters.source import AccessDenied, NotAllowed
from evenkeel.kube.by_name import ByName, Named, Unreadable
from evenkeel.meta.resources import SECRET
from evenkeel.outside.poll import Poll

KEYS = ("token", *SHOWN)
"""What may be in a Secret."""


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
            texts = await self._texts(namespace, poll.secret) if poll.secret else {}
            return _access(str(address), texts, guarded=not self._allowed.entries)
        except Unreadable as error:
            raise AccessDenied(str(error)) from None
        except AccessError as error:
            raise AccessDenied(f"Secret {poll.secret!r}: {error}") from None

    async def _texts(self, namespace: str, secret: str) -> dict[str, str]:
        """The texts in the Secret by key."""
        return await self._by_name.values(Named(SECRET, namespace, secret, KEYS[0]), KEYS)


def _access(url: str, texts: dict[str, str], *, guarded: bool) -> Access:
    """Raises AccessError."""
    headers, authorization, tls = shown(texts)
    if "token" in texts:
        if authorization:
            raise AccessError("token and username exclude each other; remove one")
        check_header("token", texts["token"])
        authorization = f"Bearer {texts['token']}"
    return Access(url, headers, authorization, tls, guarded=guarded)
