"""What the runtime of a revision counts, as remembered with it: a runtime may change with it."""

from __future__ import annotations

from evenkeel.api.analysis import Analysis
from evenkeel.api.modeldeploymentstatus import RevisionMetrics
from evenkeel.api.servingruntime import RuntimeMetrics
from evenkeel.meta.names import digest


def remembered(analysis: Analysis | None, metrics: RuntimeMetrics | None) -> RevisionMetrics | None:
    """What to keep of a runtime's metrics: the queries that the analysis reads from it."""
    if analysis is None:
        return None
    asked = (i for i in analysis.indicators if i.source in (None, "Runtime"))
    named = {i.name for i in asked if i.total is None and i.web is None}
    known = metrics.indicators if metrics is not None else ()
    return RevisionMetrics(
        digest=_digest(metrics), indicators=tuple(query for query in known if query.name in named)
    )


def metrics_of(
    kept: RevisionMetrics | None, present: RuntimeMetrics | None
) -> RuntimeMetrics | None:
    """A revision's metrics; present: those of the runtime that is selected now, which are also its
    own if they have not changed or nothing is remembered."""
    if kept is None or kept.digest == _digest(present):
        return present
    return RuntimeMetrics(indicators=kept.indicators)


def _digest(metrics: RuntimeMetrics | None) -> str:
    return digest("" if metrics is None else metrics.model_dump_json())
