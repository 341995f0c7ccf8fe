"""Asks stores that speak S3, whoever answers: AWS, and what others offer under its protocol.

ListObjectsV2 and GetObject alone. An ETag may be missing, as of files that were laid on a gateway's
disk; time and size stand for it then.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Hashable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from evenkeel.adapters.access import Access
from evenkeel.adapters.readers import Readers
from evenkeel.adapters.s3.listing import Listing, Page, digest, page_of, visible
from evenkeel.adapters.s3.store import Store, error_of, refusal
from evenkeel.adapters.source import NotUnderstood
from evenkeel.adapters.web import Reply, TooLarge, Web
from evenkeel.adapters.words import one_line, without
from evenkeel.meta.times import timestamp
from evenkeel.outside import s3
from evenkeel.outside.s3 import Absent, Bucket, Content, Look, ObjectSet, Read

MOST = 10_000
"""Objects, or folders, below a prefix."""
PAGE = 1000
PAGES = 40
"""Some stores give fewer at once than they are asked for."""
ANSWER = 2 * 2**20
"""Bytes of a page."""
FOLDERS = 16
"""Folders, the last by name, in which a marker is looked for."""
FOLDER = 512
"""Characters of a folder's name."""
NO_KEY = "NoSuchKey"


class S3:
    """Asks stores. clock: UTC."""

    def __init__(self, web: Web, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = Store(web, clock)
        self._readers = Readers("s3")

    async def __call__(self, question: Any, access: Access, last: Any) -> Hashable:
        """The answer to a question of outside/s3.py. Raises SourceError."""
        match question:
            case Read():
                return await self._read(question, access)
            case Look(marker=""):
                return await self._every(question, access)
            case Look():
                return await self._marked(question, access)
            case _:
                raise TypeError(f"no question for a store: {type(question).__name__}")

    async def _read(self, question: Read, access: Access) -> Content | Absent | s3.TooLarge:
        try:
            reply = await self._store.get(access, question.bucket, question.key, {}, question.limit)
        except TooLarge:
            return s3.TooLarge(question.limit)
        if reply.status == 200:
            return Content(reply.body.decode("utf-8-sig", "surrogateescape"), _modified(reply))
        error = error_of(reply)
        if reply.status == 404 and error.get("Code") == NO_KEY:
            return Absent(one_line(without(access.confidential, error.get("Message"))) or NO_KEY)
        raise refusal(reply, access)

    async def _every(self, question: Look, access: Access) -> ObjectSet:
        found = await self._listed(access, question.bucket, question.prefix)
        if not found.objects:
            return ObjectSet(objects=0, size=0)
        newest = max(one.modified for one in found.objects)
        return ObjectSet(
            f"sha256:{digest(question.prefix, found.objects)}",
            timestamp(newest),
            objects=len(found.objects),
            size=sum(one.size for one in found.objects),
        )

    async def _marked(self, question: Look, access: Access) -> ObjectSet:
        """Of all that is complete what was completed last, so that folders which are removed, or
        are being written anew, are no news."""
        prefix, marker = question.prefix, question.marker
        here = await self._listed(access, question.bucket, prefix, "/")
        markers = [one for one in here.objects if one.key == f"{prefix}{marker}"]
        for folder in sorted(filter(visible(prefix), here.folders))[-FOLDERS:]:
            key = f"{folder}{marker}"
            # The key itself is the first of those that begin with it.
            first = await self._page(access, question.bucket, key, "/", 1)
            markers += [one for one in first.listing.objects if one.key == key]
        if not markers:
            return ObjectSet()
        newest = max(one.modified for one in markers)
        last = [one for one in markers if one.modified == newest]
        folder = max(one.key for one in last).removeprefix(prefix).removesuffix(marker)
        return ObjectSet(
            f"sha256:{digest(prefix, last, timestamp(newest))}",
            timestamp(newest),
            one_line(folder.rstrip("/"), FOLDER),
        )

    async def _listed(
        self, access: Access, bucket: Bucket, prefix: str, delimiter: str = ""
    ) -> Listing:
        """All that there is, of which there may be MOST."""
        found = Listing()
        async for page in self._pages(access, bucket, prefix, delimiter):
            found += page
            if len(found.objects) + len(found.folders) > MOST:
                raise NotUnderstood(
                    f"{access.url}: there are more than {MOST} objects or folders below "
                    f"{one_line(prefix)!r}; write a prefix with fewer, or name a marker"
                )
        return found

    async def _pages(
        self, access: Access, bucket: Bucket, prefix: str, delimiter: str
    ) -> AsyncIterator[Listing]:
        token = ""
        for _ in range(PAGES):
            page = await self._page(access, bucket, prefix, delimiter, PAGE, token)
            yield page.listing
            if not page.more:
                return
            before, token = token, page.token
            if token in ("", before):
                raise NotUnderstood(f"{access.url}: a list that goes on does not tell where")
        raise NotUnderstood(
            f"{access.url}: the list of {one_line(prefix)!r} has more than {PAGES} pages"
        )

    async def _page(
        self,
        access: Access,
        bucket: Bucket,
        prefix: str,
        delimiter: str,
        number: int,
        token: str = "",
    ) -> Page:
        asked = {"list-type": "2", "prefix": prefix, "max-keys": str(number)}
        asked |= {"delimiter": delimiter} if delimiter else {}
        asked |= {"continuation-token": token} if token else {}
        asked["encoding-type"] = "url"
        reply = await self._store.get(access, bucket, "", asked, ANSWER)
        if reply.status != 200:
            raise refusal(reply, access)
        read = self._readers.of(access.owner).read
        return await read(partial(page_of, reply.url), reply.body)


def _modified(reply: Reply) -> str:
    """Empty if the store does not tell."""
    try:
        return timestamp(parsedate_to_datetime(reply.headers.get("Last-Modified", "")))
    except (ValueError, OverflowError):
        return ""
