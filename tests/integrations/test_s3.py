"""versitygw itself: what is understood of it, and that the stand-in answers the same."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from evenkeel.adapters.access import Access
from evenkeel.adapters.s3 import s3 as adapter
from evenkeel.adapters.s3.s3 import S3
from evenkeel.adapters.sigv4 import Keys
from evenkeel.adapters.source import SourceError
from evenkeel.adapters.web import Web
from evenkeel.meta.times import timestamp
from evenkeel.outside.s3 import Absent, Bucket, Content, Look, ObjectSet, Read, TooLarge

from dev.versitygw import ACCESS_KEY, REGION, SECRET_KEY, Versitygw
from tests.integrations.conftest import signed
from tests.support import s3_store
from tests.support.s3_store import BEGAN, Store, serving

KEYS = Keys(ACCESS_KEY, SECRET_KEY)
BUCKET = Bucket("data", REGION)
ODD = "odd/a b+c%41é&<>'\"~(*)$@!=,;.txt"
DAYS = Look(BUCKET, "days/", "_SUCCESS")
QUESTIONS = [
    Read(BUCKET, ODD, 100),
    Read(BUCKET, ODD, 1),
    Read(BUCKET, "odd/none", 100),
    Read(BUCKET, "days/01", 100),
    Read(Bucket("none", REGION), "a", 100),
    Read(replace(BUCKET, region="us-east-1"), ODD, 100),
    Look(BUCKET, ""),
    Look(BUCKET, "odd/"),
    Look(BUCKET, "day"),
    Look(BUCKET, "none/"),
    Look(Bucket("none", REGION), ""),
    Look(replace(BUCKET, region="us-east-1"), ""),
    DAYS,
    replace(DAYS, marker="_NONE"),
    replace(DAYS, prefix="days/02/"),
    Look(BUCKET, "many/"),
]
SHOWN = [KEYS, None, Keys("nobody", SECRET_KEY), Keys(ACCESS_KEY, "wrong"), Keys("a b", "c")]


@pytest.fixture
async def s3() -> AsyncIterator[S3]:
    reached = Web()
    yield S3(reached)
    await reached.close()


def lay(bucket: Path, key: str, body: str, second: int) -> None:
    """A file past the gateway, with its time."""
    file = bucket / key
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(body)
    moment = BEGAN.timestamp() + second
    os.utime(file, (moment, moment))


@pytest.fixture(scope="module")
def keys(gateway: Versitygw) -> dict[str, str]:
    """What is in the bucket, in order of age."""
    made = {
        ODD: "one",
        "days/01/part": "1",
        "days/01/_SUCCESS": "",
        "days/02/part": "2",
        "days/02/_SUCCESS": "",
        "days/03/part": "3",
        "days/_temporary/_SUCCESS": "",
        **{f"many/{number}": str(number) for number in range(2401)},
    }
    bucket = gateway.bucket("data")
    for second, (key, body) in enumerate(made.items(), 1):
        lay(bucket, key, body, second)
    return made


async def asked(s3: S3, question: object, access: Access) -> object:
    """The answer, or what was raised, without the server's address."""
    try:
        return await s3(question, access, None)
    except SourceError as error:
        return type(error), str(error).replace(access.url, "")


async def test_the_stand_in_answers_as_it_does(
    gateway: Versitygw, keys: dict[str, str], s3: S3
) -> None:
    assert (KEYS, REGION) == (s3_store.KEYS, s3_store.REGION)
    async with serving(Store()) as store:
        for key, body in keys.items():
            store.put(key, body, tagged=False)
        for shown in SHOWN:
            for question in QUESTIONS:
                there = await asked(s3, question, Access(gateway.url, keys=shown))
                assert await asked(s3, question, store.access(shown)) == there, question


async def test_what_is_laid_on_its_disk_is_read(
    gateway: Versitygw, keys: dict[str, str], s3: S3
) -> None:
    access = Access(gateway.url, keys=KEYS)
    found: Any = await s3(Read(BUCKET, ODD, 100), access, None)
    assert (found.text, found.modified) == ("one", "2026-01-31T09:00:01Z")
    assert await s3(Read(BUCKET, ODD, 2), access, None) == TooLarge(2)
    absent = await s3(Read(BUCKET, "odd/none", 2), access, None)
    assert absent == Absent("The specified key does not exist.")
    many: Any = await s3(Look(BUCKET, "many/"), access, None)
    assert (many.objects, many.newest[:10]) == (2401, "2026-01-31")
    complete: Any = await s3(DAYS, access, None)
    assert (complete.folder, complete.newest) == ("02", "2026-01-31T09:00:05Z")


@pytest.mark.short
async def test_what_is_written_through_it_has_an_etag(gateway: Versitygw, s3: S3) -> None:
    gateway.bucket("data")
    access, every = Access(gateway.url, keys=KEYS), Look(BUCKET, "written/")
    digests = []
    for body in (b"one", b"one", b"two"):
        signed(gateway, "PUT", "s3://data/written/a", body)
        found: Any = await s3(every, access, None)
        digests.append(found.digest)
    assert digests[0] == digests[1] != digests[2], "the same contents are no change"
    content: Any = await s3(Read(BUCKET, "written/a", 9), access, None)
    assert isinstance(content, Content)
    assert (content.text, timestamp(BEGAN) < content.modified) == ("two", True)
    assert isinstance(found, ObjectSet)


async def test_pages_are_followed(
    gateway: Versitygw, keys: dict[str, str], s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    access, many = Access(gateway.url, keys=KEYS), Look(BUCKET, "many/")
    whole = await s3(many, access, None)
    monkeypatch.setattr(adapter, "PAGE", 100)
    assert await s3(many, access, None) == whole
