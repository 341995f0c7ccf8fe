"""Asks a Prometheus how much counters grew in a window of the past.

The window is evaluated at its end, so that it can be asked late and again, and gives the same.
`increase` follows each series over its restarts.
"""

from __future__ import annotations

from math import isfinite

from evenkeel.adapters import answer, source
from evenkeel.adapters.access import Access
from evenkeel.adapters.answer import PrometheusError, Sample
from evenkeel.adapters.prometheus import Prometheus
from evenkeel.outside.prometheus import WindowCounts, WindowQuestion

SLACK = 1.05
"""Bad events may exceed all by so much, where series are scraped apart at a window's ends."""
INFO = "PromQL info: "
"""How some versions begin, among warnings, what is none, such as on names without _total."""


class Windows:
    """Asks by the connections to Prometheus servers."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus

    async def __call__(
        self, question: WindowQuestion, access: Access, last: object
    ) -> WindowCounts:
        """The counts. Raises SourceError."""
        try:
            total = await self._grown(question, question.total, access)
            counted = await self._grown(question, question.counted, access)
        except PrometheusError as error:
            raise source_error(error) from None
        return counts(question, total, counted)

    async def _grown(self, question: WindowQuestion, selector: str, access: Access) -> float | None:
        """By how much all series of the selector grew; None if there is none."""
        # What follows a user's text stands on a line of its own: it may end with a comment.
        query = f"sum(increase({selector}\n[{question.seconds}s]))"
        samples = await whole(self._prometheus, access, query, question.end)
        return samples[0].value if samples else None


async def whole(
    prometheus: Prometheus, access: Access, query: str, at: int | None
) -> tuple[Sample, ...]:
    """What the query gives at a time, Unix seconds, or now. Raises PrometheusError, also where
    Prometheus warns that something may be missing."""
    # Whoever asks in vain stops neither other namespaces nor the analyses of its own.
    tenant = f"{access.owner}/windows"
    found = await prometheus.ask(access, query, tenant=tenant, at=at)
    warnings = [one for one in found.warnings if not one.startswith(INFO)]
    if warnings:
        raise answer.Unavailable(f"{access.url} warns: {warnings[0]}")
    return found.samples


def counts(question: WindowQuestion, total: float | None, counted: float | None) -> WindowCounts:
    """What the growth of both tells of the window."""
    end, what = question.end, "good" if question.good else "bad"
    if total is None:
        return WindowCounts(end, void="total has no series")
    if counted is None and question.good:
        return WindowCounts(end, void="good has no series, though total has: check its labels")
    grown = counted or 0.0
    if not (isfinite(total) and isfinite(grown) and 0 <= total < 1e15 and grown >= 0):
        return WindowCounts(end, void=f"total is {total:g} and {what} is {grown:g}: no counters")
    if grown > total * SLACK + 1:
        return WindowCounts(
            end, void=f"{what} grew by {grown:g}, total by {total:g} only: select the same requests"
        )
    bad = max(0.0, total - grown) if question.good else min(grown, total)
    return WindowCounts(end, round(bad), round(total))


def source_error(error: PrometheusError) -> source.SourceError:
    """What the error is to whoever polls."""
    match error:
        case answer.AccessDenied():
            return source.AccessDenied(str(error))
        case answer.AddressRefused():
            return source.NotAllowed(str(error))
        case answer.QueryRefused() | answer.NotUnderstood() | answer.TooLarge():
            return source.NotUnderstood(str(error))
    return source.Unavailable(str(error))
