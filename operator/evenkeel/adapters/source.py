"""How asking an outside system fails, and what asks one."""

from __future__ import annotations

from collections.abc import Awaitable, Hashable
from typing import Any, ClassVar, Protocol

from evenkeel.adapters.access import Access


class SourceError(Exception):
    """No answer that can be used; the message, one line for people, tells no credentials.

    reason: what the status says.
    """

    reason: ClassVar[str] = "SourceUnavailable"


class Unavailable(SourceError):
    """No connection, no answer in time or a server's fault."""


class AccessDenied(SourceError):
    """The credentials are missing, wrong or not to be had."""

    reason = "SourceAccessDenied"


class NotAllowed(SourceError):
    """The address is none that may be asked."""

    reason = "SourceNotAllowed"


class NotFound(SourceError):
    """What is asked for is not there."""

    reason = "SourceNotFound"


class NotUnderstood(SourceError):
    """The answer is too large, or none of the protocol."""

    reason = "SourceNotUnderstood"


class Ask(Protocol):
    """Asks one question of a protocol. Raises SourceError; has no deadline of its own."""

    def __call__(self, question: Any, access: Access, last: Any) -> Awaitable[Hashable]:
        """The answer: small, frozen, and equal as long as nothing has changed.

        last: the answer before, None if there was none; what it spares need not be asked again.
        """
