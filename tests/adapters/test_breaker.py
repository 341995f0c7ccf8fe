"""The circuit breaker, on a clock that the tests turn."""

from __future__ import annotations

import pytest
from evenkeel.adapters.breaker import FAILURES, FIRST_PAUSE, LONGEST_PAUSE, Breaker
from hypothesis import given
from hypothesis import strategies as st


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


def attempt(breaker: Breaker, ok: bool) -> bool:
    admitted = breaker.admits()
    if admitted:
        (breaker.succeeded if ok else breaker.failed)()
    return admitted


def test_opens_after_failures_in_a_row(breaker: Breaker) -> None:
    for _ in range(FAILURES - 1):
        assert attempt(breaker, ok=False)
    assert attempt(breaker, ok=True)
    for _ in range(FAILURES):
        assert attempt(breaker, ok=False)
    assert not breaker.admits()


def test_lets_one_try_after_the_pause(breaker: Breaker, clock: Clock) -> None:
    for _ in range(FAILURES):
        attempt(breaker, ok=False)
    clock.now += FIRST_PAUSE
    assert breaker.admits()
    assert not breaker.admits()
    breaker.succeeded()
    assert breaker.admits()
    assert breaker.admits()


def test_pauses_grow_to_a_limit_and_start_anew_after_a_success(
    breaker: Breaker, clock: Clock
) -> None:
    for _ in range(FAILURES):
        attempt(breaker, ok=False)
    pauses = []
    for _ in range(6):
        pauses.append(breaker.pause)
        clock.now += breaker.pause - 0.01
        assert not breaker.admits()
        clock.now += 0.01
        assert attempt(breaker, ok=False)
    assert pauses == [2, 4, 8, 16, LONGEST_PAUSE, LONGEST_PAUSE]
    clock.now += LONGEST_PAUSE
    attempt(breaker, ok=True)
    assert breaker.pause == FIRST_PAUSE


def test_a_try_that_is_given_up_makes_room_for_another(breaker: Breaker, clock: Clock) -> None:
    for _ in range(FAILURES):
        attempt(breaker, ok=False)
    clock.now += FIRST_PAUSE
    assert breaker.admits()
    breaker.gave_up()
    assert breaker.admits()


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 40)), max_size=60))
def test_never_shut_for_longer_than_the_longest_pause(steps: list[tuple[bool, float]]) -> None:
    clock = Clock()
    breaker = Breaker(clock)
    tried = clock.now
    for ok, wait in steps:
        clock.now += wait
        if attempt(breaker, ok):
            tried = clock.now
        else:
            assert clock.now - tried < LONGEST_PAUSE
