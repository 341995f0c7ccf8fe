"""Servers that drip, flood, bomb and lie: each is an error, and costs a bounded memory."""

from __future__ import annotations

import asyncio
import gzip
import socket
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from evenkeel.adapters import connections, open_queries
from evenkeel.adapters import prometheus as module
from evenkeel.adapters.access import Access
from evenkeel.adapters.answer import (
    AddressRefused,
    NotUnderstood,
    PrometheusError,
    TooLarge,
    Unavailable,
)
from evenkeel.adapters.body import BODY, SMALL, Bodies, BodyTooLarge, parsed
from evenkeel.adapters.breaker import FAILURES, FIRST_PAUSE
from evenkeel.adapters.prometheus import Prometheus

MEMORY = 64 * 2**20
GOOD = b'{"status":"success","data":{"resultType":"vector","result":[]}}'


class Wire:
    """One connection, as a behaviour uses it."""

    def __init__(self, server: Server, writer: asyncio.StreamWriter) -> None:
        self.server, self.writer = server, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()
        self.server.sent += len(data)

    async def head(self, *lines: str) -> None:
        await self.send("".join(f"{line}\r\n" for line in ("HTTP/1.1 200 OK", *lines, "")).encode())


Behaviour = Callable[[Wire], Awaitable[None]]


class Server:
    """Does as told with each request. sent: bytes that went out."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.requests = self.sent = 0
        self.url = ""
        self._asked = asyncio.Event()

    async def asked(self, times: int) -> None:
        """Waits for so many requests."""
        while self.requests < times:
            self._asked.clear()
            await self._asked.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.requests += 1
                self._asked.set()
                await self.behaviour(Wire(self, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(behaviour: Behaviour) -> AsyncIterator[Server]:
    made = Server(behaviour)
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        listening.close()


@pytest.fixture
async def client() -> AsyncIterator[Prometheus]:
    made = Prometheus()
    yield made
    await made.close()


async def good(wire: Wire) -> None:
    await wire.head(f"Content-Length: {len(GOOD)}")
    await wire.send(GOOD)


async def drip(wire: Wire) -> None:
    await wire.head("Content-Length: 1000000")
    while True:
        await wire.send(b" ")
        await asyncio.sleep(0.01)


async def drip_head(wire: Wire) -> None:
    await wire.send(b"HTTP/1.1 200 OK\r\n")
    for n in range(10**6):
        await wire.send(f"X-{n}: a\r\n".encode())
        await asyncio.sleep(0.01)


async def silence(wire: Wire) -> None:
    await asyncio.sleep(60)


async def endless(wire: Wire) -> None:
    await wire.head("Transfer-Encoding: chunked")
    while True:
        await wire.send(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


async def announced(wire: Wire) -> None:
    await wire.head("Content-Length: 100000000000")
    while True:
        await wire.send(b" " * 2**16)


async def endless_head(wire: Wire) -> None:
    await wire.send(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        await wire.send(b"a" * 2**16)


async def headers_without_end(wire: Wire) -> None:
    await wire.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await wire.send(b"X: a\r\n" * 2**12)


async def large_head(wire: Wire) -> None:
    await wire.send(b"HTTP/1.1 200 OK\r\n")
    await wire.send(b"".join(b"X-%d: %s\r\n" % (n, b"a" * 8000) for n in range(100)))
    await asyncio.sleep(60)


async def interim(wire: Wire) -> None:
    while True:
        await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 2**12)


async def tiny_chunks(wire: Wire) -> None:
    await wire.head("Transfer-Encoding: chunked")
    while True:
        await wire.send(b"1\r\n \r\n" * 2**12)


async def chunk_extensions(wire: Wire) -> None:
    await wire.head("Transfer-Encoding: chunked")
    await wire.send(b"1;a=")
    while True:
        await wire.send(b"a" * 2**16)


async def trailers(wire: Wire) -> None:
    await wire.head("Transfer-Encoding: chunked")
    await wire.send(b"1\r\n \r\n0\r\n")
    while True:
        await wire.send(b"X: %s\r\n" % (b"a" * 1000) * 20)


async def unasked(wire: Wire) -> None:
    while True:
        await wire.send(
            (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(GOOD) + GOOD) * 2**10
        )


BOMB = gzip.compress(bytes(64 * 2**20))


async def bomb(wire: Wire) -> None:
    await wire.head("Content-Encoding: gzip", f"Content-Length: {len(BOMB)}")
    await wire.send(BOMB)


async def brackets(wire: Wire) -> None:
    body = b"[" + b"{}," * (2**19 // 3 - 10) + b"0]"
    await wire.head(f"Content-Length: {len(body)}")
    await wire.send(body)


async def broken_off(wire: Wire) -> None:
    await wire.head("Content-Length: 100")
    await wire.send(GOOD[:20])
    wire.writer.close()


async def no_http(wire: Wire) -> None:
    await wire.send(b"220 mail.example ESMTP\r\n")


@pytest.mark.parametrize(
    ("behaviour", "error", "says"),
    [
        (drip, Unavailable, "no whole answer in 0.5 s"),
        (drip_head, Unavailable, "no whole answer in 0.5 s"),
        (silence, Unavailable, "no whole answer in 0.5 s"),
        (endless, TooLarge, "larger than 512 KiB"),
        (announced, TooLarge, "larger than 512 KiB"),
        (endless_head, Unavailable, "HTTP"),
        (headers_without_end, Unavailable, "HTTP"),
        (large_head, Unavailable, "HTTP"),
        (interim, Unavailable, "HTTP"),
        (tiny_chunks, Unavailable, "broke off"),
        (chunk_extensions, Unavailable, "broke off"),
        (trailers, Unavailable, "broke off"),
        (bomb, NotUnderstood, "compressed"),
        (brackets, TooLarge, "more objects"),
        (broken_off, Unavailable, "broke off"),
        (no_http, Unavailable, "HTTP"),
    ],
)
async def test_each_is_an_error(
    client: Prometheus,
    behaviour: Behaviour,
    error: type[PrometheusError],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "DEADLINE", 0.5)
    async with serving(behaviour) as server:
        with pytest.raises(PrometheusError, match=says) as raised:
            await client.ask(Access(server.url), "up")
        assert type(raised.value) is error
        assert str(raised.value).startswith(server.url)
        # What sockets hold on both sides comes on top of what was taken.
        assert server.sent < BODY + 16 * 2**20


@pytest.mark.parametrize(
    "behaviour",
    [
        endless,
        announced,
        bomb,
        brackets,
        headers_without_end,
        large_head,
        interim,
        tiny_chunks,
        trailers,
    ],
)
async def test_forty_at_once_stay_within_their_memory(
    client: Prometheus, behaviour: Behaviour
) -> None:
    tracemalloc.start()
    try:
        async with serving(behaviour) as server:
            accesses = [Access(server.url, (("X-Scope-OrgID", str(n)),)) for n in range(40)]
            found = await asyncio.gather(
                *(client.ask(access, "up", tenant=t) for access in accesses for t in "ab"),
                return_exceptions=True,
            )
        assert all(isinstance(one, PrometheusError) for one in found)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


async def test_an_idle_connection_takes_nothing(client: Prometheus) -> None:
    """What comes after the answer ends the connection."""
    ended = asyncio.Event()

    async def more(wire: Wire) -> None:
        try:
            await unasked(wire)
        finally:
            ended.set()

    async with serving(more) as server:
        answer = await client.ask(Access(server.url), "up")
        assert answer.samples == ()
        await asyncio.wait_for(ended.wait(), 10)


async def test_so_many_queries_are_open_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that never answer keep nobody waiting who asks another one."""
    monkeypatch.setattr(open_queries, "OPEN", 10)
    monkeypatch.setattr(module, "DEADLINE", 60)
    client = Prometheus()
    async with serving(silence) as silent, serving(good) as server:
        accesses = [Access(f"{silent.url}/{n}") for n in range(30)]
        tasks = [asyncio.create_task(client.ask(access, "up")) for access in accesses]
        await silent.asked(10)
        for _ in range(3):
            assert (await client.ask(Access(server.url), "up")).samples == ()
        done, waiting = await asyncio.wait(tasks, timeout=0.01)
        assert len(waiting) < 10
        assert all("other queries are open" in str(task.exception()) for task in done)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    await client.close()


async def test_who_answers_slowly_is_not_put_aside_for_who_never_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(open_queries, "OPEN", 4)
    client = Prometheus()
    monkeypatch.setattr(module, "DEADLINE", 60)
    go = asyncio.Event()
    behaviour: list[Behaviour] = [good]

    async def slowly(wire: Wire) -> None:
        await go.wait()
        await good(wire)

    async with serving(silence) as silent, serving(lambda wire: behaviour[0](wire)) as server:
        slow = [Access(f"{server.url}/{n}") for n in range(4)]
        for access in slow:
            await client.ask(access, "up")
        behaviour[0] = slowly
        answers = [asyncio.create_task(client.ask(access, "up")) for access in slow]
        await server.asked(8)
        for n in range(8):
            with pytest.raises(Unavailable, match="other queries are open"):
                await client.ask(Access(f"{silent.url}/{n}"), "up")
        go.set()
        assert all(answer.samples == () for answer in await asyncio.gather(*answers))
    await client.close()


async def test_640_waiting_queries_stay_within_their_memory(client: Prometheus) -> None:
    """With the longest queries that there are."""
    query = "a" * 2**17
    async with serving(silence) as server:
        tracemalloc.start()
        try:
            tasks = [
                asyncio.create_task(client.ask(Access(f"{server.url}/{n}"), query))
                for n in range(640)
            ]
            await server.asked(open_queries.OPEN)
            assert tracemalloc.get_traced_memory()[1] < MEMORY
        finally:
            tracemalloc.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_slow_ones_do_not_hold_up_others(
    client: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor a tenant's slow queries those of another to the same server."""
    monkeypatch.setattr(module, "DEADLINE", 60)

    async def slow_at_first(wire: Wire) -> None:
        if wire.server.requests > connections.SHARE:
            return await good(wire)
        await silence(wire)
        return None

    async with serving(silence) as other, serving(slow_at_first) as same:
        slow = [client.ask(Access(other.url), "up", tenant=str(n)) for n in range(40)]
        slow += [client.ask(Access(same.url), "up", tenant="a") for _ in range(40)]
        tasks = [asyncio.create_task(one) for one in slow]
        await same.asked(connections.SHARE)
        answer = await client.ask(Access(same.url), "up", tenant="b")
        assert answer.samples == ()
        assert not any(task.done() for task in tasks)
        assert other.requests <= connections.STRANGERS_QUERIES
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_who_fails_again_and_again_is_left_alone_for_a_while() -> None:
    now = [0.0]
    client = Prometheus(clock=lambda: now[0])
    behaviour: list[Behaviour] = [no_http]
    async with serving(lambda wire: behaviour[0](wire)) as server:
        bad, same_server = Access(server.url), Access(server.url, (("X-Scope-OrgID", "b"),))

        async def fails(says: str) -> None:
            with pytest.raises(Unavailable, match=says):
                await client.ask(bad, "up")

        for _ in range(FAILURES):
            await fails("HTTP")
        asked = server.requests
        await fails(r"HTTP.*\(asked again within 2 s\)")
        assert server.requests == asked
        behaviour[0] = good
        await client.ask(same_server, "up")
        await fails("asked again")
        now[0] += FIRST_PAUSE
        await client.ask(bad, "up")
        await client.ask(bad, "up")
        assert server.requests == asked + 3
    await client.close()


async def test_a_tenants_failures_shut_no_other_tenant_out(client: Prometheus) -> None:
    async with serving(no_http) as server:
        for _ in range(FAILURES):
            with pytest.raises(Unavailable, match=r"HTTP"):
                await client.ask(Access(server.url), "up", tenant="a")
        server.behaviour = good
        await client.ask(Access(server.url), "up", tenant="b")
        with pytest.raises(Unavailable, match="asked again"):
            await client.ask(Access(server.url), "up", tenant="a")


async def test_refused_queries_do_not_shut_a_server_out(client: Prometheus) -> None:
    refusal = b'{"status":"error","errorType":"bad_data","error":"no"}'

    async def refusing(wire: Wire) -> None:
        length = f"Content-Length: {len(refusal)}"
        await wire.send(f"HTTP/1.1 400 Bad Request\r\n{length}\r\n\r\n".encode() + refusal)

    async with serving(refusing) as server:
        for _ in range(3 * FAILURES):
            with pytest.raises(PrometheusError, match=r"answered 400: no$"):
                await client.ask(Access(server.url), "up")
        assert server.requests == 3 * FAILURES


async def test_who_gives_up_waiting_shuts_nobody_out(client: Prometheus) -> None:
    behaviour: list[Behaviour] = [silence]
    async with serving(lambda wire: behaviour[0](wire)) as server:
        for n in range(2 * FAILURES):
            task = asyncio.create_task(client.ask(Access(server.url), "up"))
            await server.asked(n + 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        behaviour[0] = good
        await client.ask(Access(server.url), "up")


async def test_pools_are_bounded_and_the_oldest_idle_one_is_closed(
    client: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "POOLS", 3)
    async with serving(good) as server:
        pools = client._pools._pools
        for n in range(10):
            await client.ask(Access(server.url, (("N", str(n)),)), "up")
        assert [access.headers for access in pools] == [(("N", str(n)),) for n in (7, 8, 9)]
        monkeypatch.setattr(server, "behaviour", silence)
        tasks = [
            asyncio.create_task(client.ask(Access(server.url, (("N", str(n)),)), "up"))
            for n in (1, 2, 3)
        ]
        await server.asked(13)
        with pytest.raises(Unavailable, match="3 other ways"):
            await client.ask(Access(server.url, (("N", "4"),)), "up")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
async def test_in_a_pod_its_own_addresses_are_refused(host: str) -> None:
    client = Prometheus(loopback=True)
    async with serving(good) as server:
        port = server.url.rpartition(":")[2]
        with pytest.raises(AddressRefused, match="no address of a Prometheus"):
            await client.ask(Access(f"http://{host}:{port}"), "up")
        await client.ask(Access(server.url, guarded=False), "up")
        assert server.requests == 1
    await client.close()


async def test_a_name_that_leads_to_a_metadata_service_is_refused(
    client: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolved(host: str, port: int, *_: object) -> list[object]:
        addresses = ("10.0.0.1", "169.254.169.254")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    for url in ("http://innocent.example", "http://169.254.169.254/latest"):
        with pytest.raises(AddressRefused, match=r"169\.254\.169\.254.*no address of a Prom"):
            await client.ask(Access(url), "up")


async def whole(text: bytes) -> AsyncIterator[bytes]:
    yield text


async def chunks(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield b" " * size
        await asyncio.sleep(0)


async def test_the_largest_gives_way_where_many_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenkeel.adapters.body.TOGETHER", 1000)
    bodies = Bodies(strangers=True)

    async def read(*sizes: int) -> bytes:
        with bodies.one() as body:
            await body.read(chunks(*sizes))
            return body.whole()

    large, small, other = await asyncio.gather(
        read(300, 300, 300, 1), read(50, 50, 50, 1), read(50, 50, 50, 1), return_exceptions=True
    )
    assert isinstance(large, BodyTooLarge)
    assert (small, other) == (b" " * 151, b" " * 151)


async def test_large_bodies_take_turns_and_small_ones_do_not_wait() -> None:
    bodies = Bodies(strangers=True)
    order: list[str] = []

    async def understood(name: str, size: int) -> None:
        with bodies.one() as body:
            await body.read(chunks(size))
            async with bodies.turn(body):
                order.append(name)

    with bodies.one() as held:
        await held.read(chunks(SMALL + 1))
        async with bodies.turn(held):
            large = asyncio.create_task(understood("large", SMALL + 1))
            await understood("small", SMALL)
    await large
    assert order == ["small", "large"]


async def test_a_large_honest_answer_is_taken() -> None:
    """Ten thousand pods with labels as they are."""
    one = (
        '{"metric":{"namespace":"team-a","pod":"model-3f2a9c-7d9f8b6c5-%05d","part":"total"},'
        '"value":[1785000000.123,"123456789"]}'
    )
    body = '{"status":"success","data":{"resultType":"vector","result":[%s]}}'
    text = (body % ",".join(one % n for n in range(10_000))).encode()
    with Bodies(strangers=False).one() as read:
        await read.read(whole(text))
        assert len(parsed(read.whole())["data"]["result"]) == 10_000
