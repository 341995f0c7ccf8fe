"""Whose turn it is to be asked, and when a question is due again."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from evenkeel.controllers.polls.pacing import (
    AT_ONCE,
    DOUBTFUL,
    DOUBTFUL_OF_HOST,
    HINT_PAUSE,
    JITTER,
    LONGEST_PAUSE,
    OF_BOTH,
    OF_HOST,
    OF_NAMESPACE,
    Inquiry,
    turns,
)
from evenkeel.outside.poll import Poll, Sighting
from hypothesis import given
from hypothesis import strategies as st

THEN = datetime(2026, 1, 31, tzinfo=UTC)
KNOWN: Sighting[object] = Sighting("answer", THEN, THEN)


def inquiry(
    host: str = "a", namespace: str = "ml", *, known: bool = True, due: float = 0.0, **more: float
) -> Inquiry:
    made = Inquiry(namespace, Poll("git", f"https://{host}/r", "q", more.get("interval", 60.0)))
    made.due = due
    if known:
        made.seen = KNOWN
    return made


@given(
    st.lists(
        st.tuples(
            st.integers(0, 12), st.integers(0, 6), st.booleans(), st.booleans(), st.floats(-9, 9)
        ),
        max_size=300,
    )
)
def test_no_host_and_no_namespace_takes_the_places_of_others(
    drawn: list[tuple[int, int, bool, bool, float]],
) -> None:
    inquiries = [
        inquiry(f"h{host}", f"n{namespace}", known=known, due=due)
        for host, namespace, known, _, due in drawn
    ]
    for one, (*_, busy, _due) in zip(inquiries, drawn, strict=True):
        if busy and one in turns(inquiries, 100.0):
            one.begin(100.0)
    before = [one for one in inquiries if one.in_hand]
    begun = turns(inquiries, 0.0)
    assert not set(map(id, begun)) & set(map(id, before))
    assert all(one.due <= 0 for one in begun)
    now = [*before, *begun]
    assert len(now) <= AT_ONCE
    assert max(Counter(one.host for one in now).values(), default=0) <= OF_HOST
    assert max(Counter(one.namespace for one in now).values(), default=0) <= OF_NAMESPACE
    pairs = Counter((one.host, one.namespace) for one in now)
    assert max(pairs.values(), default=0) <= OF_BOTH
    doubtful = [one for one in now if one.doubtful]
    assert len(doubtful) <= DOUBTFUL
    assert max(Counter(one.host for one in doubtful).values(), default=0) <= DOUBTFUL_OF_HOST
    # Nobody waits for a place that is free.
    for one in inquiries:
        if not one.in_hand and one.due <= 0 and one not in begun:
            assert (
                len(now) == AT_ONCE
                or sum(o.host == one.host for o in now) >= OF_HOST
                or sum(o.namespace == one.namespace for o in now) >= OF_NAMESPACE
                or pairs[one.host, one.namespace] >= OF_BOTH
                or (one.doubtful and len(doubtful) >= DOUBTFUL)
                or (one.doubtful and sum(o.host == one.host for o in doubtful) >= DOUBTFUL_OF_HOST)
            )


def test_hosts_that_never_answer_leave_room_for_those_that_do() -> None:
    hung = [inquiry(f"hung{i}", f"n{i}", known=False, due=-100.0) for i in range(200)]
    for one in turns(hung, 0.0):
        one.begin(0.0)
    fine = [inquiry(f"fine{i}", f"m{i}") for i in range(AT_ONCE - DOUBTFUL)]
    assert turns([*hung, *fine], 0.0) == fine


@pytest.mark.parametrize("known", [True, False])
def test_long_queues_of_others_are_not_waited_for(known: bool) -> None:
    queue = [
        inquiry(f"h{i}.{n}", f"n{n}", known=known, due=-100.0) for n in range(4) for i in range(99)
    ]
    begun = turns(queue, 0.0)
    for one in begun:
        one.begin(0.0)
    late = inquiry("mine", "mine", known=known, due=-1.0)
    assert turns([*queue, late], 0.0) == []
    begun[0].in_hand = False
    assert turns([*queue, late], 0.0) == [late]


def test_of_one_host_the_repositories_that_hang_leave_room_for_the_others() -> None:
    hung = [inquiry("github", f"n{i}", known=False) for i in range(50)]
    for one in turns(hung, 0.0):
        one.begin(0.0)
    other = inquiry("github", "other")
    assert turns([*hung, other], 0.0) == [other]


def test_an_address_that_cannot_be_read_is_a_host_of_its_own() -> None:
    assert inquiry("[").host != inquiry("a").host


@given(st.integers(1, 60), st.floats(0, 1), st.floats(1, 86400))
def test_failures_double_the_pause_up_to_a_bound(
    failures: int, chance: float, interval: float
) -> None:
    one = inquiry(interval=interval)
    pauses = []
    for _ in range(failures):
        one.begin(0.0)
        one.failed(0.0, chance)
        pauses.append(one.due)
    jitter = 1 + JITTER * (2 * chance - 1)
    longest = max(interval, LONGEST_PAUSE)
    assert pauses[0] == pytest.approx(min(2 * interval, longest) * jitter)
    assert pauses == sorted(pauses)
    assert pauses[-1] <= longest * (1 + JITTER) + 1e-6
    one.begin(0.0)
    one.answered(0.0, chance)
    assert one.due == pytest.approx(interval * jitter)


def test_a_hint_makes_it_due_but_not_without_end() -> None:
    one = inquiry()
    one.begin(10.0)
    one.answered(10.1, 0.5)
    assert one.due == pytest.approx(70.1)
    one.hinted(40.0)
    assert one.due == 40.0
    one.begin(40.0)
    one.answered(40.1, 0.5)
    one.hinted(40.2)
    assert one.due == 40.0 + HINT_PAUSE


def test_a_hint_while_it_is_asked_has_it_asked_again() -> None:
    one = inquiry()
    one.begin(10.0)
    one.hinted(10.1)
    one.answered(11.0, 0.5)
    assert one.due == 10.0 + HINT_PAUSE
