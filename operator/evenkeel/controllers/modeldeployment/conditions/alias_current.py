"""AliasCurrent: whether spec.servedAlias means the version that serves."""

from __future__ import annotations

from evenkeel.controllers.modeldeployment.conditions.situation import Situation
from evenkeel.meta.conditions import Observation


def alias_current(situation: Situation) -> tuple[Observation, ...]:
    """Absent where no alias is to be moved."""
    return () if situation.alias is None else (situation.alias.observation,)
