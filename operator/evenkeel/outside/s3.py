"""Objects of a store that speaks S3: where it is, what is asked there, and what it answers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

KIND = "s3"
REGION = "us-east-1"
"""The one that stores without regions take."""

_DNS_LABEL = re.compile(r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket. named_in_path: else the address that is asked is its own."""

    name: str
    region: str = REGION
    named_in_path: bool = True


def address(bucket: str, endpoint: str, region: str, *, virtual_host: bool) -> tuple[str, Bucket]:
    """What is asked for a bucket: of the store at the endpoint, of AWS if that is empty.

    virtual_host: whether the bucket is to be part of the host's name at the endpoint; at AWS it is
    wherever its certificates allow that.
    """
    region = region or REGION
    if not endpoint:
        domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        endpoint, virtual_host = f"https://s3.{region}.{domain}", bool(_DNS_LABEL.match(bucket))
    if not virtual_host:
        return endpoint, Bucket(bucket, region)
    scheme, _, rest = endpoint.partition("://")
    return f"{scheme}://{bucket}.{rest}", Bucket(bucket, region, named_in_path=False)


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of s3://BUCKET/KEY."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


@dataclass(frozen=True, slots=True)
class Read:
    """What a small object holds. limit: bytes that are taken."""

    bucket: Bucket
    key: str
    limit: int


@dataclass(frozen=True, slots=True)
class Content:
    """What it holds. modified: when it was written, by the store's clock (RFC 3339)."""

    text: str = field(repr=False)
    modified: str


@dataclass(frozen=True, slots=True)
class TooLarge:
    """It has more bytes than are taken."""

    limit: int


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no such object; words: the store's own."""

    words: str


@dataclass(frozen=True, slots=True)
class Look:
    """Which objects there are whose keys begin with the prefix.

    marker: the name of the object whose presence tells that a folder below the prefix, or what is
    directly below it, is complete; empty if every change counts.
    """

    bucket: Bucket
    prefix: str
    marker: str = ""


@dataclass(frozen=True, slots=True)
class ObjectSet:
    """Them.

    digest: over keys and what tells their contents apart; with a marker over the markers written
    last, and when. Empty without objects or markers. newest: when the newest of them was written
    (RFC 3339). folder: the one that was completed last, without the prefix. size:
    bytes.
    """

    digest: str = ""
    newest: str = ""
    folder: str = ""
    objects: int | None = None
    size: int | None = None
