"""The profile's file: what may stand in it, how it is written, and what is refused."""

from __future__ import annotations

import copy
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
from evenkeel.trainer.profile import BYTES, FILE, InvalidProfile, Profile, check, load, profile
from evenkeel.trainer.profile.__main__ import main
from evenkeel.trainer.profile.schema import SCHEMA
from hypothesis import given, settings
from hypothesis import strategies as st

from dev.paths import ROOT
from tests.support.profiles import WHOLE

columns = st.lists(
    st.lists(st.floats() | st.sampled_from(["a", "b", None, True, 1]), min_size=5, max_size=5),
    min_size=1,
    max_size=4,
)


def changed(*path: Any, value: Any) -> dict[str, Any]:
    """WHOLE with another value there."""
    made: Any = copy.deepcopy(WHOLE)
    place = made
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return made


def refusal(document: Any) -> str:
    """What the checker says; empty if nothing."""
    try:
        check(document)
    except InvalidProfile as problem:
        return str(problem)
    return ""


def without(*path: Any) -> dict[str, Any]:
    made = changed(*path, value=None)
    place: Any = made
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return made


def test_the_schema_is_published() -> None:
    published = json.loads((ROOT / "docs/reference/profile.schema.json").read_text())
    assert published == SCHEMA


def test_a_whole_one_is_taken() -> None:
    assert refusal(WHOLE) == ""
    more = changed("features", 1, "tensor", value="predict") | {"rows": 104}
    assert refusal(more) == ""
    found = Profile(WHOLE)
    assert (len(found.features), len(found.predictions), found.rows) == (2, 1, 103)


@settings(deadline=None)
@given(given=columns, predicted=columns)
def test_what_is_saved_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, given: list[Any], predicted: list[Any]
) -> None:
    folder = tmp_path_factory.mktemp("model") / "new"
    tables = ({str(i): column for i, column in enumerate(part)} for part in (given, predicted))
    made = profile(*tables)
    file = made.save(folder)
    assert file == folder / FILE
    assert load(folder) == load(file) == made
    assert os.listdir(folder) == [FILE]
    assert file.read_text() == made.text()


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    Profile(WHOLE).save(tmp_path)
    large = changed("features", 1, "categories", value=["x" * 250 + str(i) for i in range(2)])
    large["features"] = [{**large["features"][1], "name": f"{i}".zfill(200)} for i in range(256)]
    for column in large["features"]:
        column["categories"] = [f"{i:0250}" for i in range(64)]
        column["counts"] = [1] * 64
    with pytest.raises(InvalidProfile, match=r"bytes and may have 1048576: take fewer features"):
        Profile(large).save(tmp_path)
    assert load(tmp_path) == Profile(WHOLE)
    assert os.listdir(tmp_path) == [FILE]


ABSENT = [
    *(without(name) for name in WHOLE),
    *(without("features", 0, name) for name in ("name", "type", "edges", "counts", "missing")),
    *(without("features", 1, name) for name in ("categories", "counts", "other", "missing")),
]


@pytest.mark.parametrize("document", ABSENT)
def test_what_is_required_must_be_there(document: Any) -> None:
    assert " lacks " in refusal(document) or "of the type numeric or cat" in refusal(document)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "profile must be of the type object"),
        (changed("schema", value="evenkeel.dev/profile/v2"), "profile.schema must be evenkeel.dev"),
        (changed("source", value="me"), "profile.source must be trainer or tfdv or mlflow"),
        (changed("more", value=1), "profile has the unknown key 'more'; it may have schema"),
        (changed("rows", value=0), "profile.rows must be from 1 to"),
        (changed("rows", value=True), "profile.rows must be of the type integer, not True"),
        (changed("rows", value=102), "has 103 rows in counts, other and missing"),
        (changed("features", value={}), "profile.features must be of the type array"),
        (changed("features", value=[{}]), "profile.features[0] must be an object of the type"),
        (changed("features", value=[None] * 257), "profile.features has 257 items"),
        (changed("features", 0, "type", value=[]), "of the type numeric or categorical, not []"),
        (changed("features", 0, "name", value=""), "features[0].name has 0 characters"),
        (changed("features", 0, "name", value="ü" * 129), "more than 256 bytes"),
        (changed("features", 0, "name", value="\ud800"), "or half a character"),
        (changed("features", 0, "name", value="color"), "has the name of another one"),
        (changed("features", 0, "edges", value=[0.2, 0.2, 3]), "strictly rising edges"),
        (changed("features", 0, "edges", value=[3, 2, 1]), "strictly rising edges"),
        (changed("features", 0, "edges", value=[1, 2, math.inf]), "no finite number"),
        (changed("features", 0, "edges", value=[1, math.nan, 3]), "no finite number"),
        (changed("features", 0, "edges", value=[1, 2, 10**400]), "no finite number"),
        (changed("features", 0, "edges", value=[1, 2]), "must have 3 counts, one a bin, not 4"),
        (changed("features", 0, "edges", value=[1, 2, "3"]), "edges[2] must be of the type number"),
        (changed("features", 0, "counts", value=[0.5, 1, 1, 1]), "counts[0] must be of the type"),
        (changed("features", 0, "counts", value=[-1, 1, 1, 1]), "counts[0] must be from 0"),
        (changed("features", 0, "counts", value=[2**60, 1, 1, 1]), "counts[0] must be from 0"),
        (changed("features", 0, "counts", value=[1] * 65), "counts has 65 items and may have 1 to"),
        (changed("features", 0, "other", value=0), "has the unknown key 'other'"),
        (changed("features", 0, "column", value=-1), "column must be from 0"),
        (changed("features", 0, "column", value=None), "column must be of the type integer"),
        (changed("features", 1, "categories", value=["a", "a"]), "has a category twice"),
        (changed("features", 1, "categories", value=["a", 1]), "categories[1] must be of the type"),
        (changed("features", 1, "edges", value=[1]), "has the unknown key 'edges'"),
        (
            changed("features", 1, value={**WHOLE["features"][0], "name": "two"}),
            "has the tensor and column of another one",
        ),
        ({**WHOLE, "features": [], "predictions": []}, "neither features nor predictions"),
        (
            changed("features", 1, value={**WHOLE["features"][1], "counts": [0, 0], "missing": 0}),
            "has 0 rows in counts",
        ),
    ],
)
def test_each_broken_rule_is_named(document: Any, words: str) -> None:
    assert words in refusal(document)


TEXT = json.dumps(WHOLE).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        TEXT[:200],
        TEXT + b"{}",
        TEXT.replace(b"0.2", b"NaN"),
        TEXT.replace(b"0.2", b"Infinity"),
        TEXT.replace(b"3.0", b"1e999"),
        TEXT.replace(b"40]", b"40.0]"),
        TEXT.replace(b'"rows"', b'"source"'),
        TEXT.replace(b"red", b"r\xffd"),
        b"\xef\xbb\xbf" + TEXT,
        TEXT.decode().encode("utf-16"),
        TEXT.replace(b"[-1.5, 0.2, 3.0]", b"[" * 100_000),
        TEXT.replace(b"103", b"1" * 5000),
        TEXT + b" " * BYTES,
        bytes(range(256)),
    ],
    ids=lambda content: repr(content[:20]),
)
def test_a_broken_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(InvalidProfile):
        load(tmp_path)


def test_an_absent_file_is_told_from_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2**60)
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(["numeric", "categorical", "trainer", WHOLE["schema"]]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["name", "type", "edges", "counts", "missing"]), inner)
    ),
    max_leaves=8,
)
paths = st.sampled_from(
    [
        *((name,) for name in WHOLE),
        *(("features", 0, name) for name in WHOLE["features"][0]),
        *(("features", 1, name) for name in WHOLE["features"][1]),
        ("features", 0, "edges", 1),
        ("features", 1, "categories", 0),
        ("predictions", 0),
    ]
)


@settings(deadline=None, max_examples=500)
@given(path=paths, value=json_values)
def test_any_document_is_taken_or_refused_with_words(path: Any, value: Any) -> None:
    document = changed(*path, value=value)
    told = refusal(document)
    assert len(told) < 1000
    assert told or Profile(document).text()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["."], 0, "103 rows, 2 features, 1 predictions"),
        ([FILE], 0, "103 rows"),
        (["none"], 1, "No such file"),
        (["broken.json"], 1, "the profile is no JSON"),
        ([], 2, "usage:"),
        (["-x"], 2, "usage:"),
        (["a", "b"], 2, "usage:"),
    ],
)
def test_people_can_check_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    Profile(WHOLE).save(tmp_path)
    (tmp_path / "broken.json").write_text("{")
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert words in (err if code else out)
