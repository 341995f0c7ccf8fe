"""The chart's archive, as a release has it."""

from __future__ import annotations

from pathlib import Path

import yaml

from dev import release
from dev.paths import ROOT
from tests.chart.conftest import Helm


def test_the_archive_is_the_same_each_time_and_renders(
    helm: Helm, helm_binary: Path, tmp_path: Path
) -> None:
    archives = []
    for attempt in ("one", "two"):
        folder = tmp_path / attempt
        folder.mkdir()
        release.chart(ROOT, folder, 1_750_000_000, helm_binary)
        archives += list(folder.iterdir())
    one, two = archives
    assert one.name == f"evenkeel-{release.version(ROOT)}.tgz"
    assert one.read_bytes() == two.read_bytes()
    made = yaml.safe_load_all(helm("template", "evenkeel", str(one)).stdout)
    assert "Deployment" in {obj["kind"] for obj in made if obj}
