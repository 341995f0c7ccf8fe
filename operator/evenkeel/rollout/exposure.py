"""Which requests a canary gets at a step, and what its pods have to carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evenkeel.api.exposure import Match
from evenkeel.api.modeldeploymentstatus import CanaryStatus
from evenkeel.api.rollout import Rollout, Step

WHOLE: dict[str, Any] = {"exposure": "Weight", "mirror": 0, "weight": 100, "baseline": ""}
"""Fields of the status of a canary that gets all requests."""


def exposed(step: Step) -> dict[str, Any]:
    """Fields of the status that say which requests it gets at a step."""
    mirror = 0 if step.mirror is None else step.mirror.percent
    return {"exposure": step.exposure, "mirror": mirror, "weight": step.weight or 0}


def carried_share(step: Step) -> int:
    """Share of all requests that its pods are made for, in percent.

    How many match, or come to the preview, nobody knows: they are made for all.
    """
    if step.mirror is not None:
        return step.mirror.percent
    return 100 if step.weight is None else step.weight


def present_step(rollout: Rollout, canary: CanaryStatus) -> Step | None:
    """The step that it is at, or was last; None if there are none any more.

    Steps may have been taken away meanwhile: the last one left has still to be passed.
    """
    steps = rollout.steps
    return steps[min(canary.step, len(steps) - 1)] if steps else None


def step_number(rollout: Rollout, canary: CanaryStatus) -> int:
    """Number of that step as messages tell it, from 1."""
    return min(canary.step + 1, len(rollout.steps))


def matches(rollout: Rollout, canary: CanaryStatus) -> tuple[Match, ...]:
    """The requests that are the canary's now whatever its weight."""
    step = present_step(rollout, canary)
    return step.match if step is not None and canary.exposure == "Match" else ()


def previews(rollout: Rollout) -> bool:
    """Whether a Service apart leads to a canary for as long as its trial goes on."""
    return any(step.preview is not None for step in rollout.steps)


def told(step: Step) -> str:
    """The step's requests in words."""
    return _words(exposed(step))


def shown(canary: CanaryStatus) -> str:
    """In words what it gets now by its status."""
    return _words({f: getattr(canary, f) for f in WHOLE})


def _words(got: Mapping[str, Any]) -> str:
    match got["exposure"]:
        case "Mirror":
            return f"with copies of {got['mirror']} % of the requests"
        case "Match":
            return "with the requests that match"
        case "Preview":
            return "in preview"
        case _:
            return f"at {got['weight']} %"
