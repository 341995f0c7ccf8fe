"""What a store's list tells of objects and folders."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import unquote_plus

from evenkeel.adapters import xml
from evenkeel.adapters.source import NotUnderstood
from evenkeel.meta.times import timestamp

LARGEST = 2**49
"""Bytes that no object reaches."""


@dataclass(frozen=True, slots=True)
class Object:
    """tag: what tells its contents from others. modified: whole seconds, as AWS has them."""

    key: str
    tag: str
    modified: datetime
    size: int


@dataclass(frozen=True, slots=True)
class Listing:
    """Objects, and folders by their whole prefix."""

    objects: tuple[Object, ...] = ()
    folders: tuple[str, ...] = ()

    def __add__(self, more: Listing) -> Listing:
        return Listing(self.objects + more.objects, self.folders + more.folders)


class Page(NamedTuple):
    """A part of a list. token: by which the next one is asked for. more: whether there is one."""

    listing: Listing
    token: str
    more: bool


def page_of(url: str, body: bytes) -> Page:
    """What an answer tells. Raises NotUnderstood."""
    remedy = "write the address of the store's S3 API"
    try:
        page = xml.read(body)
    except xml.BadXml as error:
        raise NotUnderstood(f"{url} answered 200, but not as S3 does: {error}; {remedy}") from None
    if page.name != "ListBucketResult":
        raise NotUnderstood(f"{url} answered 200, but not as S3 does; {remedy}")
    more = page.get("IsTruncated") == "true"
    return Page(_listing(page, url), page.get("NextContinuationToken"), more)


def _listing(page: xml.Element, url: str) -> Listing:
    plain = unquote_plus if page.get("EncodingType") == "url" else str
    try:
        every = tuple(_object(one, plain) for one in page.all("Contents"))
    except (ValueError, OverflowError):
        raise NotUnderstood(f"{url}: an object in the list is none of S3's") from None
    return Listing(
        # Consoles make empty objects of folders' names.
        tuple(one for one in every if not one.key.endswith("/")),
        tuple(plain(one.get("Prefix")) for one in page.all("CommonPrefixes")),
    )


def _object(found: xml.Element, plain: Callable[[str], str]) -> Object:
    """Raises ValueError."""
    modified, size = datetime.fromisoformat(found.get("LastModified")), int(found.get("Size"))
    modified = modified.replace(tzinfo=modified.tzinfo or UTC, microsecond=0).astimezone(UTC)
    tag = found.get("ETag").strip('"') or f"{timestamp(modified)} {size}"
    key = plain(found.get("Key"))
    if not key or not 0 <= size < LARGEST:
        raise ValueError
    return Object(key, tag, modified, size)


def digest(prefix: str, objects: Iterable[Object], moment: str = "") -> str:
    """The same for the same contents below another prefix. moment: what else tells them apart."""
    lines = sorted(f"{one.key.removeprefix(prefix)}\0{one.tag}\n" for one in objects)
    return hashlib.sha256("".join([moment, *lines]).encode(errors="surrogateescape")).hexdigest()


def visible(prefix: str) -> Callable[[str], bool]:
    """Whether a folder is none of those that writers keep for themselves, such as _temporary."""
    return lambda folder: not folder.removeprefix(prefix).startswith(("_", "."))
