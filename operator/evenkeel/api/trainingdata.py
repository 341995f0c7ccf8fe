"""Data that a training is given before it starts: where they come from, where it finds them."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from evenkeel.api.objectstore import ObjectStore, in_bucket
from evenkeel.api.prometheus import ObjectName
from evenkeel.api.trigger import DataPath, Repo
from evenkeel.meta.model import Model, OpenObject, Rule, cel, exactly_one, map_list, says

Rev = Annotated[
    str,
    Field(
        min_length=1,
        max_length=244,
        pattern=r"^[^\s~^:?*\[\\-][^\s~^:?*\[\\]*$",
        json_schema_extra=says("rev is a whole commit, or a branch's or a tag's name"),
    ),
]
"""What Git finds a commit by."""


class DvcSource(Model):
    """Data that a commit of a Git repository tracks by DVC, or has itself.

    The commit is that of the run's cause if the cause is about these data, or about the repository
    and rev is not given; else rev.
    """

    repo: Annotated[
        Repo, Field(description="Address of the repository, https:// or http://, as in gitData.")
    ]
    path: DataPath
    rev: Annotated[
        Rev | None,
        Field(
            description="Commit, branch or tag where the cause names no commit; the repository's "
            "default branch by default. What a name means is found out by each attempt, and told "
            "in status.data.",
        ),
    ] = None
    secret_name: Annotated[
        ObjectName | None,
        Field(
            description="Secret for the Git server, with the keys of gitData's: username and "
            "password or token, ca.crt, tls.crt and tls.key, headers."
        ),
    ] = None
    remote: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=253,
            description="Name of DVC's remote; the repository's default by default.",
        ),
    ] = None
    remote_secret_name: Annotated[
        ObjectName | None,
        Field(
            description="Secret for DVC's remote, whose keys become variables, such as "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; ca.crt is the store's authority."
        ),
    ] = None


class S3Source(ObjectStore):
    """An object of an S3 store, or all that are below an address."""

    uri: Annotated[
        str,
        Field(
            max_length=1024,
            description="Address, s3://BUCKET/PATH; s3://BUCKET/ is the whole bucket.",
            json_schema_extra=cel(*in_bucket("PATH")),
        ),
    ]
    secret_name: Annotated[
        ObjectName | None,
        Field(
            description="Secret with accessKeyId and secretAccessKey, and sessionToken of a "
            "session (AWS_ACCESS_KEY_ID and so on are taken as well), ca.crt, tls.crt and tls.key. "
            "The pod reads it; without it the pod's own identity counts, else nothing is signed."
        ),
    ] = None


class TrainingData(Model):
    """Data that an init container brings into the trainer's pod, read-only there."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("data", ("dvc", "s3")),)
    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=40,
            pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            description="Name of the data; the container is called evenkeel-data-NAME.",
            json_schema_extra=says("a name needs lower-case letters, digits and hyphens"),
        ),
    ]
    mount_path: Annotated[
        str,
        Field(
            min_length=2,
            max_length=512,
            pattern=r"^/[^:\s]+$",
            description="Where the trainer finds what is in the folder; a single file is in it "
            "under its own name.",
            json_schema_extra=says("mountPath must be an absolute path, such as /data/train"),
        ),
    ]
    dvc: Annotated[DvcSource | None, Field(description="Data tracked by DVC or Git.")] = None
    s3: Annotated[S3Source | None, Field(description="Objects of an S3 store.")] = None
    wait_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=86400,
            description="For so long each attempt waits for data that are not there yet, such as "
            "those of a commit that precedes its dvc push.",
        ),
    ] = 600
    resources: Annotated[
        OpenObject | None, Field(description="Resources of the init container.")
    ] = None


DataList = Annotated[
    tuple[TrainingData, ...],
    Field(
        max_length=8,
        description="Data that are brought into the pod before the trainer starts; needs "
        "podTemplate.",
        json_schema_extra={
            **map_list("name"),
            **cel(
                Rule(
                    "self.all(a, self.exists_one(b, b.mountPath == a.mountPath))",
                    "each of data needs a mountPath of its own",
                )
            ),
        },
    ),
]
