"""CloudEvents by HTTP: what is read, and what is refused with which words."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from evenkeel.retraining.triggers.cloud_event import CLOUD_EVENT, identity, record
from evenkeel.retraining.triggers.event_message import MANY, ONE, ToldEvent, read
from evenkeel.retraining.triggers.kind import MalformedBody, Message
from hypothesis import given
from hypothesis import strategies as st

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "a-1",
    "source": "/buckets/ml",
    "type": "com.example.uploaded",
}
Json = dict[str, Any]


def structured(event: object, kind: str = ONE) -> tuple[ToldEvent, ...]:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    return read(Message(body, {"content-type": kind})).events


def binary(body: bytes = b"", **headers: str) -> ToldEvent:
    plain = {f"ce-{name}": value for name, value in EVENT.items()} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    (event,) = read(Message(body, plain)).events
    return event


def test_all_modes_tell_the_same() -> None:
    more = {"subject": "data/train.parquet", "time": "2026-01-31T09:00:00Z", "tier": "gold"}
    data = {"size": 12}
    (one,) = structured({**EVENT, **more, "data": data})
    (batched,) = structured([{**EVENT, **more, "data": data}], MANY)
    by_headers = binary(b'{"size":12}', **{f"ce-{name}": value for name, value in more.items()})
    assert one == batched == by_headers
    assert one.attributes["tier"] == "gold"
    kept = record(one)
    assert kept.wire() == {
        "source": "/buckets/ml",
        "id": "a-1",
        "type": "com.example.uploaded",
        "subject": "data/train.parquet",
        "time": "2026-01-31T09:00:00Z",
        "data": '{"size":12}',
    }
    assert identity(one) == ("/buckets/ml", "a-1")


@pytest.mark.parametrize("kind", [f"{ONE}; charset=utf-8", ONE.upper()])
def test_parameters_and_case_of_the_content_type_do_not_matter(kind: str) -> None:
    assert len(structured(EVENT, kind)) == 1


def test_a_batch_may_be_empty() -> None:
    assert structured([], MANY) == ()


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("plain", "plain"),
        ("Gr%C3%BC%C3%9Fe%20%22%25", 'Grüße "%'),
        ('"quoted \\"text\\" 100%25"', 'quoted "text" 100%'),
        ("%2525", "%25"),
        ("100%", "100%"),
        ("a+b", "a+b"),
        ("\udcc3\udcbc", "ü"),
    ],
)
def test_a_header_is_unescaped_once(sent: str, told: str) -> None:
    assert binary(ce_subject=sent).attributes["subject"] == told


def test_texts_with_escapes_of_their_own_are_kept_as_they_are() -> None:
    texts = {"source": "/a%20b?q=%2525", "subject": 'C:\\new\\"x"'}
    (event,) = structured({**EVENT, **texts, "data": r"\n %41 &amp;"})
    assert {n: event.attributes[n] for n in texts} == texts
    assert event.data == r'"\\n %41 &amp;"'
    assert binary(rb'{"a": "\u00fc %41"}').data == r'{"a": "\u00fc %41"}'


def test_data_are_kept_as_text_and_cut() -> None:
    text = {"datacontenttype": "text/plain"}
    assert structured({**EVENT, **text, "data": "a\nb"})[0].data == "a\nb"
    assert structured({**EVENT, "data": None})[0].data == ""
    encoded = base64.b64encode(b"\xff\xfe").decode()
    assert structured({**EVENT, "data_base64": encoded})[0].data == encoded
    assert structured({**EVENT, "data_base64": base64.b64encode(b"{}").decode()})[0].data == "{}"
    assert binary(b"\xff\xfe").data == encoded
    long = binary(b"x" * 3000)
    assert (len(long.data), long.cut) == (2048, True)
    assert record(long).data_cut is True
    assert structured(b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":"\\ud800"}')[
        0
    ].data.isascii()


def test_attributes_of_other_types_have_their_texts() -> None:
    (event,) = structured({**EVENT, "tries": 3, "urgent": True, "none": None, "notOne": "x"})
    assert (event.attributes["tries"], event.attributes["urgent"]) == ("3", "true")
    assert not {"none", "notOne"} & event.attributes.keys()


@pytest.mark.parametrize("name", ["id", "source", "type", "specversion"])
def test_a_missing_attribute_is_named(name: str) -> None:
    without = {k: v for k, v in EVENT.items() if k != name}
    for event in (without, {**EVENT, name: ""}, {**EVENT, name: None}):
        with pytest.raises(MalformedBody, match=rf"{name} is missing"):
            structured(event)
    headers = {f"ce-{k}": v for k, v in without.items()}
    with pytest.raises(MalformedBody, match=rf"ce-{name} is missing"):
        read(Message(b"", headers))


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ({**EVENT, "specversion": "0.3"}, "specversion '0.3' is not known; send 1.0"),
        ({**EVENT, "time": "yesterday"}, "time is not RFC 3339"),
        ({**EVENT, "tags": ["a"]}, "tags is neither a text"),
        ({**EVENT, "ratio": 0.5}, "ratio is neither a text"),
        ({**EVENT, "id": "a\nb"}, "id has a control character"),
        ({**EVENT, "data_base64": "%"}, "data_base64 is not base64"),
        ({**EVENT, "data_base64": 3}, "data_base64 is not base64"),
        ({**EVENT, "data": 1, "data_base64": "aGk="}, "exclude each other"),
        ([EVENT], "an event is a JSON object"),
        (b"{", "Invalid JSON"),
        (b"\xff", "Invalid JSON"),
        (b'{"id": NaN}', "NaN is no number"),
        (b"[" * 100_000, "Invalid JSON"),
    ],
)
def test_what_is_no_event_is_told(event: object, says: str) -> None:
    with pytest.raises(MalformedBody, match=says):
        structured(event)


def test_a_batch_is_taken_whole_or_not_at_all() -> None:
    with pytest.raises(MalformedBody, match="event 1: id is missing"):
        structured([EVENT, {**EVENT, "id": ""}], MANY)
    with pytest.raises(MalformedBody, match="a batch is a JSON array"):
        structured(EVENT, MANY)


def test_other_encodings_and_plain_requests_are_refused() -> None:
    with pytest.raises(MalformedBody, match="'application/cloudevents\\+avro' is not read"):
        structured(EVENT, "application/cloudevents+avro")
    with pytest.raises(MalformedBody, match="neither headers ce-id"):
        structured(EVENT, "application/json")
    with pytest.raises(MalformedBody, match="ce-subject is not UTF-8"):
        binary(ce_subject="%C0%A0")


def test_times_with_nanoseconds_are_read() -> None:
    (event,) = structured({**EVENT, "time": "2026-01-31T09:00:00.123456789+01:00"})
    assert event.attributes["time"].endswith("789+01:00")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    ),
    st.sampled_from([ONE, MANY, "", "text/plain"]),
)
def test_nothing_but_malformed_bodies_is_raised(found: object, kind: str) -> None:
    message = Message(json.dumps(found).encode(), {"content-type": kind})
    with suppress(MalformedBody):
        read(message)


@given(st.binary(max_size=60), st.text(max_size=20))
def test_whatever_the_headers_are(body: bytes, value: str) -> None:
    try:
        event = binary(body, ce_subject=value)
    except MalformedBody:
        return
    assert CLOUD_EVENT.receiver is not None
    record(event).model_dump_json().encode()
