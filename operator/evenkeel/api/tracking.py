"""Where MLflow has a training's run and model."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from evenkeel.meta.model import Model


class TrackedRun(Model):
    """A run of MLflow, and the model that it has logged."""

    registry: Annotated[
        str,
        Field(max_length=63, description="Name of the ModelRegistry by which MLflow is reached."),
    ]
    run_id: Annotated[str, Field(max_length=64, alias="runID", description="The run.")] = ""
    model_id: Annotated[
        str, Field(max_length=64, alias="modelID", description="The logged model, such as m-ID.")
    ] = ""
    url: Annotated[str, Field(max_length=2048, description="The run's page in MLflow.")] = ""
