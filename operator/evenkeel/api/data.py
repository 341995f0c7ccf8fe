"""Data that a model is trained on, as a source tells of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from evenkeel.meta.model import Model
from evenkeel.meta.times import Timestamp


class DataRevision(Model):
    """A revision of data that a Git repository tells of."""

    repo: Annotated[str, Field(max_length=2048, description="Address of the repository.")]
    rev: Annotated[str, Field(max_length=64, description="Commit that has this revision.")]
    path: Annotated[str, Field(max_length=512, description="Path of the data in it.")]
    digest: Annotated[
        str,
        Field(
            max_length=256,
            description="Algorithm and hash, such as md5:HASH.dir of a folder tracked by DVC.",
        ),
    ]
    size: Annotated[int | None, Field(ge=0, description="Bytes, if the source tells.")] = None
    files: Annotated[int | None, Field(ge=0, description="Files of a folder, if told.")] = None


class DataObjects(Model):
    """Data in objects of a store."""

    uri: Annotated[
        str, Field(max_length=1024, description="Prefix of their addresses: s3://BUCKET/PREFIX.")
    ]
    time: Annotated[Timestamp, Field(description="When the newest of them was written.")]
    digest: Annotated[
        str,
        Field(
            max_length=256,
            description="Algorithm and hash over their keys and what tells their contents apart; "
            "with a marker over the folders completed last.",
        ),
    ]
    partition: Annotated[
        str,
        Field(max_length=512, description="Folder below the prefix that was completed last."),
    ] = ""
    objects: Annotated[
        int | None, Field(ge=0, description="How many there are, without a marker.")
    ] = None
    size: Annotated[int | None, Field(ge=0, description="Their bytes, without a marker.")] = None


def data_text(data: DataRevision) -> str:
    """Such as "data/train at 3fa9c1b20e4d (md5:HASH.dir, 104857600 bytes in 200 files)"."""
    facts = [data.digest]
    if data.size is not None:
        many = f" in {data.files} files" if data.files is not None else ""
        facts.append(f"{data.size} bytes{many}")
    return f"{data.path} at {data.rev[:12]} ({', '.join(facts)})"


def objects_text(data: DataObjects) -> str:
    """Such as "s3://data/days/ partition 30 of 2026-01-31T09:00:00Z (sha256:HASH)"."""
    facts = [data.digest]
    if data.objects is not None:
        facts.append(f"{data.size or 0} bytes in {data.objects} objects")
    where = f" partition {data.partition}" if data.partition else ""
    return f"{data.uri}{where} of {data.time} ({', '.join(facts)})"
