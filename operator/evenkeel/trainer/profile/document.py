"""A reference profile as a file in the model's folder, and the rules that it keeps.

The meter has the same rules, and refuses a file that breaks one of them.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evenkeel.trainer.profile.schema import SCHEMA, TEXT, Schema, size

FILE = "evenkeel-profile.json"
BYTES = 1 << 20
"""Of the file at most."""

_TYPES: Mapping[str, Any] = {
    "object": Mapping,
    "array": (list, tuple),
    "string": str,
    "integer": int,
    "number": (int, float),
}


class InvalidProfile(ValueError):
    """There can be no such profile; the message says why and what to do."""


@dataclass(frozen=True)
class Profile:
    """document: as the file has it, checked. Raises InvalidProfile."""

    document: Mapping[str, Any]

    def __post_init__(self) -> None:
        check(self.document)

    @property
    def features(self) -> list[Mapping[str, Any]]:
        return list(self.document["features"])

    @property
    def predictions(self) -> list[Mapping[str, Any]]:
        return list(self.document["predictions"])

    @property
    def rows(self) -> int:
        return int(self.document["rows"])

    def text(self) -> str:
        """The file's text: the same for the same data. Raises InvalidProfile above BYTES."""
        text = json.dumps(self.document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        if (size := len(text.encode())) > BYTES:
            raise InvalidProfile(
                f"the profile has {size} bytes and may have {BYTES}: take fewer features (only=), "
                "categories or bins"
            )
        return text

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Writes evenkeel-profile.json into the model's folder, all of it or nothing.

        Gives the file's path. Raises InvalidProfile, and OSError.
        """
        target = Path(folder, FILE)
        content = self.text().encode()
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{FILE}.part")
        part.write_bytes(content)
        part.replace(target)
        return target


def load(path: str | os.PathLike[str]) -> Profile:
    """The profile of a model's folder, or of a file. Raises InvalidProfile, and OSError."""
    file = Path(path)
    if file.is_dir():
        file = file / FILE
    with file.open("rb") as opened:
        content = opened.read(BYTES + 1)
    if len(content) > BYTES:
        raise InvalidProfile(f"{file} has more than {BYTES} bytes, which no meter reads")
    return Profile(parse(content))


def parse(content: bytes) -> Mapping[str, Any]:
    """The document of a file's content, not checked yet. Raises InvalidProfile."""
    try:
        document = json.loads(
            content.decode(), object_pairs_hook=_object, parse_constant=_no_number
        )
    except (ValueError, RecursionError) as problem:
        raise InvalidProfile(f"the profile is no JSON: {problem}; write it anew") from None
    if not isinstance(document, dict):
        raise InvalidProfile("the profile must be an object with the key schema")
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"an object has a key twice, among {', '.join(found)[:200]}")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def check(document: Mapping[str, Any]) -> None:
    """Raises InvalidProfile that names the first rule which the document breaks, and where."""
    for fault in _schema_faults(document, SCHEMA, "profile"):
        raise InvalidProfile(fault)
    for fault in _further_faults(document):
        raise InvalidProfile(fault)


def _schema_faults(value: Any, schema: Schema, where: str) -> Iterator[str]:
    """What the keywords that SCHEMA uses say of the value."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    if "oneOf" in schema:
        yield from _column_faults(value, schema, where)
        return
    if "const" in schema:
        schema = {"enum": [schema["const"]]}
    if "enum" in schema:
        if not isinstance(value, str) or value not in schema["enum"]:
            yield f"{where} must be {' or '.join(schema['enum'])}, not {value!r:.80}"
        return
    kind = schema["type"]
    if not isinstance(value, _TYPES[kind]) or isinstance(value, bool):
        yield f"{where} must be of the type {kind}, not {value!r:.80}"
    elif kind == "object":
        yield from _object_faults(value, schema, where)
    elif kind == "array":
        yield from _size_faults(len(value), schema, "Items", "items", where)
        for index, item in enumerate(value):
            yield from _schema_faults(item, schema["items"], f"{where}[{index}]")
    elif kind == "string":
        yield from _size_faults(len(value), schema, "Length", "characters", where)
    else:
        least, most = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
        if value < least or value > most:
            yield f"{where} must be from {least} to {most}, not {value!r:.80}"


def _column_faults(value: Any, schema: Schema, where: str) -> Iterator[str]:
    """By the column's type, which alone tells what is wrong with the rest."""
    kind = value.get("type") if isinstance(value, Mapping) else None
    kinds = [branch["$ref"].rpartition("/")[2] for branch in schema["oneOf"]]
    if not isinstance(kind, str) or kind not in kinds:
        yield f"{where} must be an object of the type {' or '.join(kinds)}, not {kind!r:.80}"
    else:
        yield from _schema_faults(value, SCHEMA["$defs"][kind], where)


def _object_faults(value: Mapping[str, Any], schema: Schema, where: str) -> Iterator[str]:
    for name in schema["required"]:
        if name not in value:
            yield f"{where} lacks {name}"
    for name, inner in value.items():
        if name not in schema["properties"]:
            known = ", ".join(schema["properties"])
            yield f"{where} has the unknown key {name!r:.80}; it may have {known}"
        else:
            yield from _schema_faults(inner, schema["properties"][name], f"{where}.{name}")


def _size_faults(size: int, schema: Schema, what: str, unit: str, where: str) -> Iterator[str]:
    least, most = schema.get(f"min{what}", 0), schema.get(f"max{what}", math.inf)
    if not least <= size <= most:
        yield f"{where} has {size} {unit} and may have {least} to {most}"


def _further_faults(document: Mapping[str, Any]) -> Iterator[str]:
    """What no JSON schema can say."""
    if not document["features"] and not document["predictions"]:
        yield "the profile has neither features nor predictions: hand in at least one column"
    for part in ("features", "predictions"):
        names: set[str] = set()
        places: set[tuple[str, Any]] = set()
        for index, column in enumerate(document[part]):
            where = f"{part}[{index}] ({column['name']!r:.80})"
            yield from _text_faults(column, where)
            yield from _bin_faults(column, document["rows"], where)
            place = (column.get("tensor", ""), column.get("column"))
            if column["name"] in names:
                yield f"{where} has the name of another one: each must have its own"
            if place in places:
                yield f"{where} has the tensor and column of another one: each has its own place"
            names.add(column["name"])
            if place != ("", None):
                places.add(place)


def _text_faults(column: Mapping[str, Any], where: str) -> Iterator[str]:
    for text in (column["name"], column.get("tensor", ""), *column.get("categories", ())):
        if size(text) > TEXT:
            yield f"{where} has a text of more than {TEXT} bytes, or half a character: {text!r:.80}"


def _bin_faults(column: Mapping[str, Any], rows: int, where: str) -> Iterator[str]:
    counts = column["counts"]
    if column["type"] == "numeric":
        edges, bins = column["edges"], len(column["edges"]) + 1
        if not all(_finite(edge) for edge in edges):
            yield f"{where} has an edge that is no finite number"
        elif any(low >= high for low, high in zip(edges, edges[1:])):
            yield f"{where} must have strictly rising edges"
    else:
        bins = len(column["categories"])
        if len(set(column["categories"])) < bins:
            yield f"{where} has a category twice"
    if len(counts) != bins:
        yield f"{where} must have {bins} counts, one a bin, not {len(counts)}"
    total = sum(counts) + column.get("other", 0) + column["missing"]
    if not 0 < total <= rows:
        yield f"{where} has {total} rows in counts, other and missing, and the profile has {rows}"


def _finite(edge: float) -> bool:
    try:
        return math.isfinite(edge)
    except OverflowError:
        return False
