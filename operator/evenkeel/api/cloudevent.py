"""A CloudEvent that a training answers."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from evenkeel.meta.model import Model


class CloudEvent(Model):
    """A CloudEvent as its sender told it, cut to what is kept."""

    repeats: ClassVar[bool] = False
    """Whether it is sent again as long as it holds."""
    source: Annotated[str, Field(max_length=1024, description="Where it happened.")]
    id: Annotated[str, Field(max_length=256, description="Which one of its source it is.")]
    type: Annotated[str, Field(max_length=256, description="What happened.")]
    subject: Annotated[str, Field(max_length=1024, description="What it happened to.")] = ""
    time: Annotated[str, Field(max_length=64, description="When it happened, if told.")] = ""
    data: Annotated[
        str,
        Field(max_length=2048, description="What it carries, as text; base64 of what is none."),
    ] = ""
    data_cut: Annotated[
        bool | None, Field(description="Whether the data go on beyond what is kept.")
    ] = None

    @property
    def began(self) -> str:
        """When it happened, as far as it tells."""
        return self.time


def event_text(event: CloudEvent) -> str:
    """Such as "com.example.uploaded of /buckets/ml data/train.parquet"."""
    return " ".join(filter(None, (event.type, "of", event.source, event.subject)))
