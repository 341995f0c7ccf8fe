"""From an indicator of a web API to the question about one revision."""

from __future__ import annotations

from typing import NamedTuple

from evenkeel.api.analysis import IndicatorSpec
from evenkeel.outside.counters import CountersQuestion
from evenkeel.verdict.indicators import Side, UnresolvedIndicator, filled, names_of, placeholders


class WebQuestion(NamedTuple):
    """What is asked of an address, without what follows ? in it."""

    url: str
    question: CountersQuestion


def web_question(indicator: IndicatorSpec, side: Side) -> WebQuestion | UnresolvedIndicator:
    """The question about one side."""
    web = indicator.web
    assert web is not None
    texts = (web.url, web.total, web.counted)
    known = names_of(side)
    if unknown := sorted({p for text in texts for p in placeholders(text)} - known.keys()):
        names = ", ".join(f"{{{{{name}}}}}" for name in sorted(known))
        return UnresolvedIndicator(
            "UnknownPlaceholder",
            f"indicator {indicator.name!r} has the placeholder {{{{{unknown[0]}}}}} in web; known "
            f"there are {names}",
        )
    url, total, counted = (filled(text, known) for text in texts)
    base, _, query = url.partition("?")
    return WebQuestion(base, CountersQuestion(query, total, counted))
