"""What is known of drift: the evidence, and what it shows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from evenkeel.meta.model import ATOMIC, Model, map_list
from evenkeel.meta.times import Timestamp

Number = Annotated[str, Field(max_length=16)]
"""A decimal number."""


class BinStatus(Model):
    """Shares of one bin."""

    range: Annotated[str, Field(max_length=256, description="What falls into it.")]
    before: Annotated[Number, Field(description="Its share in the reference.")]
    now: Annotated[Number, Field(description="Its share in the last blocks.")]


class FeatureStatus(Model):
    """A feature or prediction."""

    kind: Annotated[Literal["Feature", "Prediction"], Field(description="Kind.")]
    name: Annotated[str, Field(max_length=256, description="Name.")]
    distance: Annotated[
        Number, Field(description="Share of rows that are in other bins than in the reference.")
    ]
    bins: Annotated[
        tuple[BinStatus, ...],
        Field(
            max_length=10,
            description="Bins that changed by most.",
            json_schema_extra=ATOMIC,
        ),
    ] = ()


class GroupStatus(Model):
    """What is watched together."""

    name: Annotated[
        Literal["Data", "Prediction", "Missing", "Unseen", "Risk"], Field(description="Group.")
    ]
    statistic: Annotated[Number, Field(description="Evidence of drift.")]
    threshold: Annotated[Number, Field(description="Evidence at which it is drift.")]
    drifted_since: Annotated[
        Timestamp | None, Field(description="End of the block that showed the drift.")
    ] = None
    features: Annotated[
        tuple[FeatureStatus, ...],
        Field(
            max_length=3,
            description="Those with the most evidence.",
            json_schema_extra=ATOMIC,
        ),
    ] = ()


class ReferenceStatus(Model):
    """What production is compared with."""

    digest: Annotated[str, Field(max_length=256, description="Digest of the profile.")]
    rows: Annotated[int, Field(ge=0, description="Rows that it was made of.")] = 0
    source: Annotated[
        Literal["Profile", "Learned"],
        Field(description="The model's own profile, or its first requests."),
    ] = "Profile"


class MonitoringStatus(Model):
    """Drift of the stable revision."""

    revision: Annotated[str, Field(max_length=63, description="The revision.")]
    terms: Annotated[
        str, Field(max_length=64, description="Digest of detection and risk in spec.monitoring.")
    ]
    reference: Annotated[ReferenceStatus | None, Field(description="The reference profile.")] = None
    until: Annotated[Timestamp, Field(description="Blocks up to this time have been looked at.")]
    blocks: Annotated[int, Field(ge=0, description="Blocks that were looked at.")] = 0
    void: Annotated[int, Field(ge=0, description="Those of them that tell nothing.")] = 0
    message: Annotated[
        str, Field(max_length=512, description="What the last block told, or why nothing.")
    ] = ""
    groups: Annotated[
        tuple[GroupStatus, ...],
        Field(max_length=5, description="Groups.", json_schema_extra=map_list("name")),
    ] = ()
    evidence: Annotated[
        str, Field(max_length=131072, description="All that the detectors remember.")
    ] = ""
    risk_evidence: Annotated[
        str, Field(max_length=512, description="All that is remembered of bad labels.")
    ] = ""
