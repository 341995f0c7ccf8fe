"""The meter's own checks, in Go."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from dev.images.catalog import IMAGES
from dev.paths import ROOT

MODULES = ("meter", "meter/bench")
COMPILERS = ("gcc", "clang")


def go(*arguments: str, module: str, **variables: str) -> None:
    done = subprocess.run(
        ["go", *arguments],
        cwd=ROOT / module,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", MODULES)
def test_its_sources_are_sound(module: str) -> None:
    go("vet", "./...", module=module)
    go("mod", "tidy", "-diff", module=module)


def test_its_tests_pass() -> None:
    """With the race detector where there is a C compiler, which that needs."""
    if any(map(shutil.which, COMPILERS)):
        go("test", "-race", "./...", module="meter", CGO_ENABLED="1")
    else:
        go("test", "./...", module="meter", CGO_ENABLED="0")


def test_it_is_compiled_as_its_image_has_it() -> None:
    (image,) = [image for image in IMAGES if image.name == "meter"]
    text = (ROOT / image.dockerfile).read_text()
    assert image.module == "meter"
    assert f"COPY {image.module} /src" in text
    assert "CGO_ENABLED=0" in text
    assert "USER 65532" in text
