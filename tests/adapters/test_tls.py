"""A private authority, client certificates and names, against a server that demands them."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from evenkeel.adapters.access import Access, Tls
from evenkeel.adapters.answer import Unavailable
from evenkeel.adapters.prometheus import Prometheus

from dev.cluster.pki import Authority, KeyPair


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def identity(authority: Authority) -> KeyPair:
    return authority.issue("client", "evenkeel")


@pytest.fixture
async def client() -> AsyncIterator[Prometheus]:
    made = Prometheus()
    yield made
    await made.close()


async def handle(request: web.Request) -> web.Response:
    return web.json_response({"data": {"resultType": "vector", "result": []}})


@pytest.fixture(params=[False, True], ids=["server", "mutual"])
async def url(request: pytest.FixtureRequest, authority: Authority) -> AsyncIterator[str]:
    """A server for the name prometheus.test; `mutual` demands a client certificate."""
    pair = authority.issue("server", "prometheus", hosts=["prometheus.test"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.pair.cert))
    context.load_cert_chain(pair.cert, pair.key)
    context.verify_mode = ssl.CERT_REQUIRED if request.param else ssl.CERT_NONE
    app = web.Application()
    app.router.add_post("/api/v1/query", handle)
    server = TestServer(app, scheme="https")
    await server.start_server(ssl=context)
    yield f"https://127.0.0.1:{server.port}"
    await server.close()


def trusting(authority: Authority, identity: KeyPair, server_name: str) -> Tls:
    return Tls(
        authority.pair.cert.read_text(),
        identity.cert.read_text(),
        identity.key.read_text(),
        server_name,
    )


async def test_with_all_that_is_demanded(
    client: Prometheus, url: str, authority: Authority, identity: KeyPair
) -> None:
    tls = trusting(authority, identity, "prometheus.test")
    assert (await client.ask(Access(url, tls=tls), "up")).samples == ()


async def test_tenants_share_their_bundle(
    client: Prometheus, url: str, authority: Authority, identity: KeyPair
) -> None:
    """A thousand copies of the system's authorities would be a gigabyte."""
    tls = trusting(authority, identity, "prometheus.test")
    for tenant in ("a", "b"):
        await client.ask(Access(url, (("X-Scope-OrgID", tenant),), tls=tls), "up")
    assert len(client._pools._pools) == 2
    assert len(client._pools._contexts) == 1


async def test_unverified(client: Prometheus, url: str, identity: KeyPair) -> None:
    tls = Tls("", identity.cert.read_text(), identity.key.read_text(), verify=False)
    assert (await client.ask(Access(url, tls=tls), "up")).samples == ()


@pytest.mark.parametrize("url", [False], ids=["server"], indirect=True)
async def test_an_unknown_authority_and_another_name_are_not_trusted(
    client: Prometheus, url: str, authority: Authority, identity: KeyPair
) -> None:
    with pytest.raises(
        Unavailable, match=r"certificate is not trusted: self-signed certificate in"
    ):
        await client.ask(Access(url), "up")
    named = trusting(authority, identity, "")
    with pytest.raises(Unavailable, match=r"certificate is not trusted: IP address mismatch"):
        await client.ask(Access(url, tls=named), "up")


@pytest.mark.parametrize("url", [True], ids=["mutual"], indirect=True)
async def test_without_a_certificate_of_ones_own(
    client: Prometheus, url: str, authority: Authority
) -> None:
    tls = Tls(authority.pair.cert.read_text(), server_name="prometheus.test")
    with pytest.raises(Unavailable, match=r"(?i)certificate.required|broke|closed the connection"):
        await client.ask(Access(url, tls=tls), "up")


async def test_pem_texts_that_cannot_be_used(
    client: Prometheus, authority: Authority, identity: KeyPair
) -> None:
    ca, cert = authority.pair.cert.read_text(), identity.cert.read_text()
    key = identity.key.read_text()
    other = authority.pair.key.read_text()
    for tls, says in (
        (Tls(ca="qzsecret"), "holds no PEM certificates"),
        (Tls(ca, cert, other), "do not go together"),
        (Tls(ca, "qzsecret", key), "do not go together"),
        (Tls(ca, cert, ""), "do not go together"),
        (Tls(ca * 1000), "larger than 256 KiB"),
    ):
        with pytest.raises(Unavailable, match=says) as raised:
            await client.ask(Access("https://127.0.0.1:1", tls=tls), "up")
        assert "qzsecret" not in str(raised.value)


async def test_the_key_is_written_to_no_disk(
    client: Prometheus,
    authority: Authority,
    identity: KeyPair,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The container's file system is read-only, and its /tmp is the node's disk."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    tls = trusting(authority, identity, "prometheus.test")
    with pytest.raises(Unavailable, match="cannot connect"):
        await client.ask(Access("https://127.0.0.1:1", tls=tls), "up")
