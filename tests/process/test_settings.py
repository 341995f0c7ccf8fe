"""Settings from the environment: defaults, and errors that name the variable."""

from __future__ import annotations

from pathlib import Path

import pytest
from evenkeel.__main__ import main
from evenkeel.process.settings import Settings, SettingsError, allowed
from evenkeel.process.settings_table import renewed

from dev.paths import DOCS


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


def refused(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    """The one line with which these variables are refused."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment()
    (line,) = str(caught.value).splitlines()
    return line


def test_an_unknown_variable_is_refused_and_a_near_one_suggested(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = refused(monkeypatch, EVENKEEL_WATCH_NAMESPACE="a", EVENKEEL_XYZ="1")
    assert "EVENKEEL_WATCH_NAMESPACE is not a setting (did you mean EVENKEEL_WATCH_NAMES" in line
    assert "EVENKEEL_XYZ is not a setting (remove it)" in line


def test_all_faults_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    line = refused(monkeypatch, EVENKEEL_WORKERS="x", EVENKEEL_LOG_FORMAT="y", EVENKEEL_WORKRES="1")
    assert line.split("; ") == [
        "EVENKEEL_LOG_FORMAT must be json or plain, not 'y'",
        "EVENKEEL_WORKERS must be a number from 1 to 65535, not 'x'",
        "EVENKEEL_WORKRES is not a setting (did you mean EVENKEEL_WORKERS?)",
    ]


def test_ports_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    line = refused(monkeypatch, EVENKEEL_HTTP_PORT="9090")
    assert "EVENKEEL_HTTP_PORT and EVENKEEL_METRICS_PORT are both 9090" in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EVENKEEL_PROMETHEUS_URL", "prometheus:9090"),
        ("EVENKEEL_PROMETHEUS_URL", "http://"),
        ("EVENKEEL_WATCH_NAMESPACES", "shop,Bank"),
        ("EVENKEEL_POD_NAME", ""),
        ("EVENKEEL_STORAGE_INITIALIZER_IMAGE", ""),
        ("EVENKEEL_WARM_UP_IMAGE", ""),
        ("EVENKEEL_METER_IMAGE", ""),
        ("EVENKEEL_INTEGRATIONS", "nosuch"),
    ],
)
def test_what_could_only_fail_later_is_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refused(monkeypatch, **{name: value}).startswith(f"{name} must be ")


def test_a_password_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "hunter2" not in refused(monkeypatch, EVENKEEL_PROMETHEUS_URL="ftp://me:hunter2@prom")


def test_the_settings_of_development_tools_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENKEEL_CLUSTER_DIR", "/tmp/cluster")
    Settings.from_environment()


def test_service_links_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a pod gets beside a Service named evenkeel-webhook without enableServiceLinks: false."""
    monkeypatch.setenv("EVENKEEL_WEBHOOK_SERVICE_HOST", "10.96.0.7")
    monkeypatch.setenv("EVENKEEL_WEBHOOK_SERVICE_PORT_WEBHOOK", "8088")
    monkeypatch.setenv("EVENKEEL_WEBHOOK_PORT_8088_TCP", "tcp://10.96.0.7:8088")
    monkeypatch.setenv("EVENKEEL_WEBHOOK_PORT", "tcp://10.96.0.7:7777")
    assert Settings.from_environment().webhook_port == 8088


def test_the_identity_is_the_pods_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVENKEEL_POD_NAME", raising=False)
    monkeypatch.setenv("POD_ID", "from-pod-id")
    assert Settings.from_environment().identity == "from-pod-id"
    monkeypatch.setenv("EVENKEEL_POD_NAME", "from-pod-name")
    assert Settings.from_environment().identity == "from-pod-name"


def test_plain_values_are_taken_without_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENKEEL_WORKERS", "7")
    assert Settings(log_level="debug").workers == 32


def test_every_setting_says_what_it_is_and_what_it_may_be() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert allowed(name).values, name


def test_the_table_of_settings_is_current() -> None:
    page = (DOCS / "operations.md").read_text()
    command = "run: python -m evenkeel.process.settings_table docs/operations.md"
    assert renewed(page) == page, command


def test_token_files_are_checked_before_they_are_needed(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    empty = tmp_path / "empty"
    empty.touch()
    Settings(webhook_token_file=str(token)).check_token_files()
    with pytest.raises(SettingsError, match="is empty"):
        Settings(webhook_token_file=str(empty)).check_token_files()
    with pytest.raises(SettingsError, match="No such file"):
        Settings(prometheus_token_file=str(tmp_path / "absent")).check_token_files()
