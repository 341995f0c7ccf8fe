"""How a model's requests are counted in production."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from evenkeel.api.base import Seconds as PositiveDecimal
from evenkeel.api.base import Share
from evenkeel.api.learning import Learn
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
    learn: Annotated[Learn, Field(description="The reference where there is no such file.")] = (
        Learn()
    )


class Detection(Model):
    """How the counts of whole blocks of time are compared with the profile."""

    block_seconds: Annotated[
        int,
        Field(
            ge=300,
            le=604800,
            description="Length of the blocks: whole cycles of the traffic, such as a day.",
        ),
    ] = 86400
    false_alarms_per_year: Annotated[
        PositiveDecimal,
        Field(description="False alarms without drift in a year at most, all groups together."),
    ] = "0.1"
    tolerance: Annotated[
        Share,
        Field(
            description="Share of rows that may be in other bins than in the profile; a tenth of "
            "it holds for missing and unseen values."
        ),
    ] = "0.05"
    min_rows: Annotated[
        int,
        Field(ge=1, le=1000000000, description="Blocks with fewer counted rows tell nothing."),
    ] = 200


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
    detection: Annotated[
        Detection,
        Field(description="How drift is detected; a change of it starts no new revision."),
    ] = Detection()
