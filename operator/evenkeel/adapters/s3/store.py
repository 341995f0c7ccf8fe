"""Requests to stores that speak S3, and what their refusals mean.

https://docs.aws.amazon.com/AmazonS3/latest/API. They are signed where there are credentials; errors
are XML with a code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.parse import urlsplit

from evenkeel.adapters import sigv4, web, xml
from evenkeel.adapters.access import Access
from evenkeel.adapters.address import Address
from evenkeel.adapters.source import (
    AccessDenied,
    NotFound,
    NotUnderstood,
    SourceError,
    Unavailable,
)
from evenkeel.adapters.web import Redirected, Reply, Web
from evenkeel.adapters.words import one_line, without
from evenkeel.outside.s3 import Bucket

REGION = "x-amz-bucket-region"
"""A header of answers."""
NO_KEYS = ("InvalidAccessKeyId", "XAdminUserNotFound")
"""Of an access key that nobody has; the second is versitygw's, with status 404."""
_NAME = re.compile(r"^[a-z0-9-]{1,32}$")


class Store:
    """All stores. clock: UTC."""

    def __init__(self, web: Web, clock: Callable[[], datetime]) -> None:
        self._web = web
        self._clock = clock

    async def get(
        self,
        access: Access,
        bucket: Bucket,
        key: str,
        parameters: Mapping[str, str],
        limit: int,
    ) -> Reply:
        """What it answers for an object, or for the bucket itself. Raises SourceError."""
        root = f"/{bucket.name}" if bucket.named_in_path else ""
        path = sigv4.encoded(f"{root}/{key}" if key or not root else root, "/")
        query = sigv4.query(parameters)
        headers = self._signed(access, bucket.region, path, query)
        try:
            return await self._web.request(
                access, "GET", path, query=query, headers=headers, limit=limit
            )
        except Redirected as error:
            region = error.headers.get(REGION, "")
            raise _elsewhere(str(error), region) or error from None

    def _signed(self, access: Access, region: str, path: str, query: str) -> dict[str, str]:
        """The headers of a request; none where it is anonymous."""
        keys = access.keys
        if keys is None:
            return {}
        try:
            address = Address.parse(access.url)
        except ValueError:
            # It is refused with its words where it would be asked.
            return {}
        scope = sigv4.Scope(region, "s3", self._clock())
        headers = {"x-amz-date": scope.stamp, "x-amz-content-sha256": sigv4.NO_BODY}
        if keys.token:
            headers["x-amz-security-token"] = keys.token
        signed = {"host": urlsplit(str(address)).netloc, **headers}
        whole = f"{address.path}{path}"
        return {
            **headers,
            "Authorization": sigv4.authorization(keys, scope, "GET", whole, query, signed),
        }


def error_of(reply: Reply) -> xml.Element:
    """The error in an answer; an empty one where it has none."""
    try:
        root = xml.read(reply.body)
    except xml.BadXml:
        root = xml.Element("")
    return root if root.name == "Error" else xml.Element("")


def refusal(reply: Reply, access: Access) -> SourceError:
    """What an answer other than success stands for, in the store's words."""
    error = error_of(reply)
    code = one_line(error.get("Code"), 64)
    if not code:
        return _foreign(reply, access)
    said = one_line(without(access.confidential, error.get("Message")))
    message = f"{reply.url} answered {reply.status} {code}: {said}".removesuffix(": ")
    region = error.get("Region") or reply.headers.get(REGION, "")
    if code in ("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraint"):
        return _elsewhere(message, region) or AccessDenied(f"{message}; correct the region")
    match code:
        case "NoSuchBucket" | "InvalidBucketName":
            return NotFound(f"{message}; correct the bucket or the endpoint")
        case "RequestTimeTooSkewed":
            return Unavailable(f"{message}; set the clocks of the store and of this cluster")
        case "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired":
            return AccessDenied(f"{message}; renew the Secret's sessionToken")
    if reply.status in (401, 403) or code in NO_KEYS:
        if access.keys is None:
            return AccessDenied(
                f"{message}; name a Secret that holds accessKeyId and secretAccessKey"
            )
        return AccessDenied(f"{message}; correct the Secret, or what its keys may do")
    return Unavailable(message)


def _elsewhere(message: str, region: str) -> SourceError | None:
    """Of a bucket in another region; None if that is not told."""
    if not _NAME.match(region):
        return None
    return AccessDenied(f"{message}; the bucket is in another region: write region: {region}")


def _foreign(reply: Reply, access: Access) -> SourceError:
    """Of an answer that has no error as S3 writes it."""
    if reply.status == 404:
        return NotUnderstood(
            f"{reply.url} answered 404 as no S3 does; write the address of the store's S3 API"
        )
    return web.refusal(reply, access)
