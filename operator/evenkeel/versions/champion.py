"""The champion: the version of a model that is in production."""

from __future__ import annotations

from collections.abc import Iterable

from evenkeel.api.modelversion import ModelVersion


def champion(versions: Iterable[ModelVersion], model: str) -> ModelVersion | None:
    """The version whose promotion is the newest, over all ModelDeployments; None if none was.

    A version that was rolled back later is no longer Promoted in its deployment, and so drops out.
    """
    promoted = [
        (rollout.time, version.metadata.name, version)
        for version in versions
        if version.spec.model == model
        for rollout in version.status.rollouts
        if rollout.outcome == "Promoted"
    ]
    return max(promoted, key=lambda p: p[:2])[2] if promoted else None
