"""The outside world by protocol: one file an adapter, all in `Adapters`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, fields

from evenkeel.adapters.prometheus import Prometheus

__all__ = ["Adapters"]


@dataclass(frozen=True, slots=True)
class Adapters:
    """The connections to the outside, opened at the start; each field has a `close`."""

    prometheus: Prometheus

    async def close(self) -> None:
        """Closes all."""
        await asyncio.gather(*(getattr(self, field.name).close() for field in fields(self)))
