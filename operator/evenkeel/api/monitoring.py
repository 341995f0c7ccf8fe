"""How a model's requests are counted in production."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from evenkeel.api.base import Positive, Share
from evenkeel.api.learning import Learn
from evenkeel.meta.model import SET, Model, OpenObject, Rule, cel, says

_OBJECT = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"


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
            ge=10,
            le=604800,
            description="Length of the blocks: whole cycles of the traffic, such as a day, and at "
            "least ten scrapes.",
        ),
    ] = 86400
    false_alarms_per_year: Annotated[
        Positive,
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


Slice = Annotated[
    str,
    Field(
        min_length=1,
        max_length=256,
        pattern=r"^[^,\s]([^,]*[^,\s])?$",
        json_schema_extra=says(
            "write a categorical feature's name, without commas and without spaces around it"
        ),
    ),
]
"""Name of a categorical feature of the profile."""

ClaimName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        pattern=_OBJECT,
        json_schema_extra=says("write the name of a PersistentVolumeClaim"),
    ),
]


class FeedbackKeys(Model):
    """What signs the tokens of answers."""

    secret_name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=253,
            pattern=_OBJECT,
            description="Secret in the namespace whose entries are keys of 16 bytes at least; the "
            "last by name signs, all verify.",
            json_schema_extra=says("write the name of a Secret"),
        ),
    ]


class Loss(Model):
    """When a prediction that is a number is bad."""

    threshold: Annotated[
        str,
        Field(
            max_length=32,
            pattern=r"^[0-9]+(\.[0-9]+)?$",
            description="It is bad if it is further than this from its label.",
            json_schema_extra=says('write a decimal number, at least 0, in quotes, such as "0.5"'),
        ),
    ]


class Feedback(Model):
    """Labels: answers bring signed tokens, and a server takes them back with what came true.

    Only keys and slices are in the model's pods; a change of the others starts no new revision.
    """

    keys: Annotated[FeedbackKeys, Field(description="The keys.")]
    max_age_seconds: Annotated[
        int,
        Field(ge=1, le=2147483647, description="Longest time between a prediction and its label."),
    ] = 15552000
    window_seconds: Annotated[
        int,
        Field(
            ge=1, le=2147483647, description="What is posted again within this time counts once."
        ),
    ] = 604800
    slices: Annotated[
        tuple[Slice, ...],
        Field(
            max_length=4,
            description="Categorical features of the profile by whose values labels are counted "
            "besides.",
            json_schema_extra=SET,
        ),
    ] = ()
    loss: Annotated[
        Loss | None,
        Field(description="Without it predictions are classes, and bad if the label is another."),
    ] = None
    claim_name: Annotated[
        ClaimName | None,
        Field(
            description="PersistentVolumeClaim that keeps which labels were counted; without it a "
            "new pod may count one that is posted again.",
        ),
    ] = None
    resources: Annotated[
        OpenObject | None, Field(description="Resources of the server's container.")
    ] = None


class Risk(Model):
    """How many labels may be bad; more is drift, for the reason Risk."""

    max_ratio: Annotated[Share, Field(description="Share of bad labels that is tolerated.")]
    min_labels: Annotated[
        int,
        Field(ge=1, le=1000000000, description="Blocks with fewer labels tell nothing of it."),
    ] = 100


class Monitoring(Model):
    """The meter, a container in front of each model server, and what it counts."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.risk) || has(self.feedback)",
            "monitoring.risk is judged by labels: add monitoring.feedback with its keys",
        ),
    )
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
    feedback: Annotated[
        Feedback | None, Field(description="Labels of predictions, which come later.")
    ] = None
    risk: Annotated[
        Risk | None,
        Field(
            description="Detection of bad labels in the blocks of detection; a change of it starts "
            "no new revision."
        ),
    ] = None
