"""Settings from the environment: defaults, and errors that name the variable."""

from __future__ import annotations

from pathlib import Path

import pytest
from evenkeel.__main__ import main
from evenkeel.process.settings import Settings, SettingsError


def test_defaults() -> None:
    settings = Settings.from_environment()
    assert settings.leader_election
    assert settings.watch_namespaces == ()
    assert settings.log_level == "info"


def test_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENKEEL_WATCH_NAMESPACES", "a, b,")
    monkeypatch.setenv("EVENKEEL_LEADER_ELECTION", "False")
    monkeypatch.setenv("EVENKEEL_WORKERS", "3")
    settings = Settings.from_environment()
    assert settings.watch_namespaces == ("a", "b")
    assert not settings.leader_election
    assert settings.workers == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBHOOK_PORT", "http"),
        ("WEBHOOK_PORT", "0"),
        ("HTTP_PORT", "65536"),
        ("METRICS_PORT", "-1"),
        ("WORKERS", "²"),
        ("WORKERS", ""),
        ("LEADER_ELECTION", "yes"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_wrong_values_end_with_status_2_and_name_the_variable(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"EVENKEEL_{name}", value)
    assert main([]) == 2
    assert f"EVENKEEL_{name}" in capsys.readouterr().err


def test_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("secret\n")
    assert Settings().read_token(str(file)) == "secret"
    assert Settings().read_token("") == ""


@pytest.mark.parametrize("content", ["", "  \n", None])
def test_token_file_without_a_token_never_means_no_token(
    tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match="token"):
        Settings().read_token(str(file))
