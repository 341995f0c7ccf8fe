"""A served metric's decay as a trigger: of the version in production, once for each.

What is asked of Prometheus is made here; what the counts show is decided in verdict/decay.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from evenkeel.api.trigger import MetricDecayTrigger
from evenkeel.outside.poll import Poll
from evenkeel.outside.prometheus import WINDOW, WindowQuestion
from evenkeel.retraining.triggers.kind import (
    InvalidTrigger,
    Occasion,
    Overseer,
    Production,
    TriggerKind,
)

AGAIN = 60.0
"""Seconds until a window is asked for again, if the answer was none."""
PLACEHOLDERS = ("namespace", "deployment", "revision")
_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z]*)\s*\}\}")


def check(spec: MetricDecayTrigger) -> None:
    """Raises InvalidTrigger for a placeholder that there is not."""
    texts = (spec.total, spec.good or "", spec.bad or "")
    unknown = {name for text in texts for name in _PLACEHOLDER.findall(text)} - {*PLACEHOLDERS}
    if unknown:
        known = ", ".join(f"{{{{{name}}}}}" for name in PLACEHOLDERS)
        raise InvalidTrigger(f"there is no placeholder {{{{{min(unknown)}}}}}; known are {known}")


def poll(spec: MetricDecayTrigger, places: Mapping[str, str], end: int) -> Poll:
    """The question about the window that ends then. places: values of the placeholders."""

    def placed(text: str) -> str:
        return _PLACEHOLDER.sub(lambda found: places[found[1]], text)

    counted = spec.good if spec.good is not None else spec.bad
    question = WindowQuestion(
        spec.prometheus,
        placed(spec.total),
        placed(counted or ""),
        spec.good is not None,
        spec.window_seconds,
        end,
    )
    return Poll(WINDOW, spec.prometheus.url or "", question, AGAIN)


def occasion(spec: MetricDecayTrigger, version: Production, now: datetime) -> Occasion | None:
    """The end of the window that showed the decay."""
    return None if version.decayed is None else Occasion(1, version.decayed)


def _never(spec: MetricDecayTrigger, version: Production, now: datetime) -> None:
    """It does not come by itself."""


METRIC_DECAY: TriggerKind[MetricDecayTrigger, None] = TriggerKind(
    "metric_decay", check=check, overseer=Overseer(occasion, _never), outside=True
)
