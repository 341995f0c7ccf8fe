"""Every link of the pages leads somewhere within the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dev.paths import ROOT

PAGES = [
    page
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "charts/**/*.md",
        "deploy/**/*.md",
        "dev/**/*.md",
        "examples/**/*.md",
    )
    for page in sorted(ROOT.glob(pattern))
]
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    plain = (re.sub(r"[`*]", "", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", page.read_text()))
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link
