"""The outside world by protocol: one file an adapter, all in `Adapters`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

from evenkeel.adapters.counters import WebCounters
from evenkeel.adapters.gates import Gates
from evenkeel.adapters.git.git import Git
from evenkeel.adapters.meters import Meters
from evenkeel.adapters.mlflow.mlflow import Mlflow
from evenkeel.adapters.pipelines import Pipelines
from evenkeel.adapters.prometheus import Prometheus
from evenkeel.adapters.s3.s3 import S3
from evenkeel.adapters.source import Ask
from evenkeel.adapters.web import Web
from evenkeel.adapters.windows import Windows
from evenkeel.outside import counters, gates, mlflow, pipelines, s3
from evenkeel.outside.meters import BLOCK, METER
from evenkeel.outside.prometheus import WINDOW

__all__ = ["SOURCES", "Adapters"]

SOURCES: Mapping[str, Callable[[Web], Ask]] = {
    "git": lambda web: Git(web).ask,
    mlflow.KIND: Mlflow,
    pipelines.KIND: Pipelines,
    s3.KIND: S3,
    counters.KIND: WebCounters,
    gates.KIND: Gates,
}
"""By a poll's kind what asks its questions."""


@dataclass(frozen=True, slots=True)
class Adapters:
    """The connections to the outside, opened at the start; each field has a `close`."""

    prometheus: Prometheus
    web: Web

    def asks(self) -> Mapping[str, Ask]:
        """By a poll's kind how it is asked."""
        by_web = {kind: source(self.web) for kind, source in SOURCES.items()}
        meters = Meters(self.prometheus)
        by_query: dict[str, Ask] = {
            WINDOW: Windows(self.prometheus),
            METER: meters.seen,
            BLOCK: meters.block,
        }
        return {**by_web, **by_query}

    async def close(self) -> None:
        """Closes all."""
        await asyncio.gather(*(getattr(self, field.name).close() for field in fields(self)))
