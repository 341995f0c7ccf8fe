"""Helm, built from the locked Go modules, and the chart as it is rendered."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cluster import binaries
from dev.paths import CHART

JSON = dict[str, Any]
Helm = Callable[..., subprocess.CompletedProcess[str]]
Render = Callable[..., list[JSON]]


@pytest.fixture(scope="session")
def helm_binary() -> Path:
    return binaries.ensure(["helm"], print)["helm"]


@pytest.fixture(scope="session")
def helm(helm_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Runs helm with state of its own; AssertionError if it fails, unless `check=False`."""
    home = tmp_path_factory.mktemp("helm")
    homes = {f"HELM_{name}_HOME": str(home / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}

    def run(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(helm_binary), *arguments],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            env={**os.environ, **homes},
        )
        assert not check or done.returncode == 0, f"helm {' '.join(arguments)}: {done.stderr}"
        return done

    return run


@pytest.fixture(scope="session")
def render(helm: Helm) -> Render:
    """The chart's objects for given `--set` values (and other options)."""

    def objects(*values: str, options: tuple[str, ...] = ()) -> list[JSON]:
        sets = [f"--set={value}" for value in values]
        out = helm(
            "template", "evenkeel", str(CHART), "--namespace=evenkeel-system", *sets, *options
        ).stdout
        return [made for made in yaml.safe_load_all(out) if made]

    return objects


def find(objects: list[JSON], kind: str, name: str | None = None) -> JSON:
    """The one object of the kind (and name)."""
    (found,) = [
        made
        for made in objects
        if made["kind"] == kind and name in (None, made["metadata"]["name"])
    ]
    return found
