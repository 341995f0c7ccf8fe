"""CloudEvents 1.0 as they come by HTTP: binary, structured or as a batch, both of these in JSON.

Attributes of the binary mode are unescaped once, as its senders escape them; nothing else is.
Sources: https://github.com/cloudevents/spec/tree/v1.0.2/cloudevents, its spec.md,
bindings/http-protocol-binding.md and formats/json-format.md.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple

from evenkeel.meta.times import parse
from evenkeel.retraining.triggers.kind import Batch, MalformedBody, Message

ONE = "application/cloudevents+json"
MANY = "application/cloudevents-batch+json"
PREFIX = "ce-"
REQUIRED = ("id", "source", "type")
MOST_DATA = 2048
_NAME = re.compile(r"[a-z0-9]{1,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_JSON_TYPE = re.compile(r"(?:[^/;]+/(?:[^;]+\+)?json)?\s*(?:;.*)?")
_PAIR = re.compile(r"\\(.)")
_OCTET = re.compile(rb"%([0-9A-Fa-f]{2})")


class ToldEvent(NamedTuple):
    """An event with all its attributes, and its data as far as they are kept."""

    attributes: Mapping[str, str]
    data: str = ""
    cut: bool = False


def read(message: Message) -> Batch[ToldEvent]:
    """The events of a request, all or none. Raises MalformedBody."""
    kind = message.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == MANY:
        found = _json(message.body)
        if not isinstance(found, list):
            raise _malformed("a batch is a JSON array of events")
        events = tuple(_structured(one, f"event {n}: ") for n, one in enumerate(found))
    elif kind == ONE:
        events = (_structured(_json(message.body), ""),)
    elif kind.startswith("application/cloudevents"):
        raise _malformed(f"the content type {kind[:100]!r} is not read; send {ONE} or {MANY}")
    else:
        events = (_binary(message),)
    return Batch(events, received=len(events))


def _binary(message: Message) -> ToldEvent:
    attributes = {
        name.removeprefix(PREFIX): _unescaped(name, value)
        for name, value in message.headers.items()
        if name.startswith(PREFIX)
    }
    if not attributes:
        raise _malformed(
            f"there are neither headers {PREFIX}id, {PREFIX}source, {PREFIX}type and "
            f"{PREFIX}specversion nor the content type {ONE} or {MANY}"
        )
    _check(attributes, PREFIX)
    return _told(attributes, _text(message.body))


def _unescaped(name: str, value: str) -> str:
    """A header's value: quotes are taken off, then percent-encoding is decoded once."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = _PAIR.sub(r"\1", value[1:-1])
    try:
        # Whoever sends UTF-8 as it is reaches us with surrogates for it.
        octets = value.encode(errors="surrogateescape")
        return _OCTET.sub(lambda found: bytes([int(found[1], 16)]), octets).decode()
    except UnicodeError:
        raise _malformed(f"{name} is not UTF-8, percent-encoded") from None


def _structured(found: object, place: str) -> ToldEvent:
    if not isinstance(found, dict):
        raise _malformed(f"{place}an event is a JSON object")
    attributes = {}
    for name, value in found.items():
        if name in ("data", "data_base64") or value is None or not _NAME.fullmatch(name):
            continue
        if not isinstance(value, str | int):
            raise _malformed(f"{place}{name} is neither a text, a whole number nor a boolean")
        attributes[name] = str(value).lower() if isinstance(value, bool) else str(value)
    _check(attributes, place)
    return _told(attributes, _data(found, attributes, place))


def _data(found: dict[str, Any], attributes: Mapping[str, str], place: str) -> str:
    encoded, data = found.get("data_base64"), found.get("data")
    if encoded is not None:
        if data is not None:
            raise _malformed(f"{place}data and data_base64 exclude each other")
        try:
            return _text(b64decode(encoded, validate=True))
        except (ValueError, TypeError):
            raise _malformed(f"{place}data_base64 is not base64") from None
    if data is None:
        return ""
    of_json = _JSON_TYPE.fullmatch(attributes.get("datacontenttype", ""))
    if isinstance(data, str) and not of_json:
        return data
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _check(attributes: Mapping[str, str], place: str) -> None:
    """Raises MalformedBody for what is no event of version 1.0."""
    version = attributes.get("specversion", "")
    if not version:
        raise _malformed(f"{place}specversion is missing; send 1.0")
    if version != "1.0":
        raise _malformed(f"{place}specversion {version[:20]!r} is not known; send 1.0")
    for name in REQUIRED:
        if not attributes.get(name):
            raise _malformed(f"{place}{name} is missing or empty; every event needs one")
    for name, value in attributes.items():
        if _CONTROL.search(value):
            raise _malformed(f"{place}{name[:64]} has a control character or half a character")
    if "time" in attributes:
        try:
            parse(attributes["time"])
        except ValueError:
            raise _malformed(f"{place}time is not RFC 3339, such as 2026-01-31T09:00:00Z") from None


def _told(attributes: Mapping[str, str], data: str) -> ToldEvent:
    kept = data[:MOST_DATA].encode(errors="replace").decode()
    return ToldEvent(attributes, kept, len(data) > MOST_DATA)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except ValueError:
        return b64encode(data).decode()


def _json(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError) as fault:
        raise _malformed(f"Invalid JSON: {fault}"[:200]) from None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _malformed(fault: str) -> MalformedBody:
    return MalformedBody(f"not a CloudEvent of version 1.0: {fault}")
