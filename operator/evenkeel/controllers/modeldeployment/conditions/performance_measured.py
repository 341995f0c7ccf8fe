"""PerformanceMeasured: whether it is known what a pod carries, of the canary or else of stable."""

from __future__ import annotations

from evenkeel.controllers.modeldeployment.conditions.situation import Situation
from evenkeel.meta.conditions import Observation
from evenkeel.performance.sizing import shortage, sizing

TYPE = "PerformanceMeasured"


def performance_measured(situation: Situation) -> tuple[Observation, ...]:
    """Absent without spec.performance. It never makes the model unready."""
    md, rollout, load = situation.md, situation.rollout, situation.load
    one = rollout.canary or rollout.stable
    if md.spec.performance is None or one is None:
        return ()
    figures = one.performance
    if figures is None:
        how = load.message if load is not None and load.message else "it is measured next"
        return (Observation(TYPE, "Unknown", "Measuring", f"revision {one.revision}: {how}"),)
    message = f"revision {one.revision}: {figures.message}"
    if figures.rate is None:
        return (Observation(TYPE, "False", figures.reason, message),)
    if short := shortage(sizing(md, figures, None)):
        return (Observation(TYPE, "True", "TooFewReplicas", f"{message}; {short}"),)
    return (Observation(TYPE, "True", "Measured", message),)
