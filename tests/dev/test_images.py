"""Images are made here of what their Dockerfiles fetch."""

from __future__ import annotations

import pytest

from dev.images.catalog import IMAGES, Image
from dev.paths import ROOT


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_the_dockerfile_fetches_the_same(image: Image) -> None:
    text = (ROOT / image.dockerfile).read_text()
    if image.requirements:
        if "ARG REQUIREMENTS=" in text:
            text = text.replace("${REQUIREMENTS}", image.requirements)
        assert f"COPY {image.requirements} " in text
    if image.package:
        assert f" {image.package} " in text
