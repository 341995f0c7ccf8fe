"""Where a training ran, as its engine knows it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from evenkeel.meta.model import Model


class EngineRun(Model):
    """A run of an engine that keeps its own account of runs."""

    engine: Annotated[
        str, Field(max_length=63, description="Field of spec.training that selects the engine.")
    ]
    name: Annotated[str, Field(max_length=253, description="Its ID or name there.")] = ""
    url: Annotated[str, Field(max_length=2048, description="Its page, for people.")] = ""


class ObservedRun(EngineRun):
    """The same, with how it stands."""

    last_seen: Annotated[
        str,
        Field(
            max_length=63,
            description="How it stood when it was last seen, in the engine's words; "
            "GONE: there is none.",
        ),
    ] = ""
