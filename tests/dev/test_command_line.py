"""The command line's answers to its user."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.cluster import provider
from dev.cluster.__main__ import main


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENKEEL_CLUSTER_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("KUBECONFIG", raising=False)


@pytest.mark.parametrize("verb", ["status", "kubeconfig", "kubectl", "helm"])
def test_commands_without_a_cluster_fail_with_a_remedy(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb]) == 1
    assert "Remedy: start one: `up`" in capsys.readouterr().err


def test_down_without_a_cluster_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["down"]) == 0
    assert "no cluster" in capsys.readouterr().out


def test_down_leaves_another_checkouts_cluster_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    provider.remember(provider.choose("builtin"))
    assert main(["down"]) == 0
    assert "nothing was started" in capsys.readouterr().out


def test_a_missing_archive_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["load", str(tmp_path / "none.tar")]) == 1
    assert "none.tar" in capsys.readouterr().err


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(SystemExit) as caught:
        main(["up", "--nonsense"])
    assert caught.value.code == 2


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for verb in ("up", "down", "status", "kubeconfig", "kubectl", "helm", "logs", "load"):
        assert f"\n    {verb} " in text
    for verb in ("gateway-crds", "control-plane", "build"):
        assert verb in text
