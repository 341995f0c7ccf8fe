"""Counts of a window of the past: what Prometheus answers, and what tells nothing."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import pytest
from evenkeel.adapters import source
from evenkeel.adapters.access import Access
from evenkeel.adapters.answer import (
    AccessDenied,
    AddressRefused,
    Answer,
    PrometheusError,
    QueryRefused,
    Sample,
    Unavailable,
)
from evenkeel.adapters.windows import Windows, counts
from evenkeel.outside.prometheus import WindowCounts, WindowQuestion

ACCESS = Access("http://prometheus.test")
QUESTION = WindowQuestion(None, 'all{a="b"}', "good # x", good=True, seconds=3600, end=7200)
BAD = WindowQuestion(None, "all", "bad", good=False, seconds=60, end=120)


class Server:
    """Answers by the metric that is asked for."""

    def __init__(self, **values: float | PrometheusError | Answer | None) -> None:
        self.values = values
        self.asked: list[tuple[str, int | None]] = []
        self.tenants: set[str] = set()

    async def ask(
        self, access: Access, query: str, *, tenant: str = "", at: int | None = None
    ) -> Answer:
        self.asked.append((query, at))
        self.tenants.add(tenant)
        name = next(n for n in self.values if f"increase({n}" in query)
        value = self.values[name]
        if isinstance(value, PrometheusError):
            raise value
        if isinstance(value, Answer):
            return value
        return Answer() if value is None else Answer((Sample({}, value),))


async def test_the_window_is_asked_for_at_its_end() -> None:
    server = Server(all=100.4, good=90.2)
    found = await Windows(server)(QUESTION, ACCESS, None)  # type: ignore[arg-type]
    assert found == WindowCounts(7200, 10, 100)
    assert server.asked == [
        ('sum(increase(all{a="b"}\n[3600s]))', 7200),
        ("sum(increase(good # x\n[3600s]))", 7200),
    ]


async def test_namespaces_ask_by_shares_of_their_own() -> None:
    server = Server(all=100.0, good=90.0)
    for owner in ("shop", "search"):
        await Windows(server)(QUESTION, replace(ACCESS, owner=owner), None)  # type: ignore[arg-type]
    assert server.tenants == {"shop/windows", "search/windows"}


async def test_what_is_told_for_information_is_no_warning() -> None:
    told = Answer((Sample({}, 90.0),), warnings=("PromQL info: metric might not be a counter",))
    server = Server(all=100.0, good=told)
    found = await Windows(server)(QUESTION, ACCESS, None)  # type: ignore[arg-type]
    assert found == WindowCounts(7200, 10, 100)


@pytest.mark.parametrize(
    ("question", "total", "counted", "found"),
    [
        (QUESTION, 100.0, 100.0, WindowCounts(7200, 0, 100)),
        (QUESTION, 100.0, 104.0, WindowCounts(7200, 0, 100)),
        (QUESTION, 0.0, 0.0, WindowCounts(7200, 0, 0)),
        (BAD, 100.0, 7.0, WindowCounts(120, 7, 100)),
        (BAD, 100.0, None, WindowCounts(120, 0, 100)),
        (BAD, 100.0, 103.0, WindowCounts(120, 100, 100)),
    ],
)
def test_what_is_counted(
    question: WindowQuestion, total: float, counted: float | None, found: WindowCounts
) -> None:
    assert counts(question, total, counted) == found


@pytest.mark.parametrize(
    ("question", "total", "counted", "says"),
    [
        (QUESTION, None, 5.0, "total has no series"),
        (QUESTION, 100.0, None, "good has no series, though total has"),
        (QUESTION, nan, 5.0, "no counters"),
        (QUESTION, 100.0, nan, "no counters"),
        (QUESTION, inf, 5.0, "no counters"),
        (BAD, -1.0, 0.0, "no counters"),
        (BAD, 100.0, 200.0, "bad grew by 200, total by 100 only"),
        (QUESTION, 100.0, 200.0, "good grew by 200, total by 100 only"),
    ],
)
def test_what_tells_nothing_is_void(
    question: WindowQuestion, total: float | None, counted: float | None, says: str
) -> None:
    found = counts(question, total, counted)
    assert says in found.void
    assert (found.bad, found.total) == (0, 0)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Unavailable("down"), source.Unavailable),
        (AccessDenied("401"), source.AccessDenied),
        (AddressRefused("loopback"), source.NotAllowed),
        (QueryRefused("parse error"), source.NotUnderstood),
    ],
)
async def test_a_failure_is_none_of_the_windows(
    error: PrometheusError, kind: type[source.SourceError]
) -> None:
    server = Server(all=100.0, good=error)
    with pytest.raises(kind, match=str(error)):
        await Windows(server)(QUESTION, ACCESS, None)  # type: ignore[arg-type]


async def test_an_answer_with_warnings_is_asked_for_again() -> None:
    partial = Answer((Sample({}, 9.0),), warnings=("a store did not answer",))
    with pytest.raises(source.Unavailable, match="a store did not answer"):
        await Windows(Server(all=100.0, good=partial))(QUESTION, ACCESS, None)  # type: ignore[arg-type]
