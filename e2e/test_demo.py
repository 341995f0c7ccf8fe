"""The demonstration ends by itself, with status 0 only if every stage was observed."""

from __future__ import annotations

import json
import subprocess
import sys

from demo.observations import WIDENED
from dev.paths import ROOT
from dev.stack.install import Stack


def test_the_whole_loop(stack: Stack) -> None:
    report = ROOT / "build" / "demo.json"
    report.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "demo"],
        cwd=ROOT,
        timeout=1500,
        check=False,
        capture_output=True,
        text=True,
    )
    print(done.stdout[-8000:])
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
    found = json.loads(report.read_text())
    assert found["stages"]
    assert all(stage["observed"] for stage in found["stages"])
    # The drift that the detectors found is the cause on record, with what moved.
    (retrained,) = [text for text in found["lineage"] if text.startswith("drift drifted: ")]
    assert "Data of elec2 since " in retrained
    assert any(feature in retrained for feature in WIDENED)
    assert "ModelDeployment elec2: Promoted" in retrained
