"""Stores that speak S3: what is understood of them, and of those that answer wrongly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web as server
from aiohttp.test_utils import TestServer
from evenkeel.adapters import web as module
from evenkeel.adapters.access import Access
from evenkeel.adapters.s3 import s3 as adapter
from evenkeel.adapters.s3.s3 import S3
from evenkeel.adapters.sigv4 import Keys
from evenkeel.adapters.source import (
    AccessDenied,
    NotFound,
    NotUnderstood,
    SourceError,
    Unavailable,
)
from evenkeel.adapters.web import Web
from evenkeel.outside.s3 import (
    Absent,
    Bucket,
    Content,
    Look,
    ObjectSet,
    Read,
    TooLarge,
    address,
    split,
)

from tests.adapters.test_xml import BOMB
from tests.support.s3_store import KEYS, REGION, Store, contents, error, listing, serving, xml

BUCKET = Bucket("data", REGION)
DAYS = Look(BUCKET, "days/", "_SUCCESS")


@pytest.fixture
async def s3() -> AsyncIterator[S3]:
    reached = Web()
    yield S3(reached)
    await reached.close()


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    async with serving(Store()) as made:
        yield made


async def look(s3: S3, store: Store, question: Look) -> ObjectSet:
    found: Any = await s3(question, store.access(), None)
    return found


async def test_a_small_object_is_read(s3: S3, store: Store) -> None:
    store.put("runs/a b+c%41é", "\ufeff{}")
    found: Any = await s3(Read(BUCKET, "runs/a b+c%41é", 100), store.access(), None)
    assert (found.text, found) == ("{}", Content("{}", "2026-01-31T09:00:01Z"))
    assert await s3(Read(BUCKET, "runs/none", 100), store.access(), None) == Absent(
        "The specified key does not exist."
    )
    store.put("runs/large", "x" * 101)
    assert await s3(Read(BUCKET, "runs/large", 100), store.access(), None) == TooLarge(100)
    assert "{}" not in repr(found)


async def test_a_session_is_signed_too(s3: S3, store: Store) -> None:
    store.keys = Keys("ASIA", "a-secret", "a-token")
    store.put("a", "b")
    await s3(Read(BUCKET, "a", 9), store.access(store.keys), None)
    (asked,) = store.requests
    assert asked.headers["x-amz-security-token"] == "a-token"
    assert "x-amz-security-token" in asked.headers["Authorization"]


async def test_without_keys_nothing_is_signed(s3: S3, store: Store) -> None:
    store.public = True
    store.put("a", "b")
    assert isinstance(await s3(Read(BUCKET, "a", 9), store.access(None), None), Content)
    assert "Authorization" not in store.requests[0].headers


async def test_a_path_of_the_endpoint_is_signed(s3: S3, store: Store) -> None:
    store.objects["s3"] = {}
    store.put("data/a", "b", bucket="s3")
    found = await s3(Read(BUCKET, "a", 9), store.access(path="/s3"), None)
    assert isinstance(found, Content)


async def test_a_bucket_in_the_hosts_name_is_in_no_path(s3: S3, store: Store) -> None:
    store.put("a", "b", bucket="data")
    own = replace(BUCKET, named_in_path=False)
    store.objects["a"] = {}
    with pytest.raises(NotFound, match="NoSuchBucket"):
        await s3(Read(own, "none/such", 9), store.access(), None)
    with pytest.raises(NotFound):
        await s3(Look(own, ""), store.access(), None)
    assert [request.path for request in store.requests] == ["/none/such", "/"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (
            ("data", "https://minio.example:9000", "", False),
            ("https://minio.example:9000", Bucket("data")),
        ),
        (
            ("data", "https://oss.example/", "x1", True),
            ("https://data.oss.example/", Bucket("data", "x1", False)),
        ),
        (
            ("data", "", "eu-west-1", False),
            ("https://data.s3.eu-west-1.amazonaws.com", Bucket("data", "eu-west-1", False)),
        ),
        (
            ("my.data", "", "eu-west-1", True),
            ("https://s3.eu-west-1.amazonaws.com", Bucket("my.data", "eu-west-1")),
        ),
        (
            ("data", "", "cn-north-1", False),
            ("https://data.s3.cn-north-1.amazonaws.com.cn", Bucket("data", "cn-north-1", False)),
        ),
    ],
)
def test_where_a_bucket_is(asked: tuple[str, str, str, bool], found: tuple[str, Bucket]) -> None:
    bucket, endpoint, region, virtual_host = asked
    assert address(bucket, endpoint, region, virtual_host=virtual_host) == found
    assert split("s3://data/a/b") == ("data", "a/b")


async def test_every_change_of_a_set_is_another_digest(s3: S3, store: Store) -> None:
    every = Look(BUCKET, "set/")
    assert await look(s3, store, every) == ObjectSet(objects=0, size=0)
    store.put("other", "not below it")
    store.put("set/", "a console's folder")
    store.put("set/a", "one")
    first = await look(s3, store, every)
    assert (first.objects, first.size, first.newest) == (1, 3, "2026-01-31T09:00:03Z")
    store.put("set/a", "one")
    same = await look(s3, store, every)
    assert (same.digest, same.newest) == (first.digest, "2026-01-31T09:00:04Z")
    digests = {first.digest}
    store.put("set/a", "two")
    digests.add((await look(s3, store, every)).digest)
    store.put("set/0", "sorts before the last")
    digests.add((await look(s3, store, every)).digest)
    del store.objects["data"]["set/a"]
    digests.add((await look(s3, store, every)).digest)
    assert len(digests) == 4


async def test_the_same_below_another_prefix_is_the_same(s3: S3, store: Store) -> None:
    store.put("a/x", "1")
    store.put("b/x", "1")
    one, other = [await look(s3, store, Look(BUCKET, prefix)) for prefix in ("a/", "b/")]
    assert one.digest == other.digest


async def test_without_an_etag_time_and_size_tell(s3: S3, store: Store) -> None:
    digests = set()
    for body in ("one", "two", "three"):
        store.put("a", body, tagged=False)
        digests.add((await look(s3, store, Look(BUCKET, ""))).digest)
    assert len(digests) == 3


async def test_pages_are_followed(s3: S3, store: Store) -> None:
    for number in range(25):
        store.put(f"a/{number}<&>", str(number))
    whole = await look(s3, store, Look(BUCKET, "a/"))
    store.page, store.requests = 10, []
    assert await look(s3, store, Look(BUCKET, "a/")) == whole
    assert (whole.objects, len(store.requests)) == (25, 3)


async def test_names_may_be_encoded(s3: S3, store: Store) -> None:
    store.put("a b/c+d%41/x", "1")
    plain = await look(s3, store, Look(BUCKET, "a b/"))
    entry = contents("a%20b/c%2Bd%2541/x", store.objects["data"]["a b/c+d%41/x"])
    text = "<EncodingType>url</EncodingType>"
    store.fault = lambda request: xml(f"<ListBucketResult>{text}{entry}</ListBucketResult>")
    assert await look(s3, store, Look(BUCKET, "a b/")) == plain


async def test_too_many_objects_are_told(
    s3: S3, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        store.put(f"a/{number}", "")
    monkeypatch.setattr(adapter, "MOST", 11)
    with pytest.raises(NotUnderstood, match="more than 11 objects or folders below 'a/'; write"):
        await look(s3, store, Look(BUCKET, "a/"))


async def test_a_folder_counts_once_its_marker_is_there(s3: S3, store: Store) -> None:
    assert await look(s3, store, DAYS) == ObjectSet()
    store.put("days/01/part", "1")
    store.put("days/_temporary/_SUCCESS", "")
    assert await look(s3, store, DAYS) == ObjectSet()
    store.put("days/01/_SUCCESS", "")
    store.put("days/01/_SUCCESS.crc", "")
    first = await look(s3, store, DAYS)
    assert (first.folder, first.newest) == ("01", "2026-01-31T09:00:03Z")
    assert first.digest.startswith("sha256:")
    store.put("days/02/part", "1")
    assert await look(s3, store, DAYS) == first, "it is still being written"
    store.put("days/02/_SUCCESS", "")
    second = await look(s3, store, DAYS)
    assert (second.folder, second.newest > first.newest) == ("02", True)
    del store.objects["data"]["days/01/_SUCCESS"]
    assert await look(s3, store, DAYS) == second, "what is removed is no news"
    store.put("days/01/_SUCCESS", "")
    again = await look(s3, store, DAYS)
    assert (again.folder, again.newest > second.newest) == ("01", True)
    assert len({first.digest, second.digest, again.digest}) == 3


async def test_folders_that_are_completed_within_a_second_are_one_state(
    s3: S3, store: Store
) -> None:
    store.put("days/02/_SUCCESS", "")
    first = await look(s3, store, DAYS)
    store.objects["data"]["days/01/_SUCCESS"] = store.objects["data"]["days/02/_SUCCESS"]
    second = await look(s3, store, DAYS)
    assert (second.folder, second.newest) == (first.folder, first.newest)
    assert second.digest != first.digest


async def test_a_marker_directly_below_the_prefix(s3: S3, store: Store) -> None:
    store.put("days/_SUCCESS", "")
    found = await look(s3, store, DAYS)
    assert (found.folder, found.newest) == ("", "2026-01-31T09:00:01Z")


async def test_of_many_folders_the_last_by_name_are_looked_at(s3: S3, store: Store) -> None:
    for number in range(40):
        store.put(f"days/{number:02}/_SUCCESS", "")
    store.requests = []
    assert (await look(s3, store, DAYS)).folder == "39"
    assert len(store.requests) == 1 + adapter.FOLDERS


def denied(request: server.Request) -> server.Response:
    return error(403, "AccessDenied", "Access <Denied>.")


@pytest.mark.parametrize(
    ("fault", "kind", "says"),
    [
        (denied, AccessDenied, "answered 403 AccessDenied: Access <Denied>.; correct the Secret"),
        (
            lambda r: error(403, "RequestTimeTooSkewed", "The difference is too large."),
            Unavailable,
            "too large.; set the clocks",
        ),
        (lambda r: error(400, "ExpiredToken", "It has expired."), AccessDenied, "renew the Secret"),
        (
            lambda r: error(503, "SlowDown", "Slow down."),
            Unavailable,
            "answered 503 SlowDown: Slow",
        ),
        (
            lambda r: error(301, "PermanentRedirect", "Use the endpoint."),
            Unavailable,
            "answered 301: redirects are not followed",
        ),
        (
            lambda r: server.Response(status=301, headers={"x-amz-bucket-region": "eu-west-1"}),
            AccessDenied,
            "write region: eu-west-1",
        ),
        (
            lambda r: server.Response(status=301, headers={"x-amz-bucket-region": "<b>eu</b>"}),
            Unavailable,
            "redirects are not followed",
        ),
        (
            lambda r: error(400, "AuthorizationHeaderMalformed", "No."),
            AccessDenied,
            "correct the region",
        ),
        (lambda r: server.Response(status=404, text="nothing"), NotUnderstood, "as no S3 does"),
        (lambda r: server.Response(status=502, text="upstream"), Unavailable, "502: upstream"),
        (lambda r: server.Response(text="<html>Log in</html>"), NotUnderstood, "not as S3 does"),
        (lambda r: server.Response(text="{}"), NotUnderstood, "not as S3 does"),
        (lambda r: xml(BOMB.partition("?>")[2]), NotUnderstood, "declares types"),
        (lambda r: xml("<ListBucketResult>" + "<a/>" * 30_000), NotUnderstood, "more elements"),
        (lambda r: server.Response(body=b" " * 10_000_000), NotUnderstood, "larger than 2048 KiB"),
        (lambda r: listing([], more=True), NotUnderstood, "does not tell where"),
        (
            lambda r: listing([], "<NextContinuationToken>x</NextContinuationToken>", more=True),
            NotUnderstood,
            "does not tell where",
        ),
        (
            lambda r: listing(["<Contents><Key>a</Key></Contents>"]),
            NotUnderstood,
            "an object in the list is none of S3's",
        ),
        (
            lambda r: listing(
                [
                    "<Contents><Key>a</Key><Size>-1</Size>"
                    "<LastModified>2026-01-31T09:00:00Z</LastModified></Contents>"
                ]
            ),
            NotUnderstood,
            "an object in the list is none of S3's",
        ),
    ],
)
async def test_answers_that_are_none(
    s3: S3, store: Store, fault: Any, kind: type[SourceError], says: str
) -> None:
    store.fault = fault
    with pytest.raises(SourceError) as raised:
        await look(s3, store, Look(BUCKET, "a/"))
    assert isinstance(raised.value, kind)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_a_list_without_an_end_has_one(s3: S3, store: Store) -> None:
    def endless(request: server.Request) -> server.Response:
        token = f"<NextContinuationToken>{len(store.requests)}</NextContinuationToken>"
        return listing([], token, more=True)

    store.fault = endless
    with pytest.raises(NotUnderstood, match="more than 40 pages"):
        await look(s3, store, Look(BUCKET, "a/"))
    assert len(store.requests) == adapter.PAGES


@pytest.mark.parametrize(
    ("access", "bucket", "kind", "says"),
    [
        (KEYS, Bucket("data"), AccessDenied, f"write region: {REGION}"),
        (KEYS, Bucket("none", REGION), NotFound, "correct the bucket or the endpoint"),
        (None, BUCKET, AccessDenied, "name a Secret that holds accessKeyId and secretAccessKey"),
        (Keys("who", "knows"), BUCKET, AccessDenied, "correct the Secret"),
        (replace(KEYS, secret="wrong"), BUCKET, AccessDenied, "SignatureDoesNotMatch"),
    ],
    ids=["region", "bucket", "anonymous", "unknown", "signature"],
)
async def test_refusals_name_the_remedy(
    s3: S3, store: Store, access: Keys | None, bucket: Bucket, kind: type[SourceError], says: str
) -> None:
    for question in (Look(bucket, ""), Read(bucket, "a", 9)):
        with pytest.raises(kind, match=says):
            await s3(question, store.access(access), None)


async def test_no_refusal_tells_a_secret(s3: S3, store: Store) -> None:
    keys = Keys("id", "hush-hush", "psst-psst")
    store.fault = lambda r: error(403, "No", f"hush-hush is wrong {r.headers['x-amz-date']}")
    with pytest.raises(AccessDenied) as raised:
        await s3(Look(BUCKET, ""), store.access(keys), None)
    assert "hush" not in str(raised.value)
    assert {"hush-hush", "psst-psst"} <= set(store.access(keys).confidential)


async def test_a_redirect_to_another_host_is_not_followed(s3: S3, store: Store) -> None:
    asked: list[server.Request] = []

    async def other(request: server.Request) -> server.Response:
        asked.append(request)
        return server.Response(text="stolen")

    app = server.Application()
    app.router.add_route("*", "/{path:.*}", other)
    async with TestServer(app) as elsewhere:
        location = f"http://127.0.0.1:{elsewhere.port}/x"
        store.fault = lambda r: server.Response(status=307, headers={"Location": location})
        with pytest.raises(Unavailable, match="write the final address"):
            await look(s3, store, Look(BUCKET, ""))
    assert asked == []


async def test_a_slow_store_is_given_up(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEADLINE", 0.1)

    async def never(request: server.Request) -> server.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    app = server.Application()
    app.router.add_route("*", "/{path:.*}", never)
    async with TestServer(app) as slow:
        with pytest.raises(Unavailable, match="gave no whole answer"):
            await s3(Look(BUCKET, ""), Access(f"http://127.0.0.1:{slow.port}"), None)
