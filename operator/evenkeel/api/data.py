"""Data that a model is trained on, as a source tells of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from evenkeel.meta.model import Model


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


def data_text(data: DataRevision) -> str:
    """Such as "data/train at 3fa9c1b20e4d (md5:HASH.dir, 104857600 bytes in 200 files)"."""
    facts = [data.digest]
    if data.size is not None:
        many = f" in {data.files} files" if data.files is not None else ""
        facts.append(f"{data.size} bytes{many}")
    return f"{data.path} at {data.rev[:12]} ({', '.join(facts)})"
