"""The one error that the command line shows without a traceback."""

from __future__ import annotations


class ClusterError(Exception):
    """A failure that the user can act on.

    `cause` says what went wrong; `remedy` says what to do about it.
    """

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(f"{cause}\nRemedy: {remedy}")
        self.cause = cause
        self.remedy = remedy
