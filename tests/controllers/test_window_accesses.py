"""How a Prometheus is reached that is asked about windows: as one of an analysis."""

from __future__ import annotations

import pytest
from evenkeel.adapters.access import Access
from evenkeel.adapters.source import AccessDenied, NotAllowed, SourceError, Unavailable
from evenkeel.api.prometheus import Prometheus
from evenkeel.controllers.polls.window_access import WindowAccesses
from evenkeel.outside.git import GitQuestion
from evenkeel.outside.poll import Poll
from evenkeel.outside.prometheus import WINDOW, WindowQuestion
from evenkeel.verdict.samples import Unobserved

SERVER = Prometheus(url="http://prometheus:9090")
QUESTION = WindowQuestion(SERVER, "all", "good", good=True, seconds=60, end=60)


def accesses(found: Access | Unobserved) -> WindowAccesses:
    async def prometheus(namespace: str, spec: Prometheus) -> Access | Unobserved:
        assert (namespace, spec) == ("shop", SERVER)
        return found

    async def others(namespace: str, poll: Poll) -> Access:
        return Access(poll.url)

    return WindowAccesses(prometheus, others)


async def test_each_poll_is_reached_in_its_own_way() -> None:
    made = accesses(Access("http://prometheus:9090"))
    window = Poll(WINDOW, "http://prometheus:9090", QUESTION, 60.0)
    found = await made.of("shop", window)
    assert (found.url, found.owner) == ("http://prometheus:9090", "shop")
    git = Poll("git", "https://git.example", GitQuestion("main", "data"), 60.0)
    assert (await made.of("shop", git)).url == "https://git.example"


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("PrometheusNotAllowed", NotAllowed),
        ("PrometheusAccessDenied", AccessDenied),
        ("PrometheusUnavailable", Unavailable),
    ],
)
async def test_a_refusal_names_the_triggers_field(reason: str, error: type[SourceError]) -> None:
    made = accesses(Unobserved(reason, "set spec.analysis.prometheus.url or the operator's"))
    with pytest.raises(error, match=r"^set metricDecay\.prometheus\.url or the operator's$"):
        await made.of("shop", Poll(WINDOW, "", QUESTION, 60.0))
