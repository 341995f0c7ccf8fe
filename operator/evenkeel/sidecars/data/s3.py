"""Objects of an S3 store, each as it was when they were listed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from evenkeel.sidecars.data.config import S3Data
from evenkeel.sidecars.data.words import Again, Failed, one_line

AT_ONCE = 8
CHUNK = 2**20
OBJECTS = 1_000_000
PASSING = frozenset(
    ("HTTPClientError", "ConnectionError", "IncompleteReadError", "FlexibleChecksumError")
)
UNTRUSTED = frozenset(("SSLError",))
"""botocore's exceptions by their classes' names: of stores that are away or break off, though the
class of those is that of certificates nobody trusts, too."""
LASTING = (301, 400, 401, 403)
"""Statuses of answers that another attempt would not change."""


class _Object(NamedTuple):
    """name: below the folder that is asked for. etag: as the store tells it, if it does. tag: that,
    or what else tells its contents from others."""

    key: str
    name: str
    etag: str
    tag: str
    size: int


class S3:
    """The objects at one address. shown: files of the certificate and key for the store."""

    def __init__(self, source: S3Data, target: Path, shown: tuple[str, str] | None = None) -> None:
        self._source, self._target = source, target
        self._client = _client(source, shown)

    def once(self) -> Mapping[str, Any]:
        """Brings the objects; what is told of them. Raises Failed and Again."""
        from botocore.exceptions import (  # type: ignore[import-not-found]
            BotoCoreError,
            ClientError,
        )

        try:
            found = self._listed()
            with ThreadPoolExecutor(AT_ONCE) as threads:
                list(threads.map(self._fetch, found))
        except ClientError as error:
            raise self._refused(error.response) from None
        except BotoCoreError as error:
            raise fault(self._source.uri, error) from None
        return {"digest": digest(found)}

    def _listed(self) -> list[_Object]:
        key = self._source.key
        pages = self._client.get_paginator("list_objects_v2")
        found: list[_Object] = []
        for page in pages.paginate(Bucket=self._source.bucket, Prefix=key):
            for one in page.get("Contents", ()):
                if (name := _name(one["Key"], key)) is not None:
                    etag, size = one.get("ETag", "").strip('"'), int(one["Size"])
                    tag = etag or f"{one['LastModified']:%Y-%m-%dT%H:%M:%SZ} {size}"
                    found.append(_Object(one["Key"], name, etag, tag, size))
            if len(found) > OBJECTS:
                raise Failed(f"{self._source.uri} has more than {OBJECTS} objects")
        if not found:
            raise Again(f"{self._source.uri} has no objects")
        return found

    def _fetch(self, one: _Object) -> None:
        file = self._target / one.name
        file.parent.mkdir(parents=True, exist_ok=True)
        asked = {"IfMatch": one.etag} if one.etag else {}
        answer = self._client.get_object(Bucket=self._source.bucket, Key=one.key, **asked)
        with file.open("wb") as opened:
            for chunk in answer["Body"].iter_chunks(CHUNK):
                opened.write(chunk)
            if opened.tell() != one.size:
                raise Again(f"{one.key} has {opened.tell()} bytes instead of {one.size}")

    def _refused(self, response: Mapping[str, Any]) -> Exception:
        told = response.get("Error", {})
        code, said = str(told.get("Code", "")), one_line(str(told.get("Message", "")))
        words = f"{self._source.uri}: {code}: {said}"
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status in LASTING or code == "NoSuchBucket":
            return Failed(
                f"{words}; correct uri, endpoint or region, or what the Secret's user may"
            )
        return Again(words)


def fault(uri: str, error: Exception) -> Exception:
    """What another attempt may change, of what the client says without an answer of the store."""
    names = {one.__name__ for one in type(error).__mro__}
    said = f"{uri}: {one_line(str(error))}"
    if names & PASSING and not names & UNTRUSTED:
        return Again(f"{said}; if that lasts, correct endpoint, or what may reach it")
    return Failed(f"{said}; correct s3 and its Secret")


def digest(objects: list[_Object]) -> str:
    """Of names and tags, as the trigger `objects` makes it of a prefix that ends with /."""
    lines = sorted(f"{one.name}\0{one.tag}\n" for one in objects)
    return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"


def _name(key: str, asked: str) -> str | None:
    """Where the object goes; None if it is none of those asked for. Raises Failed."""
    if key.endswith("/") or not (key == asked or not asked or key.startswith(f"{asked}/")):
        return None
    name = key.rpartition("/")[2] if key == asked else key.removeprefix(asked).lstrip("/")
    if os.path.normpath(name) != name or name.startswith("../") or "\0" in name:
        raise Failed(f"an object is named {key!r}, which is no path of a file")
    return name


def _client(source: S3Data, shown: tuple[str, str] | None) -> Any:
    from botocore import UNSIGNED  # type: ignore[import-not-found]
    from botocore.config import Config  # type: ignore[import-not-found]
    from botocore.session import get_session  # type: ignore[import-not-found]

    session = get_session()
    settings: dict[str, Any] = {"retries": {"mode": "standard", "max_attempts": 3}}
    if source.endpoint:
        settings["s3"] = {"addressing_style": "path" if source.named_in_path else "virtual"}
    if shown:
        settings["client_cert"] = shown
    if session.get_credentials() is None:
        settings["signature_version"] = UNSIGNED
    return session.create_client(
        "s3",
        region_name=source.region,
        endpoint_url=source.endpoint or None,
        config=Config(**settings),
    )
