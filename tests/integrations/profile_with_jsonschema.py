"""Compares the checker of profiles with a real JSON schema validator; prints what differs as JSON.

Runs in an environment with jsonschema, which knows nothing of the operator. Of a whole profile
every value is replaced by many others, left out, and joined by a key that nobody knows.
"""

from __future__ import annotations

import copy
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evenkeel.trainer.profile import InvalidProfile, check
from evenkeel.trainer.profile.schema import SCHEMA
from jsonschema import Draft202012Validator

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 0.5, 103, 1e300, 2**53, 2**53 + 1, 2**60, 1 << 20),
    *((1 << 20) + 1, math.nan, "", "x", "numeric", "categorical", "trainer", "tfdv", "x" * 256),
    *("x" * 257, "ü" * 200, [], {}, [0], [1, 2, 3], [0] * 64, [0] * 65, [-1.5, 0.2], ["a", "a"]),
    *(["a", "b"], [[]], [{}], [None], {"name": "x", "type": "numeric"}, {"type": ["numeric"]}),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, (dict, list)):
        for step, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(child, (*path, step))


def variants(whole: Any) -> Iterator[Any]:
    yield whole
    for path in places(whole):
        for value in VALUES if path else ():
            made, place = copied(whole, path[:-1])
            place[path[-1]] = value
            yield made
        if path:
            made, place = copied(whole, path[:-1])
            del place[path[-1]]
            yield made
        made, place = copied(whole, path)
        if isinstance(place, dict):
            place["more"] = 1
            yield made


def copied(whole: Any, path: tuple[Any, ...]) -> tuple[Any, Any]:
    """A copy, and what is there at the path."""
    made = place = copy.deepcopy(whole)
    for step in path:
        place = place[step]
    return made, place


def refusal(document: Any) -> str:
    try:
        check(document)
    except InvalidProfile as problem:
        return str(problem)
    return ""


def main(whole: Any) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    validator = Draft202012Validator(SCHEMA)
    told: dict[str, list[str]] = {
        "both take": [],
        "both refuse": [],
        "schema refuses": [],
        "checker": [],
    }
    for document in variants(whole):
        refused, valid = refusal(document), validator.is_valid(document)
        key = ("checker" if refused else "both take") if valid else "both refuse"
        told[key if refused or valid else "schema refuses"].append(refused or repr(document))
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
