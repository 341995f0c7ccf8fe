"""What a ModelDeployment tells registries follows from its status, whose write wakes nobody."""

from __future__ import annotations

from typing import Any

import pytest
from evenkeel.api.modeldeploymentstatus import ModelDeploymentStatus
from evenkeel.meta.conditions import Observation
from evenkeel.registries.aliases import TYPE, Kept
from evenkeel.registries.asked_again import SOON, asked_again
from evenkeel.registries.tags import Telling

ALIAS = Kept(None, Observation(TYPE, "Unknown", "NoReadyPods", ""), again=30.0)
TOLD = Telling(None, 1, 1)


def status(ready: int = 2, **more: Any) -> ModelDeploymentStatus:
    revision = {"revision": "a", "format": {"name": "test"}, "readyReplicas": ready, **more}
    return ModelDeploymentStatus.model_validate({"stable": revision})


@pytest.mark.parametrize(
    "before",
    [ModelDeploymentStatus(), status(0), status(revision="b"), status(version="fraud-1")],
)
@pytest.mark.parametrize(("told", "alias"), [(None, ALIAS), (TOLD, None)])
def test_another_status_is_looked_at_soon(
    before: ModelDeploymentStatus, told: Telling | None, alias: Kept | None
) -> None:
    assert asked_again(told, alias, before, status()) == SOON
    assert asked_again(None, None, before, status()) is None


def test_the_same_is_looked_at_when_it_is_due() -> None:
    assert asked_again(TOLD, ALIAS, status(1), status(2)) == 30.0
    assert asked_again(TOLD, None, status(), status()) is None
