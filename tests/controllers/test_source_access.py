"""How an outside system is reached, and what it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
from evenkeel.adapters.access import Access, Tls, basic
from evenkeel.adapters.address import Allowed
from evenkeel.adapters.sigv4 import Keys
from evenkeel.adapters.source import AccessDenied, NotAllowed
from evenkeel.controllers.polls.access import SourceAccesses
from evenkeel.kube.by_name import ByName, Named, Unreadable
from evenkeel.outside.poll import Poll


class Secrets:
    """One Secret, `git` of namespace ml. read: what was asked for."""

    def __init__(self, **values: str) -> None:
        dotted = ("ca_crt", "tls_crt", "tls_key")
        self._values = {
            key.replace("_", ".") if key in dotted else key: value for key, value in values.items()
        }
        self.read: set[tuple[str, str]] = set()

    async def values(self, named: Named, keys: Sequence[str]) -> dict[str, str]:
        self.read.add((named.namespace, named.name))
        if (named.namespace, named.name) != ("ml", "git"):
            raise Unreadable(f"there is no {named}")
        return {key: self._values[key] for key in keys if key in self._values}


async def of(
    secrets: Secrets, url: str = "https://git.example/repo", secret: str = "git", allowed: str = ""
) -> Access:
    accesses = SourceAccesses(cast(ByName, secrets), Allowed.parse(filter(None, [allowed])))
    return await accesses.of("ml", Poll("git", url, None, 60.0, secret))


async def test_without_a_secret_none_is_read() -> None:
    secrets = Secrets(token="t")
    assert await of(secrets, secret="") == Access("https://git.example/repo")
    assert not secrets.read
    assert (await of(secrets, secret="")).owner == "ml"


async def test_what_the_secret_holds_is_shown() -> None:
    assert (await of(Secrets(token="t"))).authorization == "Bearer t"
    secrets = Secrets(
        username="u", password="p", ca_crt="CA", tls_crt="C", tls_key="K", headers="X-A: b\nX-C: d"
    )
    assert await of(secrets) == Access(
        "https://git.example/repo",
        (("X-A", "b"), ("X-C", "d")),
        basic("u", "p"),
        Tls("CA", "C", "K"),
    )
    assert secrets.read == {("ml", "git")}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"username": "u"}, "username and password go together"),
        ({"tls_crt": "u"}, "tls.crt and tls.key go together"),
        ({"username": "u", "password": "p", "token": "t"}, "exclude each other"),
        ({"token": "a\nb"}, "printable ASCII"),
        ({"headers": "Authorization: x"}, "cannot be set"),
    ],
)
async def test_what_cannot_be_shown_is_told_without_its_value(
    values: dict[str, str], says: str
) -> None:
    with pytest.raises(AccessDenied, match=says) as raised:
        await of(Secrets(**values))
    assert "Secret 'git'" in str(raised.value)


SIGNING = {"accessKeyId": "AK", "secretAccessKey": "SK"}
SPELLED = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK", "AWS_SESSION_TOKEN": "ST"}


async def signed_by(**values: str) -> Access:
    accesses = SourceAccesses(cast(ByName, Secrets(**values)), Allowed.parse(()))
    return await accesses.of("ml", Poll("s3", "https://s3.example", None, 60.0, "git"))


async def test_stores_are_shown_signatures_alone() -> None:
    url = "https://s3.example"
    assert await signed_by(**SIGNING, token="t") == Access(url, keys=Keys("AK", "SK"))
    assert await signed_by(**SPELLED) == Access(url, keys=Keys("AK", "SK", "ST"))
    assert await signed_by(ca_crt="CA") == Access(url, tls=Tls("CA"))
    found = await of(Secrets(token="t", **SIGNING))
    assert (found.keys, found.authorization) == (None, "Bearer t")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"accessKeyId": "AK"}, "accessKeyId and secretAccessKey go together"),
        ({"sessionToken": "ST"}, "accessKeyId and secretAccessKey go together"),
        ({"accessKeyId": "A\nK", "secretAccessKey": "SK"}, "printable ASCII"),
        ({"token": "t"}, "none of the keys accessKeyId, secretAccessKey,"),
    ],
)
async def test_keys_that_cannot_be_used_are_told(values: dict[str, str], says: str) -> None:
    with pytest.raises(AccessDenied, match=says):
        await signed_by(**values)


async def test_a_secret_that_is_not_there_is_told() -> None:
    with pytest.raises(AccessDenied, match="there is no Secret 'other'"):
        await of(Secrets(), secret="other")


async def test_the_list_of_addresses_holds_and_vouches() -> None:
    listed = await of(Secrets(), secret="", allowed="ml=https://git.example")
    assert listed == Access("https://git.example/repo", guarded=False)
    secrets = Secrets(token="t")
    for allowed in ("other=https://git.example", "https://git.example/rep"):
        with pytest.raises(NotAllowed, match=r"sources\.allowed"):
            await of(secrets, allowed=allowed)
    assert not secrets.read


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://u:pw@git.example/r", "name a Secret"),
        ("file:///etc/passwd", "http"),
        ("https://git.example/../r", "path"),
    ],
)
async def test_an_address_that_cannot_be_asked(url: str, says: str) -> None:
    with pytest.raises(NotAllowed, match=says) as raised:
        await of(Secrets(), url)
    assert "pw" not in str(raised.value)


async def test_what_questions_to_gates_are_signed_with() -> None:
    accesses = SourceAccesses(cast(ByName, Secrets(signingKey="whsec_a", token="t")), Allowed(()))
    access = await accesses.of("ml", Poll("gate", "https://gate.example", None, 60.0, "git"))
    assert (access.signing, access.authorization) == ("whsec_a", "Bearer t")
    assert "whsec_a" in access.confidential
    assert "whsec_a" not in repr(access)
    assert not (await of(Secrets(signingKey="whsec_a", token="t"))).signing, "of no other protocol"
