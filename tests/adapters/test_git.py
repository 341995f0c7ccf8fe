"""Which revision of some data a branch has, asked of real Git servers, and of others."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import subprocess
import sys
import threading
import time
import weakref
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast

import pytest
from aiohttp import web as http
from evenkeel.adapters import web as web_module
from evenkeel.adapters.access import Access, basic
from evenkeel.adapters.git import dvc, pack, packets
from evenkeel.adapters.git import git as module
from evenkeel.adapters.git.git import Git
from evenkeel.adapters.readers import WAITING, Readers
from evenkeel.adapters.source import (
    AccessDenied,
    NotFound,
    NotUnderstood,
    SourceError,
    Unavailable,
)
from evenkeel.adapters.web import Web
from evenkeel.outside.git import GitQuestion, TrackedData
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.git_server import DIGEST, Backend, Repository, serving, tracked

MAIN = GitQuestion("main", "data/train")


class World:
    """A repository behind a real server, asked with what a test shows."""

    def __init__(self, repository: Repository, backend: Backend, git: Git, url: str) -> None:
        self.repository, self.backend, self.git, self.url = repository, backend, git, url

    async def ask(
        self,
        question: GitQuestion = MAIN,
        last: TrackedData | None = None,
        authorization: str = "",
        name: str = "data.git",
    ) -> TrackedData:
        access = Access(f"{self.url}/{name}", authorization=authorization)
        return await self.git.ask(question, access, last)


@asynccontextmanager
async def world(folder: Path, *, filters: bool = True) -> AsyncIterator[World]:
    repository, backend = Repository(folder, filters=filters), Backend(folder)
    web = Web()
    try:
        async with serving(backend) as url:
            yield World(repository, backend, Git(web), url)
    finally:
        await web.close()


@asynccontextmanager
async def other(handler: object) -> AsyncIterator[tuple[Git, str]]:
    """A server that is none of Git's."""
    app, web = http.Application(), Web()
    app.router.add_route("*", "/{path:.*}", handler)  # type: ignore[arg-type]
    try:
        async with serving(app) as url:
            yield Git(web), url
    finally:
        await web.close()


@pytest.mark.parametrize(("filters", "oldest"), [(True, False), (False, False), (False, True)])
async def test_a_folder_tracked_by_dvc(tmp_path: Path, filters: bool, oldest: bool) -> None:
    async with world(tmp_path, filters=filters) as w:
        w.backend.oldest = oldest
        other = {f"src/pkg{i}/m{j}.py": f"{i} {j}\n" * 50 for i in range(20) for j in range(20)}
        w.repository.push({**other, "big.bin": os.urandom(2**21)})
        rev = w.repository.push({"data/train.dvc": tracked(1, size=123456, files=42)})
        found = await w.ask()
        assert found == TrackedData(rev, f"md5:{DIGEST}1.dir", 123456, 42)
        assert found.head == rev


async def test_nothing_is_fetched_as_long_as_the_branch_stays(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.repository.push({"data/train.dvc": tracked(1)})
        first = await w.ask()
        w.backend.asked.clear()
        assert await w.ask(last=first) == first
        assert w.backend.asked == ["GET /data.git/info/refs", "POST /data.git/git-upload-pack"]


async def test_another_commit_with_the_same_data_is_the_same_answer(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.repository.push({"data/train.dvc": tracked(0)})
        before = await w.ask()
        rev = w.repository.push({"data/train.dvc": tracked(1)})
        first = await w.ask(last=before)
        assert first.rev == rev
        head = w.repository.push({"README": "more"})
        second = await w.ask(last=first)
        assert (second, second.rev, second.head) == (first, rev, head)
        w.backend.asked.clear()
        await w.ask(last=second)
        assert len(w.backend.asked) == 2, "the commit is known"
        newer = w.repository.push({"data/train.dvc": tracked(2)})
        third = await w.ask(last=second)
        assert third == TrackedData(newer, f"md5:{DIGEST}2", 7)
        assert third != second


async def test_a_head_that_comes_back_has_what_it_had(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.repository.push({"data/train.dvc": tracked(0)})
        before = await w.ask()
        w.repository.push({"data/train.dvc": tracked(1)})
        first = last = await w.ask(last=before)
        between = w.repository.push({"README": "more"})
        last = await w.ask(last=last)
        heads = [w.repository.push({"README": f"{n}"}) for n in range(3)]
        last = await w.ask(last=last)
        newest = w.repository.push({"data/train.dvc": tracked(2)})
        second = last = await w.ask(last=last)
        # A mirror lags behind, or somebody takes the push back: by commits without news of data.
        for head, found in ((heads[-1], first), (newest, second), (between, first)):
            w.repository.git("push", "-q", "-f", "origin", f"{head}:refs/heads/main")
            w.backend.asked.clear()
            last = await w.ask(last=last)
            assert (last, last.rev, last.head) == (found, found.rev, head)
            assert len(w.backend.asked) == 2, "the commit is known"
        for n in range(module.HEADS + 3):
            w.repository.push({"README": f"again {n}"})
            last = await w.ask(last=last)
        assert len(last.before) == module.HEADS


@pytest.mark.parametrize("another_leader", [False, True])
async def test_a_commit_after_one_that_came_back_is_a_revision_of_its_own(
    tmp_path: Path, another_leader: bool
) -> None:
    """What came back may have been trained on, other data since, and this one is new."""
    async with world(tmp_path) as w:
        old = w.repository.push({"data/train.dvc": tracked(1)})
        last = await w.ask()
        w.repository.push({"data/train.dvc": tracked(2)})
        last = await w.ask(last=last)
        w.repository.git("reset", "-q", "--hard", old)
        w.repository.git("push", "-q", "-f", "origin", f"{old}:refs/heads/main")
        last = await w.ask(last=None if another_leader else last)
        assert last.rev == old
        rev = w.repository.push({"README": "more"})
        last = await w.ask(last=last)
        assert (last.rev, last.digest) == (rev, f"md5:{DIGEST}1")
        w.repository.push({"README": "and more"})
        assert (await w.ask(last=last)).rev == rev


async def test_an_output_of_a_pipeline(tmp_path: Path) -> None:
    lock = (
        "schema: '2.0'\nstages:\n  prepare:\n    cmd: x\n    outs:\n"
        f"    - path: {{path}}\n      hash: md5\n      md5: {DIGEST}{{n}}.dir\n"
        "      size: 9\n      nfiles: 3\n"
    )
    async with world(tmp_path) as w:
        rev = w.repository.push(
            {
                "dvc.lock": lock.format(path="data/train", n=1),
                "data/dvc.lock": lock.format(path="other", n=2),
            }
        )
        assert await w.ask() == TrackedData(rev, f"md5:{DIGEST}1.dir", 9, 3)
        rev = w.repository.push({"data/dvc.lock": lock.format(path="train", n=3)})
        assert (await w.ask()).digest == f"md5:{DIGEST}3.dir", "the nearest counts"


async def test_data_in_git_itself(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        rev = w.repository.push({"data/train": "1,2\n", "other": "x"})
        blob = w.repository.git("rev-parse", "HEAD:data/train")
        assert await w.ask() == TrackedData(rev, f"git:{blob}")
        tree = w.repository.git("rev-parse", "HEAD:data")
        found = await w.ask(GitQuestion("main", "data"))
        assert found == TrackedData(rev, f"git:{tree}")


async def test_other_branches(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.repository.push({"data/train.dvc": tracked(1)})
        rev = w.repository.push({"data/train.dvc": tracked(2)}, branch="team/next#1")
        w.repository.push({"data/train.dvc": tracked(3)}, branch="team/next#10")
        assert (await w.ask(GitQuestion("team/next#1", "data/train"))).rev == rev
        with pytest.raises(NotFound, match="has no branch team/nex; correct"):
            await w.ask(GitQuestion("team/nex", "data/train"))


@pytest.mark.parametrize("filters", [True, False])
async def test_a_path_that_is_not_there(tmp_path: Path, filters: bool) -> None:
    async with world(tmp_path, filters=filters) as w:
        w.repository.push({"data/train.dvc": tracked(1), "data/file": "x"})
        for path in ("data/test", "nowhere/at/all", "data/file/below"):
            with pytest.raises(NotFound, match=f"has no data {path}: neither"):
                await w.ask(GitQuestion("main", path))


async def test_credentials(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.repository.push({"data/train.dvc": tracked(1)})
        w.backend.authorization = basic("ci", "geheim")
        assert (await w.ask(authorization=basic("ci", "geheim"))).digest
        with pytest.raises(AccessDenied, match="wants credentials; name a Secret"):
            await w.ask()
        with pytest.raises(AccessDenied, match="correct the Secret"):
            await w.ask(authorization=basic("ci", "falsch"))
        w.backend.authorization = "Bearer geheim"
        assert (await w.ask(authorization="Bearer geheim")).digest


async def test_a_repository_that_is_not_there(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        with pytest.raises(NotFound, match="correct the repository's address"):
            await w.ask(name="other.git")


async def test_an_empty_repository(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        with pytest.raises(NotFound, match="has no branch main"):
            await w.ask()


MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n + 1}: &a{n + 1} {{<<: [*a{n}, *a{n}, *a{n}, *a{n}]}}\n" for n in range(30)
)
"""A mapping that is four times as large in each line."""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("outs: [", "no YAML"),
        (MERGES, "with aliases"),
        ("- a\n", "no mapping"),
        ("outs:\n- path: train\n", "without a hash"),
        ("[" * 10**5, "no YAML"),
        ("x" * (pack.LARGE + 1), "larger than"),
        (
            "a: &a [x]\nb: &b [*a,*a]\nc: [*b,*b]\nouts:\n- {path: train, md5: 7}\n",
            "with aliases",
        ),
    ],
)
async def test_files_that_are_none_of_dvcs(tmp_path: Path, text: str, says: str) -> None:
    async with world(tmp_path) as w:
        w.repository.push({"data/train.dvc": text})
        with pytest.raises(NotUnderstood, match=says):
            await w.ask()


async def test_a_pack_that_is_too_large_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PACK", 2**18)
    async with world(tmp_path, filters=False) as w:
        w.repository.push({"data/train.dvc": tracked(1), "big": os.urandom(2**20)})
        with pytest.raises(NotUnderstood, match=r"uploadpack\.allowFilter"):
            await w.ask()
        w.repository.git("config", "uploadpack.allowFilter", "true", where=tmp_path / "data.git")
        assert (await w.ask()).digest == f"md5:{DIGEST}1"


@pytest.mark.parametrize("by_offset", [True, False])
async def test_packs_with_long_chains_of_deltas(tmp_path: Path, by_offset: bool) -> None:
    """Git packs as tightly as it can, and what is read is what Git says is there."""
    async with world(tmp_path) as w:
        lines = [f"{i} {hashlib.sha1(str(i).encode()).hexdigest()}\n" for i in range(400)]
        for n in range(8):
            files = {f"d{j}/f{i}": "".join(lines[: 300 + n + i]) for i in range(6) for j in (0, 1)}
            w.repository.push({**files, "data/train.dvc": tracked(n % 16)})
        bare = tmp_path / "data.git"
        w.repository.git("config", "repack.useDeltaBaseOffset", str(by_offset).lower(), where=bare)
        w.repository.git("repack", "-adfq", "--depth=50", "--window=50", where=bare)
        (file,) = bare.glob("objects/pack/*.pack")
        found = pack.objects(file.read_bytes())
        expected = w.repository.git(
            "cat-file",
            "--batch-all-objects",
            "--batch-check=%(objectname) %(objecttype)",
            where=bare,
        )
        assert {f"{oid} {pack.NAMES[kind].decode()}" for oid, (kind, _) in found.items()} == set(
            expected.splitlines()
        )
        assert (await w.ask()).digest == f"md5:{DIGEST}7"


async def test_redirects_to_another_host_are_not_followed(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.repository.push({"data/train.dvc": tracked(1)})

        async def away(request: http.Request) -> http.Response:
            return http.Response(status=301, headers={"Location": f"{w.url}{request.path_qs}"})

        async with other(away) as (git, url):
            with pytest.raises(Unavailable, match="redirects are not followed"):
                await git.ask(MAIN, Access(f"{url}/data.git"), None)
        assert w.backend.asked == []


async def test_a_server_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_module, "DEADLINE", 0.05)

    async def hang(request: http.Request) -> http.Response:
        await asyncio.sleep(60)
        return http.Response()

    async with other(hang) as (git, url):
        with pytest.raises(Unavailable, match="no whole answer"):
            await git.ask(MAIN, Access(url), None)


ADVERTISED = "application/x-git-upload-pack-advertisement"
RESULT = "application/x-git-upload-pack-result"


@pytest.mark.parametrize(
    ("body", "media_type", "kind", "says"),
    [
        (b"<html>", "text/html", NotUnderstood, "smart protocol"),
        (b"zzzz", ADVERTISED, NotUnderstood, "no packets"),
        (b"00", ADVERTISED, NotUnderstood, "empty|no packets|no list"),
        (b"", ADVERTISED, NotUnderstood, "an empty answer"),
        (b"ffff", ADVERTISED, NotUnderstood, "broke off"),
        (packets.packet("ERR go away"), ADVERTISED, Unavailable, "go away"),
        (packets.packet("no list of anything"), ADVERTISED, NotUnderstood, "no list of branches"),
        (b"x" * (module.ADVERTISEMENT + 1), ADVERTISED, NotUnderstood, "larger than"),
        (
            packets.joined("version 2", "object-format=sha256"),
            ADVERTISED,
            NotUnderstood,
            "SHA-256",
        ),
    ],
)
async def test_servers_that_speak_otherwise(
    body: bytes, media_type: str, kind: type[SourceError], says: str
) -> None:
    async def speak(request: http.Request) -> http.Response:
        return http.Response(body=body, content_type=media_type)

    async with other(speak) as (git, url):
        with pytest.raises(kind, match=says):
            await git.ask(MAIN, Access(url), None)


def entry(kind: int, content: bytes, size: int | None = None, base: bytes = b"") -> bytes:
    """An object as a pack has it."""
    size = len(content) if size is None else size
    head = bytearray([kind << 4 | size & 15])
    size >>= 4
    while size:
        head[-1] |= 128
        head.append(size & 127)
        size >>= 7
    return bytes(head) + base + zlib.compress(content)


def packed(*entries: bytes, number: int | None = None) -> bytes:
    head = b"PACK" + (2).to_bytes(4, "big") + (number or len(entries)).to_bytes(4, "big")
    body = head + b"".join(entries)
    return body + hashlib.sha1(body).digest()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no pack"),
        (b"PACK" + bytes(8), "no pack"),
        (packed(number=pack.OBJECTS + 1), "objects, more than"),
        (packed(entry(pack.BLOB, b"x"), number=9), "type|broke|unpacked|smaller|larger"),
        (packed(entry(5, b"x")), "unknown type 5"),
        (packed(entry(pack.BLOB, b"x" * 99, size=98)), "larger than it says"),
        (packed(entry(pack.BLOB, b"x" * 99, size=100)), "smaller than it says"),
        (packed(entry(pack.BLOB, b"x"))[:14], "broke off"),
        (
            packed(entry(pack.BLOB, b"base"), entry(pack.OFS_DELTA, b"\4\5", base=b"\x0d")),
            "another size|fit its base",
        ),
    ],
)
def test_packs_that_would_fill_memory_or_lie(data: bytes, says: str) -> None:
    with pytest.raises(pack.BadPack, match=says):
        pack.objects(data)


@pytest.mark.parametrize("kind", [pack.BLOB, pack.OFS_DELTA])
def test_numbers_without_an_end_cost_no_time(kind: int) -> None:
    size = b"\xff" if kind == pack.BLOB else bytes([kind << 4])
    began = time.monotonic()
    with pytest.raises(pack.BadPack, match="larger than any"):
        pack.objects(packed(size + b"\xff" * pack.LARGEST))
    with pytest.raises(pack.BadPack, match="does not fit"):
        pack.applied(b"", b"\xff" * pack.LARGEST)
    assert time.monotonic() - began < 1, "whoever sends these holds everybody's reader"


def test_objects_that_would_fill_memory() -> None:
    limits = pack.Limits(inflated=2**22, kept=2**20)
    large, small = entry(pack.BLOB, bytes(2**21)), entry(pack.TREE, bytes(2**18))
    assert len(pack.objects(packed(large, large, number=2), limits)) == 0, (
        "large files are not kept"
    )
    with pytest.raises(pack.BadPack, match="4 MiB of objects"):
        pack.objects(packed(large, large, large), limits)
    with pytest.raises(pack.BadPack, match="1 MiB of folders and small files"):
        pack.objects(packed(*[small] * 5), limits)


def test_deltas_together_are_bounded() -> None:
    limits = pack.Limits(deltas=2**20)
    delta = entry(pack.REF_DELTA, bytes(2**19), base=bytes(20))
    assert pack.objects(packed(delta, delta), limits) == {}
    with pytest.raises(pack.BadPack, match="1 MiB of deltas"):
        pack.objects(packed(delta, delta, delta), limits)


@pytest.fixture(scope="module")
def real_pack(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small one with folders, files and deltas of both kinds."""
    folder = tmp_path_factory.mktemp("real")
    repository, bare = Repository(folder), folder / "data.git"
    lines = [f"line {i * i}\n" for i in range(200)]
    for n in range(4):
        repository.push({f"d/f{n}": "".join(lines[n:]), "t.dvc": tracked(n)})
    repository.git("config", "repack.useDeltaBaseOffset", "false", where=bare)
    repository.git("repack", "-adfq", where=bare)
    (file,) = bare.glob("objects/pack/*.pack")
    return file.read_bytes()


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_packs_that_were_damaged_are_refused_or_read(real_pack: bytes, data: st.DataObject) -> None:
    damaged = bytearray(real_pack)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(damaged)) | st.just(len(damaged)))
    try:
        found = pack.objects(bytes(damaged[:end]))
    except pack.BadPack:
        return
    for kind, content in found.values():
        with suppress(pack.BadPack):
            if kind == pack.TREE:
                pack.entries(content, ["data", "train.dvc"])
            elif kind == pack.COMMIT:
                pack.tree_of(content)


@given(
    st.binary(max_size=200), st.sampled_from([packets.advertisement, packets.refs, packets.pack])
)
def test_packets_that_are_none_are_malformed(body: bytes, read: Callable[[bytes], object]) -> None:
    for begin in (b"", b"0000", b"000eversion 2\n0000", b"0008NAK\n"):
        with suppress(packets.Malformed, packets.Told):
            read(begin + body)


@given(st.text(max_size=200), st.sampled_from(["a.dvc", "dvc.lock"]))
def test_texts_that_are_none_of_dvcs_are_refused_or_say_nothing(text: str, place: str) -> None:
    with suppress(dvc.NotDvc):
        assert dvc.output(place, text.encode(errors="replace"), "a") is None


def test_a_delta_without_its_base_is_left_out() -> None:
    assert pack.objects(packed(entry(pack.REF_DELTA, b"\1\1\1x", base=bytes(20)))) == {}


def test_of_a_folder_only_what_was_asked_for_is_kept() -> None:
    tree = b"".join(b"100644 %d\0" % n + bytes(20) for n in range(10_000))
    tree += b"40000 train\0" + b"\1" * 20
    assert pack.entries(tree, ["train", "train.dvc"]) == [pack.Entry("train", "01" * 20, True)]


async def test_many_packets_do_not_hold_the_loop_up(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = b"".join(packets.packet(f"{n:040x} refs/heads/{n}") for n in range(10_000))
    threads = []

    def read(body: bytes) -> packets.Advertisement:
        threads.append(threading.current_thread())
        return packets.Advertisement(0, {}, {})

    async def speak(request: http.Request) -> http.Response:
        return http.Response(body=lines, content_type=ADVERTISED)

    monkeypatch.setattr(packets, "advertisement", read)
    async with other(speak) as (git, url):
        with pytest.raises(NotFound, match="no branch main"):
            await git.ask(MAIN, Access(url), None)
    assert threads
    assert threading.main_thread() not in threads


async def test_a_small_pack_that_unpacks_to_a_lot_is_read_with_the_large_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    read = pack.objects

    def objects(data: bytes, limits: pack.Limits) -> dict[str, tuple[int, bytes]]:
        threads.append(threading.current_thread().name.rpartition("_")[0])
        return read(data, limits)

    monkeypatch.setattr(pack, "objects", objects)
    async with world(tmp_path, filters=False) as w:
        w.repository.push({"data/train.dvc": tracked(1)})
        await w.ask()
        assert threads == ["git-small"]
        threads.clear()
        w.repository.push({"zeros": bytes(pack.QUICK.inflated)})
        found = await w.ask()
        assert found.digest == f"md5:{DIGEST}1"
        assert threads == ["git-small", "git-large"]


async def test_large_answers_that_wait_are_bounded_and_freed_when_nobody_waits() -> None:
    class Data(bytearray):
        """Bytes that can be watched."""

    readers, go, size = Readers().of("ml"), threading.Event(), WAITING // 4
    busy = asyncio.create_task(readers.read(lambda _: go.wait(60), bytes(size)))
    datas = [Data(size) for _ in range(3)]
    left = [weakref.ref(data) for data in datas]
    waiting = [asyncio.create_task(readers.read(len, cast(bytes, data))) for data in datas]
    del datas
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="many large answers"):
        await readers.read(len, bytes(size))
    assert await readers.read(len, b"small") == 5
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    del waiting, task
    gc.collect()
    assert [one() for one in left] == [None] * 3
    again = asyncio.create_task(readers.read(len, bytes(size)))
    go.set()
    assert await busy
    assert await again == size


async def test_nobody_waits_for_more_than_one_large_answer_of_another() -> None:
    readers, go, order = Readers(), threading.Event(), []

    def work(name: str) -> Callable[[bytes], None]:
        return lambda _: (go.wait(60), order.append(name))[1]

    def ask(owner: str, number: int) -> asyncio.Task[None]:
        read = readers.of(owner).read(work(f"{owner}{number}"), b"", large=True)
        return asyncio.create_task(read)

    tasks = [ask("a", n) for n in range(4)]
    await asyncio.sleep(0)
    tasks += [ask("b", n) for n in range(2)] + [ask("c", 0)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    await asyncio.sleep(0)
    go.set()
    await asyncio.wait(tasks)
    assert order == ["a0", "a1", "b0", "c0", "a3", "b1"]


async def test_who_has_most_large_answers_gives_way() -> None:
    readers, go, size = Readers(), threading.Event(), WAITING // 4
    busy = asyncio.create_task(readers.of("a").read(lambda _: go.wait(60), bytes(size)))
    flood = [asyncio.create_task(readers.of("a").read(len, bytes(size))) for _ in range(3)]
    await asyncio.sleep(0)
    other = asyncio.create_task(readers.of("b").read(len, bytes(size)))
    with pytest.raises(Unavailable, match="many large answers"):
        await flood[2]
    with pytest.raises(Unavailable, match="many large answers"):
        await readers.of("a").read(len, bytes(size))
    third = asyncio.create_task(readers.of("c").read(len, bytes(size)))
    with pytest.raises(Unavailable):
        await flood[1]
    with pytest.raises(Unavailable):
        await readers.of("d").read(len, bytes(2 * size))
    go.set()
    assert await busy
    assert await asyncio.gather(flood[0], other, third) == [size] * 3


async def test_a_servers_words_tell_no_part_of_a_credential() -> None:
    told = packets.packet("ERR " + "x" * 190 + " hunter2-is-the-password")

    async def speak(request: http.Request) -> http.Response:
        return http.Response(body=told, content_type=ADVERTISED)

    async with other(speak) as (git, url):
        shown = Access(url, authorization=basic("me", "hunter2-is-the-password"))
        with pytest.raises(Unavailable) as raised:
            await git.ask(MAIN, shown, None)
    assert "hunter2" not in str(raised.value)


def test_many_deltas_of_one_base_are_bounded() -> None:
    """Each makes sixteen megabytes from a few bytes."""
    base = entry(pack.BLOB, b"x" * 2**16)
    copies = b"\x80" * (pack.LARGEST // 2**16)
    size = bytearray()
    for value in (2**16, pack.LARGEST):
        while value > 127:
            size.append(value & 127 | 128)
            value >>= 7
        size.append(value)
    deltas, at = [], len(base)
    for _ in range(5):
        # The base is that far before it, as Git writes distances.
        distance, offset = at, bytearray([at & 127])
        distance >>= 7
        while distance:
            distance -= 1
            offset.insert(0, 128 | distance & 127)
            distance >>= 7
        deltas.append(entry(pack.OFS_DELTA, bytes(size) + copies, base=bytes(offset)))
        at += len(deltas[-1])
    with pytest.raises(pack.BadPack, match="48 MiB of folders and small files"):
        pack.objects(packed(base, *deltas))


@pytest.mark.parametrize(
    "text",
    [
        b"outs: &outs ["
        + b"{}," * 60_000
        + b"]\nstages:\n"
        + b"".join(b"  s%d: {outs: *outs}\n" % n for n in range(5_000)),
        b"number: " + b"1:" * 400_000 + b"1\n",
        b"wdir: " + b"a/" * 250_000 + b"\nouts:\n" + b"- path: x\n" * 10_000,
    ],
    ids=["outputs by alias", "a number of base 60", "a long path of each output"],
)
@pytest.mark.parametrize("place", ["data.dvc", "dvc.lock"])
def test_texts_that_would_take_for_ever(text: bytes, place: str) -> None:
    # A thread would outlive the test: the process is one that can be killed.
    code = (
        "import sys; from evenkeel.adapters.git import dvc\n"
        f"try: dvc.output({place!r}, sys.stdin.buffer.read(), 'data')\n"
        "except dvc.NotDvc: pass\n"
    )
    subprocess.run([sys.executable, "-c", code], input=text, timeout=60, check=True)


def test_numbers_are_read_as_far_as_they_are_plain() -> None:
    lock = b"outs:\n- {path: x, md5: 12345678901234567890123456789012, size: 17, nfiles: 0x1}\n"
    found = dvc.output("x.dvc", lock, "x")
    assert found == dvc.Output("md5:12345678901234567890123456789012", 17, None)


def test_a_heredoc_in_a_command_is_no_alias() -> None:
    lock = b"stages:\n  a:\n    cmd: cat <<EOF >x *.csv\n    outs:\n    - {path: x, md5: abc}\n"
    found = dvc.output("dvc.lock", lock, "x")
    assert found == dvc.Output("md5:abc", None, None)
