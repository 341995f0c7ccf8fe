"""A store that answers as versitygw does, as far as the operator asks it.

tests/integrations proves against the real one that these are its answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from xml.sax.saxutils import escape

from aiohttp import web
from aiohttp.test_utils import TestServer
from evenkeel.adapters.access import Access
from evenkeel.adapters.sigv4 import Keys, Scope, authorization
from evenkeel.meta.times import timestamp

KEYS = Keys("evenkeel", "a-stores-secret-key")
REGION = "eu-test-1"
BEGAN = datetime(2026, 1, 31, 9, tzinfo=UTC)
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


@dataclass(frozen=True)
class Object:
    """tagged: whether it came through the gateway, and so has an ETag."""

    body: bytes
    modified: datetime
    tagged: bool = True

    @property
    def tag(self) -> str:
        return f'"{hashlib.md5(self.body).hexdigest()}"' if self.tagged else ""


class Store:
    """objects: by bucket and key. page: how many it lists at once. fault: an answer instead of the
    right one. Every object is a second younger than the one before."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Object]] = {"data": {}}
        self.page = 1000
        self.public = False
        self.keys = KEYS
        self.fault: Callable[[web.Request], web.StreamResponse | None] = lambda request: None
        self.requests: list[web.Request] = []
        self.clock = BEGAN
        self.url = ""

    def access(self, keys: Keys | None = KEYS, path: str = "") -> Access:
        """A way to it."""
        return Access(f"{self.url}{path}", keys=keys)

    def put(self, key: str, body: str = "", *, bucket: str = "data", tagged: bool = True) -> None:
        """Writes an object."""
        self.clock += timedelta(seconds=1)
        self.objects[bucket][key] = Object(body.encode(), self.clock, tagged)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answers."""
        self.requests.append(request)
        if (wrong := self.fault(request)) is not None:
            return wrong
        bucket, _, key = request.path.removeprefix("/").partition("/")
        # Whoever gives no credentials learns which buckets there are.
        known = bucket in self.objects or "Authorization" in request.headers
        if known and (refused := self._refused(request)) is not None:
            return refused
        if bucket not in self.objects:
            return error(404, "NoSuchBucket", "The specified bucket does not exist.")
        if not key:
            return self._listed(self.objects[bucket], dict(request.query))
        found = self.objects[bucket].get(key)
        if found is None:
            return error(404, "NoSuchKey", "The specified key does not exist.")
        modified = format_datetime(found.modified, usegmt=True)
        return web.Response(body=found.body, headers={"Last-Modified": modified})

    def _refused(self, request: web.Request) -> web.Response | None:
        given = request.headers.get("Authorization", "")
        if not given:
            return None if self.public else error(403, "AccessDenied", "Access Denied.")
        credential = given.partition("Credential=")[2].partition(",")[0].split("/")
        id_, _, region = credential[:3]
        if region != REGION:
            says = f'the region "{region}" is wrong; expecting "{REGION}"'
            malformed = f"The authorization header is malformed; {says}"
            more = f"<Region>{REGION}</Region>"
            return error(400, "AuthorizationHeaderMalformed", malformed, more)
        if id_ != self.keys.id:
            unknown = "No user exists with the provided access key ID."
            return error(404, "XAdminUserNotFound", unknown)
        if given != self._expected(request, given):
            wrong = (
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing method."
            )
            return error(403, "SignatureDoesNotMatch", wrong)
        return None

    def _expected(self, request: web.Request, given: str) -> str:
        names = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        path, _, query = request.raw_path.partition("?")
        time = datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        headers = {name: request.headers[name] for name in names}
        scope = Scope(REGION, "s3", time.replace(tzinfo=UTC))
        return authorization(self.keys, scope, request.method, path, query, headers)

    def _listed(self, objects: dict[str, Object], query: dict[str, str]) -> web.Response:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after, most = query.get("continuation-token", ""), int(query.get("max-keys", "1000"))
        entries: dict[str, str] = {}
        for key in sorted(objects):
            rest = key.removeprefix(prefix)
            if not key.startswith(prefix):
                continue
            if delimiter and delimiter in rest:
                folder = f"{prefix}{rest.partition(delimiter)[0]}{delimiter}"
                text = f"<Prefix>{escape(folder)}</Prefix>"
                entries[folder] = f"<CommonPrefixes>{text}</CommonPrefixes>"
            else:
                entries[key] = contents(key, objects[key])
        names = [name for name in entries if name > after]
        shown = names[: min(most, self.page)]
        more = len(shown) < len(names)
        token = (
            f"<NextContinuationToken>{escape(shown[-1])}</NextContinuationToken>" if more else ""
        )
        return listing((entries[name] for name in shown), token, more=more)


def contents(key: str, found: Object) -> str:
    """An object in a list."""
    return (
        f"<Contents><LastModified>{timestamp(found.modified)}</LastModified>"
        f"<ETag>{escape(found.tag)}</ETag><Key>{escape(key)}</Key><Size>{len(found.body)}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )


def listing(entries: Iterable[str], token: str = "", *, more: bool = False) -> web.Response:
    """A page of a list."""
    truncated = f"<IsTruncated>{str(more).lower()}</IsTruncated>"
    body = f'<ListBucketResult xmlns="{NAMESPACE}">{truncated}{token}{"".join(entries)}'
    return xml(f"{body}<EncodingType></EncodingType></ListBucketResult>")


def xml(body: str, status: int = 200) -> web.Response:
    """An answer of XML."""
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return web.Response(status=status, text=f"{head}{body}", content_type="application/xml")


def error(status: int, code: str, message: str, more: str = "") -> web.Response:
    """An error as S3 writes it."""
    return xml(
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message>{more}"
        "<RequestId>YI27LDZA4LX4LS66</RequestId><HostId>OP4xquV8</HostId></Error>",
        status,
    )


@asynccontextmanager
async def serving(store: Store) -> AsyncIterator[Store]:
    """The store at its URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", store.handle)
    async with TestServer(app) as server:
        store.url = f"http://127.0.0.1:{server.port}"
        yield store
