"""Connections to many servers: a small pool for each access, bounded in number."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any
from urllib.request import getproxies, proxy_bypass
from weakref import WeakValueDictionary

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from evenkeel.adapters.access import Access, Tls
from evenkeel.adapters.address import Address, never_elsewhere
from evenkeel.adapters.answer import AddressRefused, PrometheusError, Unavailable
from evenkeel.adapters.breaker import Breaker
from evenkeel.adapters.one_answer import OneAnswerConnector

POOLS = 512
QUERIES = 16
"""Queries at the same time, and connections, of one pool."""
STRANGERS_QUERIES = 4
"""The same to a server that nobody vouches for."""
SHARE = 2
"""Those of one tenant, so that slow queries of one leave room for the others."""
IDLE = 30.0
"""Seconds that a connection without a query stays open."""
LOOKUPS = 32
"""Names that are looked up at the same time. Threads of their own: a name server that does not
answer would keep the API server's name waiting."""
READ = 2**15
"""Bytes that wait in a connection, in the kernel and again in the process; a flood fills both."""
PEM = 2**18
"""Characters of a CA bundle, a certificate or a key."""


class NeverElsewhere(OSError):
    """A name that leads to an address that is refused."""


class Share:
    """A tenant's part of a pool: room for its queries, and a breaker that only they open."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.slots = asyncio.Semaphore(SHARE)
        self.breaker = Breaker(clock)
        self.last_error: PrometheusError | None = None
        self.users = 0


class Pool:
    """Connections for one access. by_get: whether it is asked by GET, since it takes no POST.
    proven: whether it has ever answered."""

    def __init__(
        self,
        address: Address,
        session: aiohttp.ClientSession,
        queries: int,
        clock: Callable[[], float],
    ) -> None:
        self.address = address
        self.session = session
        self.slots = asyncio.Semaphore(queries)
        self.by_get = False
        self.proven = False
        self.users = 0
        self._clock = clock
        self._shares: dict[str, Share] = {}

    @contextmanager
    def share(self, tenant: str) -> Iterator[Share]:
        """The tenant's share, which is kept while it is used or its breaker remembers failures."""
        share = self._shares.get(tenant)
        if share is None:
            share = self._shares[tenant] = Share(self._clock)
        share.users += 1
        try:
            yield share
        finally:
            share.users -= 1
            if not share.users and not share.breaker.failures:
                del self._shares[tenant]


class Pools:
    """The pools by access; the one that was used least recently is closed when there are too many.

    loopback: whether the process's own addresses are refused where an access is guarded. to: what
    the servers are, for messages.
    """

    def __init__(
        self, clock: Callable[[], float], *, loopback: bool, to: str = "a Prometheus"
    ) -> None:
        self._clock = clock
        self._loopback = loopback
        self._to = to
        self._pools: OrderedDict[Access, Pool] = OrderedDict()
        # Many tenants have the same bundle of authorities.
        self._contexts: WeakValueDictionary[Tls, ssl.SSLContext] = WeakValueDictionary()
        self._threads = ThreadPoolExecutor(LOOKUPS, "lookup")

    async def close(self) -> None:
        """Closes all connections."""
        pools, self._pools = list(self._pools.values()), OrderedDict()
        for pool in pools:
            await pool.session.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def use(self, access: Access) -> AsyncIterator[Pool]:
        """The access's pool, which stays open meanwhile. Raises AddressRefused and Unavailable."""
        pool = self._pools.get(access)
        if pool is None:
            idle = self._room()
            pool = self._pools[access] = self._open(access)
        else:
            idle = None
        self._pools.move_to_end(access)
        pool.users += 1
        try:
            if idle is not None:
                await idle.session.close()
            yield pool
        finally:
            pool.users -= 1

    def _room(self) -> Pool | None:
        """Takes the least recently used pool out, where there is no room for one more."""
        if len(self._pools) < POOLS:
            return None
        for access, pool in self._pools.items():
            if not pool.users:
                return self._pools.pop(access)
        raise Unavailable(f"{POOLS} other ways to {self._to} are in use; it is tried again")

    def _open(self, access: Access) -> Pool:
        try:
            address = Address.parse(access.url)
        except ValueError as error:
            raise AddressRefused(str(error)) from None
        resolver: AbstractResolver | None = None
        proxy = _proxy(address)
        # What a proxy reaches is its own affair, and it may well be beside this process.
        if access.guarded and proxy is None:
            if address.ip is not None and never_elsewhere(address.ip, loopback=self._loopback):
                raise AddressRefused(f"{address} is no address of {self._to}")
            resolver = _Guard(self._threads, loopback=self._loopback, to=self._to)
        queries = STRANGERS_QUERIES if access.guarded else QUERIES
        connector = OneAnswerConnector(
            limit=queries,
            socket_factory=_socket,
            # Contexts take time and, with the system's authorities, a megabyte.
            ssl=self._context(access.tls, address) if address.scheme == "https" else True,
            resolver=resolver,
            keepalive_timeout=IDLE,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            proxy=proxy,
            # The environment could add credentials, and one server's cookies are no other's.
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            read_bufsize=READ,
        )
        return Pool(address, session, queries, self._clock)

    def _context(self, tls: Tls, address: Address) -> ssl.SSLContext:
        tls = replace(tls, server_name="")
        context = self._contexts.get(tls)
        if context is None:
            context = self._contexts[tls] = _context(tls, address)
        return context


def _context(tls: Tls, address: Address) -> ssl.SSLContext:
    """Raises Unavailable where the PEM texts cannot be used."""
    if max(len(tls.ca), len(tls.cert), len(tls.key)) > PEM:
        raise Unavailable(f"{address}: a CA bundle or certificate is larger than {PEM // 1024} KiB")
    try:
        context = ssl.create_default_context(cadata=tls.ca or None)
    except (ssl.SSLError, ValueError):
        raise Unavailable(f"{address}: the CA bundle holds no PEM certificates") from None
    # Certificates of private authorities often lack what newer Pythons demand beyond the standard.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert or tls.key:
        try:
            _load(context, f"{tls.cert}\n{tls.key}\n")
        except (ssl.SSLError, ValueError, OSError):
            raise Unavailable(
                f"{address}: the client certificate and its key do not go together, or are no PEM"
            ) from None
    return context


def _load(context: ssl.SSLContext, pem: str) -> None:
    """Loads certificate and key, which Python takes from files only: one that is on no disk."""
    file = os.memfd_create("client-certificate")
    try:
        os.write(file, pem.encode())
        # An encrypted key would ask for its password on the terminal.
        context.load_cert_chain(f"/proc/self/fd/{file}", password="")
    finally:
        os.close(file)


def _socket(found: tuple[Any, ...]) -> socket.socket:
    family, kind, proto = found[:3]
    made = socket.socket(family, kind, proto)
    # The loop takes up to 256 KiB at once, if so much is there.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, READ)
    return made


def _proxy(address: Address) -> str | None:
    """The proxy that HTTP_PROXY or HTTPS_PROXY names, unless NO_PROXY exempts the host."""
    return None if proxy_bypass(address.host) else getproxies().get(address.scheme)


class _Guard(AbstractResolver):
    """Looks names up, and refuses those that lead where no such server is.

    What was looked at is what is connected to, so that no second answer can lead elsewhere.
    """

    def __init__(self, threads: ThreadPoolExecutor, *, loopback: bool, to: str) -> None:
        self._threads = threads
        self._loopback = loopback
        self._to = to

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """All addresses. Raises OSError."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        )
        answers: list[ResolveResult] = []
        for answer_family, _, proto, _, (ip, *_) in found:
            address = ipaddress.ip_address(str(ip).partition("%")[0])
            if never_elsewhere(address, loopback=self._loopback):
                raise NeverElsewhere(f"{host} leads to {address}, no address of {self._to}")
            answers.append(
                ResolveResult(
                    hostname=host,
                    host=str(address),
                    port=port,
                    family=answer_family,
                    proto=proto,
                    flags=socket.AI_NUMERICHOST,
                )
            )
        return answers

    async def close(self) -> None:
        """The threads are the pools' own."""
