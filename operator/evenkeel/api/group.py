"""Several ModelDeployments whose new revisions are promoted together or not at all."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from evenkeel.api.base import Name
from evenkeel.meta.model import SET, Model


class Group(Model):
    """The group that a model is promoted with; each member says the same of it."""

    name: Annotated[Name, Field(description="Name of the group.")]
    members: Annotated[
        tuple[Name, ...],
        Field(
            min_length=2,
            max_length=16,
            description="ModelDeployments of this namespace, this one among them.",
            json_schema_extra=SET,
        ),
    ]
    release: Annotated[
        str,
        Field(
            max_length=63,
            description="What is promoted together, such as a tag or a commit: nothing is promoted "
            "before every member shows the same. What was taken back for another member's sake is "
            "tried again once this is another.",
        ),
    ] = ""

    @property
    def coordinator(self) -> str:
        """The member whose status holds the group's decisions."""
        return min(self.members)
