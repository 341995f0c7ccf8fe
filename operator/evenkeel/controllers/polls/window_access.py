"""How a Prometheus is reached that is asked about windows: as one of an analysis."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from evenkeel.adapters.access import Access
from evenkeel.adapters.source import AccessDenied, NotAllowed, SourceError, Unavailable
from evenkeel.api.prometheus import Prometheus
from evenkeel.controllers.access import FIELD
from evenkeel.outside.meters import BlockQuestion, MeterQuestion
from evenkeel.outside.poll import Poll
from evenkeel.outside.prometheus import WindowQuestion
from evenkeel.verdict.samples import Unobserved

_REFUSALS: Mapping[str, type[SourceError]] = {
    "PrometheusNotAllowed": NotAllowed,
    "PrometheusAccessDenied": AccessDenied,
}


class WindowAccesses:
    """Ways to a Prometheus that is asked about windows, and to all else. prometheus: those of
    analyses. others: those of all other polls."""

    def __init__(
        self,
        prometheus: Callable[[str, Prometheus], Awaitable[Access | Unobserved]],
        others: Callable[[str, Poll], Awaitable[Access]],
    ) -> None:
        self._prometheus = prometheus
        self._others = others

    async def of(self, namespace: str, poll: Poll) -> Access:
        """The access of a poll. Raises NotAllowed, AccessDenied and Unavailable."""
        question = poll.question
        if not isinstance(question, WindowQuestion | BlockQuestion | MeterQuestion):
            return await self._others(namespace, poll)
        assert isinstance(question.server, Prometheus)
        found = await self._prometheus(namespace, question.server)
        if not isinstance(found, Unobserved):
            return replace(found, owner=namespace)
        error = _REFUSALS.get(found.reason, Unavailable)
        decay = isinstance(question, WindowQuestion)
        field = "metricDecay.prometheus" if decay else FIELD
        raise error(found.message.replace(FIELD, field))
