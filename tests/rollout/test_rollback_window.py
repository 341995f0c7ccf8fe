"""The way back to a revision that served until lately."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rollout.test_step_words import BAD, BY_TIME, A, B, canary, last, model, serving
from tests.support.rollout_world import World, run

WINDOW = {"revisions": 2, "seconds": 3600}


def promoted(w: World, uri: str) -> str:
    w.edit(model=model(uri))
    run(w, 120)
    assert (last(w)["revision"], last(w)["outcome"]) == (w.wanted(), "Promoted")
    return w.wanted()


def world(**window: Any) -> World:
    return serving([BY_TIME], rollbackWindow=window or WINDOW)


def test_it_takes_over_without_steps_once_its_pods_are_ready() -> None:
    w = world()
    former = w.status["stable"]["revision"]
    promoted(w, B)
    assert last(w)["replaced"] == former
    w.edit(model=model(A))
    w.settle()
    assert canary(w)["inWindow"]
    assert w.pods[former].replicas == 4, "all of its pods at once"
    assert w.status["stable"]["uri"] == B
    w.pods_ready()
    w.settle()
    assert (w.status["stable"]["uri"], last(w)["reason"]) == (A, "RollbackWindow")


def test_who_was_gone_back_from_is_tried_again() -> None:
    w = world()
    promoted(w, B)
    w.edit(model=model(A))
    run(w, 10)
    w.edit(model=model(B))
    run(w, 10)
    assert canary(w)["stage"] == "Stepping"


@pytest.mark.parametrize("restored", [True, False])
def test_who_was_gone_back_from_is_tried_again_after_a_probation_too(restored: bool) -> None:
    w = serving([BY_TIME], rollbackWindow=WINDOW, probation={"seconds": 60})
    promoted(w, B)
    w.edit(model=model(A))
    run(w, 30)
    assert canary(w)["stage"] == "Probation"
    if restored:
        w.restore(children=True)
    run(w, 90)
    assert (last(w)["revision"], last(w)["reason"]) == (w.wanted(), "ProbationPassed")
    w.edit(model=model(B))
    run(w, 10)
    assert canary(w)["stage"] == "Stepping"


def test_who_was_taken_back_is_not_let_in() -> None:
    w = world(revisions=20)
    promoted(w, B)
    w.edit_rollout(steps=[{"weight": 25}])
    w.quality[A] = 0.5
    w.edit_rollout(rollbackWindow=None)
    w.edit(model=model(A))
    run(w, 120)
    assert last(w)["outcome"] == "RolledBack"
    w.edit_rollout(rollbackWindow={"revisions": 20}, retry=w.wanted())
    w.settle()
    assert "inWindow" not in canary(w) or not canary(w)["inWindow"]


@pytest.mark.parametrize(
    ("window", "within"),
    [
        ({"revisions": 1}, False),
        ({"revisions": 2}, True),
        ({"seconds": 200}, False),
        ({"seconds": 2000}, True),
        ({"revisions": 2, "seconds": 200}, False),
        ({"revisions": 1, "seconds": 2000}, False),
    ],
)
def test_how_lately_by_promotions_and_by_time(window: dict[str, int], within: bool) -> None:
    w = world(**window)
    promoted(w, B)
    promoted(w, "s3://m/c")
    run(w, 120)
    w.edit(model=model(A))
    w.settle()
    assert canary(w)["inWindow"] is within


def test_one_that_never_served_is_tried() -> None:
    w = world()
    w.edit(model=model(BAD))
    w.settle()
    assert not canary(w)["inWindow"]
