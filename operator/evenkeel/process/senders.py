"""Who may send alerts: the operator's token for all namespaces, a namespace's own for itself."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Mapping

from evenkeel.kube.by_name import ByName, Named, Unreadable
from evenkeel.meta.resources import SECRET

log = logging.getLogger(__name__)

KEY = "token"


class Senders:
    """token: the operator's, empty if the webhook is open. secrets: by namespace the Secret there
    with the namespace's own token."""

    def __init__(
        self, token: Callable[[], str], secrets: Mapping[str, str], by_name: ByName | None
    ) -> None:
        self._token = token
        self._secrets = secrets
        self._by_name = by_name

    async def admits(self, authorization: str, namespace: str) -> bool:
        """Whether the header opens the namespace's path, or the shared one if there is none."""
        token, own = self._token(), await self._own(namespace)
        if not token and namespace not in self._secrets:
            return True
        # Both are compared, so that the time taken does not tell which there is.
        fits = [_same(authorization, token), _same(authorization, own)]
        return any(fits)

    def tenant(self, namespace: str) -> str:
        """Whose requests wait for each other: those of a namespace with a token of its own do for
        its own alone, all others together, however many names they tell."""
        return namespace if namespace in self._secrets else ""

    async def _own(self, namespace: str) -> str:
        """The namespace's token; empty if it has none that can be read."""
        secret = self._secrets.get(namespace)
        if secret is None or self._by_name is None:
            return ""
        try:
            return await self._by_name.value(Named(SECRET, namespace, secret, KEY))
        except Unreadable as error:
            log.warning("what is sent to namespace %s is refused: %s", namespace, error)
            return ""


def _same(authorization: str, token: str) -> bool:
    given = authorization.encode(errors="replace")
    return hmac.compare_digest(given, f"Bearer {token}".encode()) and bool(token)
