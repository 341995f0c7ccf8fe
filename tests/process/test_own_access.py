"""The operator's own access to Prometheus, from its settings and mounted files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from evenkeel.__main__ import main
from evenkeel.adapters.access import Access, AccessError, Tls, basic
from evenkeel.process.own_access import own_access
from evenkeel.process.settings import Settings

URL = "http://prometheus:9090"


def folder(path: Path, **files: str) -> str:
    for name, text in files.items():
        (path / name.replace("_", ".")).write_text(text)
    return str(path)


def settings(**more: Any) -> Settings:
    return Settings(prometheus_url=URL, **more)


def test_none_without_an_address() -> None:
    assert own_access(Settings()) is None


def test_an_address_alone() -> None:
    assert own_access(settings()) == Access(URL, guarded=False)


def test_all_that_may_be_mounted(tmp_path: Path) -> None:
    made = settings(
        prometheus_headers=("X-Scope-OrgID=a|b=c",),
        prometheus_access_dir=folder(
            tmp_path,
            username="u\n",
            password="p\n",
            ca_crt="CA\n",
            tls_crt="CERT",
            tls_key="KEY",
            headers="\nX-Secret: s: t\n",
        ),
    )
    assert own_access(made) == Access(
        URL,
        (("X-Scope-OrgID", "a|b=c"), ("X-Secret", "s: t")),
        basic("u", "p"),
        Tls("CA", "CERT", "KEY"),
        guarded=False,
    )


def test_a_token_is_read_anew_since_it_rotates(tmp_path: Path) -> None:
    file = tmp_path / "token"
    made = settings(prometheus_token_file=str(file))
    for token in ("one", "two"):
        file.write_text(f"{token}\n")
        found = own_access(made)
        assert found is not None
        assert found.authorization == f"Bearer {token}"


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"username": "u"}, "username and password go together"),
        ({"tls_crt": "c"}, "tls.crt and tls.key go together"),
        ({"username": "u", "password": "p", "token": "t"}, "exclude each other"),
        ({"headers": "no colon"}, "NAME:VALUE"),
        ({"headers": "Authorization: pw1234"}, "cannot be set"),
    ],
)
def test_what_contradicts_itself_is_refused(
    tmp_path: Path, files: dict[str, str], says: str
) -> None:
    where = folder(tmp_path, **files)
    token = str(tmp_path / "token") if "token" in files else ""
    with pytest.raises(AccessError, match=says) as raised:
        own_access(settings(prometheus_access_dir=where, prometheus_token_file=token))
    assert "pw1234" not in str(raised.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="EVENKEEL_PROMETHEUS_ACCESS_DIR"):
        own_access(settings(prometheus_access_dir=str(tmp_path / "absent")))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("URL", "http://user:pw1234@host"),
        ("URL", "http://host/?token=x"),
        ("URL", "prometheus:9090"),
        ("HEADERS", "X-Scope-OrgID"),
        ("HEADERS", "Authorization=pw1234"),
        ("ALLOWED", "https://a,Team=https://b"),
        ("ALLOWED", "mimir.example"),
        ("ALLOWED", "https://user:pw1234@b"),
    ],
)
def test_wrong_settings_end_the_start_and_hold_no_password(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"EVENKEEL_PROMETHEUS_{name}", value)
    assert main([]) == 2
    said = capsys.readouterr().err
    assert f"EVENKEEL_PROMETHEUS_{name} must be" in said
    assert "pw1234" not in said
