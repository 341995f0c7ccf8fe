"""The demonstration ends by itself, with status 0 only if every stage was observed."""

from __future__ import annotations

import json
import subprocess
import sys

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
    stages = json.loads(report.read_text())["stages"]
    assert stages
    assert all(stage["observed"] for stage in stages)
