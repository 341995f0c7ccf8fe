"""XML that anybody may have sent."""

from __future__ import annotations

import pytest
from evenkeel.adapters.xml import ELEMENTS, BadXml, read
from hypothesis import given
from hypothesis import strategies as st

BOMB = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><lolz>&c;</lolz>"""


def test_names_lose_their_namespace_and_texts_stay_whole() -> None:
    root = read(b'<a xmlns="urn:x"><b>one &amp; <![CDATA[<two>]]></b><b/><c><d> three </d></c></a>')
    assert [one.text for one in root.all("b")] == ["one & <two>", ""]
    assert (root.get("b"), root.get("c", "d"), root.get("none", "d")) == (
        "one & <two>",
        "three",
        "",
    )


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (BOMB, "declares types"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "declares types"),
        ("<a>&b;</a>", "no XML"),
        ("<a>" + "<b/>" * ELEMENTS + "</a>", "more elements"),
        ("<a>" * 10, "more elements"),
        ("<a " + " ".join(f"a{n} = ''" for n in range(5000)) + "/>", "more attributes"),
        ("<html><p>Log in</html>", "no XML"),
        ("", "no XML"),
        ("<a/><b/>", "no XML"),
        ('<?xml version="1.0" encoding="nonsense"?><a>\xff</a>', "no XML"),
    ],
    ids=[
        "bomb",
        "file",
        "entity",
        "many",
        "deep",
        "attributes",
        "html",
        "empty",
        "two",
        "encoding",
    ],
)
def test_what_is_refused(body: str, says: str) -> None:
    with pytest.raises(BadXml, match=says):
        read(body.encode("latin-1"))


@given(st.binary(max_size=200))
def test_anything_else_is_refused_alike(body: bytes) -> None:
    try:
        read(body)
    except BadXml:
        return
