"""Where things are in the repository."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "charts" / "evenkeel"
CRDS = ROOT / "crds"
DEPLOY = ROOT / "deploy"
DOCS = ROOT / "docs"
MANIFESTS = ROOT / "demo" / "manifests"
RUNTIMES = ROOT / "config" / "runtimes"
