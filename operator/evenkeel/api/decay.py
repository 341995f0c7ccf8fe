"""How far a served metric is shown to have decayed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from evenkeel.meta.model import Model
from evenkeel.meta.times import Timestamp


class DecayEvidence(Model):
    """What has been counted of a version in production, window by window, and what it shows."""

    version: Annotated[str, Field(max_length=253, description="The ModelVersion.")]
    terms: Annotated[
        str, Field(max_length=64, description="Digest of the trigger's fields that it is for.")
    ]
    until: Annotated[Timestamp, Field(description="Windows up to this time have been looked at.")]
    windows: Annotated[int, Field(ge=0, description="Windows that were counted.")] = 0
    void: Annotated[
        int, Field(ge=0, description="Windows that tell nothing: too few requests, or no counts.")
    ] = 0
    bad: Annotated[int, Field(ge=0, description="Bad events in the windows that count.")] = 0
    total: Annotated[int, Field(ge=0, description="All events in them.")] = 0
    wealth: Annotated[
        str,
        Field(max_length=128, description="Logarithms of the bets, in millionths of a nat."),
    ] = ""
    message: Annotated[
        str, Field(max_length=512, description="The evidence in words, or why a window is void.")
    ] = ""
    decayed_time: Annotated[
        Timestamp | None, Field(description="End of the window that showed the decay.")
    ] = None
