"""What one look at Prometheus shows: the counters of every process, with the time of the sample."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

_POD = re.compile(r"(?:^|,)pod=([^,]+)")


class Reading(NamedTuple):
    """One process's counters as Prometheus has them.

    total, counted: events since the process started; counted are its good events, or its bad ones
    where `good` is false, None where Prometheus has no such series of the process.
    time, counted_time: when they were scraped, Unix seconds of the operator's clock; None where
    Prometheus does not tell. started: when the process started, as the cluster tells, or None.
    """

    total: int
    counted: int | None
    time: float | None = None
    counted_time: float | None = None
    started: float | None = None
    good: bool = True

    @property
    def level(self) -> int:
        """Bad events so far; below zero while good ones are counted ahead of total."""
        counted = self.counted or 0
        return self.total - counted if self.good else counted


@dataclass(frozen=True, slots=True)
class Look:
    """One indicator at one moment, by process: a key such as `pod=model-3f2a-x-y`.

    time: when Prometheus was asked, Unix seconds of the operator's clock. pods: names of all pods
    that both revisions have, None where that is not known; a process of another pod is gone.
    warning: what is odd about it, though it may well be right.
    """

    canary: Mapping[str, Reading]
    stable: Mapping[str, Reading]
    time: float
    pods: frozenset[str] | None = None
    warning: str = ""

    @property
    def newest(self) -> float:
        """The time of the newest sample, by which waiting is measured: Prometheus' clock may be
        behind, and samples may be readable late."""
        readings = (*self.canary.values(), *self.stable.values())
        return max((self.time if r.time is None else r.time for r in readings), default=self.time)

    def there(self, key: str) -> bool:
        """Whether the process's pod is known to be there."""
        pod = _POD.search(key)
        return pod is not None and self.pods is not None and pod[1] in self.pods

    def gone(self, key: str) -> bool:
        """Whether the process's pod is known to be gone."""
        return self.pods is not None and _POD.search(key) is not None and not self.there(key)


@dataclass(frozen=True, slots=True)
class Unobserved:
    """Why an indicator could not be looked at; the reason is CamelCase.

    unanswered: whether its source could not be asked, or gave no answer, so that nothing is known.
    """

    reason: str
    message: str
    unanswered: bool = False
