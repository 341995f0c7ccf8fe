"""The version in production that a training shall find a successor for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from evenkeel.meta.model import Model
from evenkeel.meta.times import Timestamp


class OutgoingVersion(Model):
    """The version that was in production when a trigger fired for what became of it."""

    name: Annotated[str, Field(max_length=253, description="The ModelVersion.")]
    trained_time: Annotated[Timestamp, Field(description="When it was trained.")]
    occasion: Annotated[
        int, Field(ge=1, description="The how many-th occasion it gave the trigger.")
    ] = 1
    attempt: Annotated[
        int, Field(ge=0, description="Runs for this occasion that failed before.")
    ] = 0
    evidence: Annotated[
        str | None, Field(max_length=512, description="What shows that it has decayed or drifted.")
    ] = None


def outgoing_text(version: OutgoingVersion) -> str:
    """Such as "elec-3f2a, trained 2026-01-31T09:00:00Z (attempt 2)"."""
    again = f" (attempt {version.attempt + 1})" if version.attempt else ""
    shown = f": {version.evidence}" if version.evidence else ""
    return f"{version.name}, trained {version.trained_time}{again}{shown}"
