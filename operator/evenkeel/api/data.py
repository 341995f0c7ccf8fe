"""Data that a model is trained on: as a source tells of them, and as a training was given them."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from evenkeel.meta.model import ATOMIC, Model, Rule, exactly_one


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
            "objects that of their names, ETags and sizes.",
        ),
    ] = None
    size: Annotated[int | None, Field(ge=0, description="Bytes.")] = None
    files: Annotated[int | None, Field(ge=0, description="How many files.")] = None


UsedDataList = Annotated[
    tuple[UsedData, ...],
    Field(max_length=9, description="Data of the training.", json_schema_extra=ATOMIC),
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
