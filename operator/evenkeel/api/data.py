"""Data that a model is trained on: as a source tells of them, and as a training was given them."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from evenkeel.meta.model import ATOMIC, Model, Rule, exactly_one
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


class UsedData(Model):
    """Data that a model was trained on."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("data", ("repo", "uri")),)
    name: Annotated[
        str, Field(max_length=63, description="Name in training.data, or of the trigger.")
    ]
    repo: Annotated[
        str | None, Field(max_length=2048, description="Address of the repository.")
    ] = None
    rev: Annotated[str | None, Field(max_length=64, description="Commit.")] = None
    path: Annotated[str | None, Field(max_length=512, description="Path in the repository.")] = None
    uri: Annotated[str | None, Field(max_length=2048, description="Address of the objects.")] = None
    digest: Annotated[
        str | None,
        Field(
            max_length=256,
            description="Algorithm and hash: as Git and DVC have it, such as md5:HASH.dir; of "
            "objects that of their names and ETags.",
        ),
    ] = None
    size: Annotated[int | None, Field(ge=0, description="Bytes.")] = None
    files: Annotated[int | None, Field(ge=0, description="How many files.")] = None


UsedDataList = Annotated[
    tuple[UsedData, ...],
    Field(max_length=10, description="Data of the training.", json_schema_extra=ATOMIC),
]


def data_text(data: DataRevision | UsedData) -> str:
    """Such as "data/train at 3fa9c1b20e4d (md5:HASH.dir, 104857600 bytes in 200 files)"."""
    facts = [data.digest] if data.digest else []
    if data.size is not None:
        many = f" in {data.files} files" if data.files is not None else ""
        facts.append(f"{data.size} bytes{many}")
    place = data.uri if isinstance(data, UsedData) and data.uri else data.path
    at = f" at {data.rev[:12]}" if data.rev else ""
    return f"{place}{at} ({', '.join(facts)})" if facts else f"{place}{at}"


def objects_text(data: DataObjects) -> str:
    """Such as "s3://data/days/ partition 30 of 2026-01-31T09:00:00Z (sha256:HASH)"."""
    facts = [data.digest]
    if data.objects is not None:
        facts.append(f"{data.size or 0} bytes in {data.objects} objects")
    where = f" partition {data.partition}" if data.partition else ""
    return f"{data.uri}{where} of {data.time} ({', '.join(facts)})"
