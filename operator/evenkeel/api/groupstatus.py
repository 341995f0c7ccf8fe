"""How a member of a group stands, and what the group has decided."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from evenkeel.meta.model import Model, map_list
from evenkeel.meta.times import Timestamp

Cause = Literal["Model", "Infrastructure", "User"]
"""Whose fault a rollback is."""
Standing = Literal["Serving", "Waiting", "OnTrial", "Ready", "Failing", "Replaced", "TakenBack"]


class Vote(Model):
    """A trial that has passed and ends from now on as the coordinator says."""

    coordinator: Annotated[str, Field(max_length=63, description="Member that decides.")]
    revision: Annotated[str, Field(max_length=63, description="Revision on trial.")]
    trial: Annotated[Timestamp, Field(description="When its trial began.")]


class Failure(Model):
    """The end of a trial that was neither promoted nor taken back with the group."""

    time: Annotated[Timestamp, Field(description="When the trial ended.")]
    release: Annotated[str, Field(max_length=63, description="Release that it was of.")] = ""
    reason: Annotated[str, Field(max_length=128, description="Why.")]
    message: Annotated[str, Field(max_length=1024, description="Why, in words.")] = ""
    cause: Annotated[Cause, Field(description="Whose fault it was.")] = "Model"


class Decided(Model):
    """What the group has decided on one trial."""

    name: Annotated[str, Field(max_length=63, description="Member.")]
    revision: Annotated[str, Field(max_length=63, description="Its revision on trial.")]
    trial: Annotated[Timestamp, Field(description="When that trial began.")]
    outcome: Annotated[Literal["Promote", "RollBack"], Field(description="How it ends.")]
    reason: Annotated[str, Field(max_length=128, description="Why.")] = ""
    message: Annotated[str, Field(max_length=2048, description="Why, in words.")] = ""
    cause: Annotated[Cause, Field(description="Whose fault a rollback is.")] = "Model"


class GroupStatus(Model):
    """How a member stands to its group, for the other members to read."""

    name: Annotated[str, Field(max_length=63, description="Name of the group.")]
    release: Annotated[
        str, Field(max_length=63, description="Release that the rest of this was seen at.")
    ] = ""
    standing: Annotated[
        Standing, Field(description="How the wanted revision stands; Ready has a vote.")
    ] = "Waiting"
    reason: Annotated[str, Field(max_length=128, description="Why, where there is one.")] = ""
    message: Annotated[str, Field(max_length=1024, description="Why, in words.")] = ""
    cause: Annotated[
        Cause | None, Field(description="Whose fault it is that the trial is to end.")
    ] = None
    vote: Annotated[Vote | None, Field(description="Its vote for the present trial.")] = None
    failure: Annotated[
        Failure | None, Field(description="The last trial, if the others are taken back for it.")
    ] = None
    decided: Annotated[
        tuple[Decided, ...],
        Field(
            max_length=32,
            description="The coordinator's last decisions; also a copy of those that a member has "
            "followed, for the rest if the coordinator is deleted.",
            json_schema_extra=map_list("name"),
        ),
    ] = ()
