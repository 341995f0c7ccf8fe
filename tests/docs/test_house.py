"""CONTRIBUTING, CHANGELOG and the hooks speak of what there is."""

from __future__ import annotations

import re
import subprocess
import tomllib

import yaml
from evenkeel.retraining.admission import RULES

from dev.paths import ROOT

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def test_paths_in_the_recipes_exist() -> None:
    paths = re.findall(r"`((?:operator|tests|docs|e2e)/[\w/.]+)`", CONTRIBUTING)
    assert len(paths) > 20
    missing = [path for path in paths if "NAME" not in path and not (ROOT / path).exists()]
    assert not missing


def test_files_in_the_architecture_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    paths = re.findall(r"`((?:\w+/)+(?:\w+\.\w+)?)`", text)
    assert len(paths) > 40
    places = (ROOT, ROOT / "operator" / "evenkeel")
    missing = [p for p in paths if not any((place / p).exists() for place in places)]
    assert not missing


def test_the_page_lists_every_rule_of_admission() -> None:
    page = (ROOT / "docs" / "retrainschedule.md").read_text()
    table = page.split("## What holds a run back")[1].split("\n\n")[2]
    # Back-off and circuit are one rule with two rows.
    assert len(table.splitlines()) - 2 == len(RULES) + 1


def test_targets_in_the_table_exist() -> None:
    targets = re.findall(r"`make ([\w-]+)`", CONTRIBUTING)
    declared = set(re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(targets) <= declared


def test_the_changelog_has_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    headings = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[:2] == ["Unreleased", version]


def test_hooks_are_local_and_call_what_lint_calls() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    entries = " ".join(hook["entry"] for repo in config["repos"] for hook in repo["hooks"])
    lint = subprocess.run(
        ["make", "--dry-run", "--always-make", "lint"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for tool in ("ruff check", "ruff format --check", "mypy operator/evenkeel", "lint-imports"):
        assert tool in lint
        assert tool in entries
