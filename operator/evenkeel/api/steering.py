"""What a person says to a rollout: which step is approved or skipped, which trial begins again."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from evenkeel.api.base import Name
from evenkeel.meta.model import Model


class NamedStep(Model):
    """One step of one revision's trial."""

    revision: Annotated[Name, Field(description="Revision on trial.")]
    step: Annotated[int, Field(ge=1, le=20, description="Number of the step, from 1.")]


class Restart(Model):
    """A trial that begins again at its first step."""

    revision: Annotated[Name, Field(description="Revision on trial.")]
    number: Annotated[
        int, Field(ge=1, description="Which restart of the trial it is; raise it for one more.")
    ] = 1
