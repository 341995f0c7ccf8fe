"""Reasons of what is asked of systems outside the cluster."""

from __future__ import annotations

from evenkeel.api.reasons.reason import Carrier, Reason


def source_reasons(*carriers: Carrier) -> tuple[Reason, ...]:
    """Why an outside system has no answer, for a kind whose conditions of these types tell it."""
    return (
        Reason(
            "SourceUnavailable",
            carriers,
            "An outside system cannot be reached, does not answer in time or fails; it is asked "
            "again.",
            "Look at the system that the message names; a redirect asks for its final address.",
        ),
        Reason(
            "SourceAccessDenied",
            carriers,
            "Credentials for an outside system are missing, wrong, or not to be read.",
            "Correct the Secret, or have `rbac.readByName` grant it.",
        ),
        Reason(
            "SourceNotAllowed",
            carriers,
            "The address is one that may not be asked.",
            "Correct it, or let who runs the operator add it to `sources.allowed`.",
        ),
        Reason(
            "SourceNotFound",
            carriers,
            "An outside system does not have what is asked for.",
            "Correct the name that the message tells.",
        ),
        Reason(
            "SourceNotUnderstood",
            carriers,
            "An outside system answers with too much, or with something else than it should.",
            "Look at what the address leads to.",
        ),
    )
