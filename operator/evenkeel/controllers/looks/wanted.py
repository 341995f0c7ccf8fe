"""What a ModelDeployment wants to be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from evenkeel.api.analysis import Analysis, IndicatorSpec
from evenkeel.api.modeldeploymentstatus import CanaryStatus
from evenkeel.meta.objects import Key
from evenkeel.verdict.indicators import Queries
from evenkeel.verdict.samples import Look, Unobserved


class Asked(NamedTuple):
    """The queries of one indicator. own: whether a tenant wrote them. stable: None where nothing
    counts it, and nothing is compared with it."""

    canary: Queries
    stable: Queries | None
    own: bool


class Told(NamedTuple):
    """What was seen elsewhere than in Prometheus; None until something was."""

    seen: Look | Unobserved | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A trial to look at. stable: the revision that it is compared with.

    begins: samples from before, Unix seconds, are no evidence on the canary. asked: by indicator
    the queries, what was told without, or why there are none. share: the canary's of the requests,
    from 0 to 1. changed: Unix seconds, since when it can have been so, if its former share is not
    known. alone: whether stable gets none.
    """

    key: Key
    uid: str
    canary: CanaryStatus
    stable: str
    analysis: Analysis
    begins: float
    asked: Mapping[str, Asked | Told | Unobserved]
    share: float = 0.0
    changed: float = 0.0
    alone: bool = False

    @property
    def trial(self) -> tuple[str, str, str, str]:
        """What tells one trial from the next, of the same revision too."""
        return (self.uid, self.canary.revision, self.canary.start_time, self.stable)

    def spec(self, name: str) -> IndicatorSpec:
        """An indicator of the analysis."""
        return next(i for i in self.analysis.indicators if i.name == name)
