"""How a model's requests are counted in production."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from evenkeel.meta.model import Model, OpenObject, Rule, cel


class Profile(Model):
    """The reference profile: what the model was trained on, by bins."""

    file: Annotated[
        str,
        Field(
            min_length=1,
            max_length=512,
            description="Its file in the model's folder.",
            json_schema_extra=cel(
                Rule(
                    "!self.startsWith('/') && !self.split('/').exists(p, p == '..')",
                    "profile.file is relative to the model's folder and stays in it",
                )
            ),
        ),
    ] = "evenkeel-profile.json"


class Monitoring(Model):
    """The meter, a container in front of each model server, and what it counts."""

    profile: Annotated[Profile, Field(description="The reference profile.")] = Profile()
    spacing_milliseconds: Annotated[
        int,
        Field(
            ge=0,
            le=86400000,
            description="At most one row in this time is counted by each pod, so that counted rows "
            "depend little on each other; 0 counts every row.",
        ),
    ] = 1000
    max_body_bytes: Annotated[
        int,
        Field(
            ge=0,
            le=67108864,
            description="Larger bodies pass without their values being counted.",
        ),
    ] = 1048576
    resources: Annotated[
        OpenObject | None, Field(description="Resources of the meter's container.")
    ] = None
