"""The program that brings data, as far as it needs neither Git nor DVC nor a store."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest
from evenkeel.adapters import access
from evenkeel.sidecars.data.__main__ import waited
from evenkeel.sidecars.data.config import SIGNING, GitData, S3Data, config, secrets, store_keys
from evenkeel.sidecars.data.s3 import _name, _Object, digest, fault
from evenkeel.sidecars.data.words import Again, Failed, one_line

GIT = {"DATA_FOLDER": "/d", "DATA_REPO": "https://git.example/r", "DATA_PATH": "data/train"}


def test_its_variables() -> None:
    found = config({**GIT, "DATA_REV": "main", "DATA_WAIT_SECONDS": "5", "DATA_REMOTE": "prod"})
    assert (found.folder, found.wait) == ("/d", 5.0)
    assert found.source == GitData("https://git.example/r", "main", "data/train", "prod")
    s3 = {
        "DATA_FOLDER": "/d",
        "DATA_S3_URI": "s3://b/a/c/",
        "DATA_S3_ENDPOINT": "http://s3",
        "DATA_S3_ADDRESSING": "VirtualHost",
        "DATA_S3_REGION": "eu-west-1",
    }
    assert config(s3).source == S3Data("b", "a/c", "http://s3", "eu-west-1", named_in_path=False)
    assert config(s3).source.uri == "s3://b/a/c"  # type: ignore[union-attr]


def test_what_a_git_server_is_shown() -> None:
    def headers(**given: str) -> tuple[str, ...]:
        env = {f"DATA_GIT_{key}": value for key, value in given.items()}
        source = config({**GIT, **env}).source
        assert isinstance(source, GitData)
        return source.credentials.headers

    basic = base64.b64encode(b"ci:pass").decode()
    assert headers(USERNAME="ci", PASSWORD="pass\n") == (f"Authorization: Basic {basic}",)
    assert headers(TOKEN="t", HEADERS="X-A: b\n\nX-C: d") == (
        "Authorization: Bearer t",
        "X-A: b",
        "X-C: d",
    )
    with pytest.raises(Failed, match="Secret 'git' is not there, or has none of the keys token"):
        headers(FROM="git")
    assert headers(FROM="git", CA="PEM") == ()


def test_a_secret_that_a_trigger_signs_with_is_the_store_s_as_well() -> None:
    shared = {"accessKeyId": "id", "secretAccessKey": "geheim\n", "sessionToken": ""}
    assert store_keys(shared) == {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "geheim"}
    assert store_keys({"AWS_ACCESS_KEY_ID": "id"}) == {}
    assert "geheim" in secrets(shared)


def test_each_key_that_the_operator_signs_with_is_known_to_it() -> None:
    assert SIGNING == access.SIGNING


def test_no_message_holds_a_secret() -> None:
    env = {
        "DATA_GIT_USERNAME": "ci",
        "DATA_GIT_PASSWORD": "geheim\n",
        "DATA_GIT_HEADERS": "X-Key: versteckt",
        "AWS_SECRET_ACCESS_KEY": "schluessel",
        "DATA_GIT_FROM": "git",
    }
    sent = base64.b64encode(b"ci:geheim").decode()
    said = one_line(f"git: geheim\nversteckt schluessel {sent}", secrets(env))
    assert said == "git: *** *** *** ***"


class Clock:
    """Time that passes by waiting alone."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def wait(results: list[Mapping[str, Any] | Exception], seconds: float) -> tuple[Any, Clock]:
    clock, said = Clock(), list[str]()

    def once() -> Mapping[str, Any]:
        found = results.pop(0) if len(results) > 1 else results[0]
        if isinstance(found, Exception):
            raise found
        return found

    try:
        return waited(once, seconds, said.append, clock.pause, lambda: clock.now), clock
    except Failed as error:
        return str(error), clock


def test_what_is_not_there_yet_is_waited_for_ever_longer() -> None:
    found, clock = wait([*[Again("not yet")] * 8, {"rev": "c"}], 600)
    assert found == {"rev": "c"}
    assert clock.pauses == [2, 4, 8, 16, 32, 60, 60, 60]


def test_it_is_waited_for_within_a_bound_and_tried_at_its_end() -> None:
    found, clock = wait([Again("not yet")], 20)
    assert found == "not yet; that is so for 20 s (waitSeconds)"
    assert clock.pauses == [2, 4, 8, 6]
    assert wait([Again("not yet")], 0)[1].pauses == []


def test_what_lasts_is_not_waited_for() -> None:
    assert wait([Failed("no such path")], 600)[0] == "no such path"


@pytest.mark.parametrize(
    ("key", "asked", "name"),
    [
        ("train/a/b.csv", "train", "a/b.csv"),
        ("train", "train", "train"),
        ("data/train.csv", "data/train.csv", "train.csv"),
        ("training/a.csv", "train", None),
        ("train/", "train", None),
        ("a.csv", "", "a.csv"),
    ],
)
def test_where_an_object_goes(key: str, asked: str, name: str | None) -> None:
    assert _name(key, asked) == name


@pytest.mark.parametrize("key", ["train/../../etc/passwd", "train/a//b", "train/./a", "train/a\0"])
def test_names_that_lead_out_of_the_folder_are_refused(key: str) -> None:
    with pytest.raises(Failed, match="which is no path of a file"):
        _name(key, "train")


def test_the_digest_follows_names_and_tags_in_any_order() -> None:
    a, b = _Object("t/a", "a", "1", "1", 3), _Object("t/b", "b", "2", "2", 4)
    assert digest([a, b]) == digest([b, a])
    assert len({digest([a, b]), digest([a]), digest([a, b._replace(tag="3")])}) == 3


def test_a_store_that_is_away_is_waited_for() -> None:
    # As botocore has them.
    client = type("BotoCoreError", (Exception,), {})
    unreached = type("ConnectionError", (client,), {})
    away = fault("s3://b/k", type("EndpointConnectionError", (unreached,), {})("no connection"))
    assert isinstance(away, Again)
    assert str(away).startswith("s3://b/k: no connection; if that lasts, correct endpoint")
    assert isinstance(fault("", type("IncompleteReadError", (client,), {})()), Again)
    assert isinstance(fault("", type("SSLError", (unreached,), {})()), Failed)
    assert isinstance(fault("", type("PartialCredentialsError", (client,), {})()), Failed)
