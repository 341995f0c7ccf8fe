"""`make help` lists what the Makefile offers."""

from __future__ import annotations

import re
import subprocess

from dev.paths import ROOT

TEXT = (ROOT / "Makefile").read_text()


def test_help_lists_every_target() -> None:
    phony = re.findall(r"^\.PHONY: (.+)$", TEXT, re.MULTILINE)
    targets = {name for names in phony for name in names.split()}
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    listed = {line.split()[0]: line.split()[1:] for line in shown.stdout.splitlines()}
    assert "e2e" in targets
    assert set(listed) == targets
    assert all(listed.values())
