"""When one Prometheus is asked what."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from evenkeel.controllers.looks.pacing import (
    AT_ONCE,
    BURST,
    COMPANY,
    DOUBTS,
    FORGOTTEN_AFTER,
    LEAST_COMPANY,
    LONGEST_WAIT,
    RATE,
    SHARE,
    TEXT,
    TRUSTED_AGAIN,
    Batch,
    Inquiry,
    Server,
)
from hypothesis import given
from hypothesis import strategies as st

TICK = 0.25


def inquiry(
    group: str = "", text: str = "q", *, times: str = " with times", **more: float
) -> Inquiry:
    made = Inquiry(group, text + times, text, 1.0, group=group)
    for name, value in more.items():
        setattr(made, name, value)
    return made


class Player:
    """Plays a Prometheus that refuses what `guilty` says of a text, and takes `seconds` to answer;
    the time passes in ticks."""

    def __init__(
        self,
        inquiries: list[Inquiry],
        guilty: Callable[[str], bool] = lambda text: False,
        *,
        longest: int = 10**9,
        seconds: float = 0.0,
    ) -> None:
        self.server, self.inquiries = Server(), inquiries
        self.guilty, self.longest, self.seconds = guilty, longest, seconds
        self.now = 0.0
        self.open: list[tuple[float, Batch]] = []
        self.asked: list[tuple[float, Batch]] = []
        self.answered: dict[Inquiry, list[float]] = {i: [] for i in inquiries}
        self.told: dict[Inquiry, list[float]] = {i: [] for i in inquiries}

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK)):
            self._end()
            while self._begin() and self.server.blocked and not self.seconds:
                self._end()
            self._end()
            self.now += TICK

    def _begin(self) -> bool:
        due = [i for i in self.inquiries if not i.in_hand and i.due <= self.now]
        begun = self.server.batches(due, self.now)
        for batch in begun:
            assert all(i.in_hand for i in batch.inquiries)
            self.open.append((self.now, batch))
            self.asked.append((self.now, batch))
        return bool(begun)

    def _end(self) -> None:
        for asked, batch in [one for one in self.open if one[0] + self.seconds <= self.now]:
            self.open.remove((asked, batch))
            self.server.ended(batch)
            if batch.length > self.longest or any(map(self.guilty, batch.texts)):
                if self.server.refused(batch, self.now):
                    self.told[batch.inquiries[0]].append(self.now)
            else:
                self.server.answered(batch, asked)
                for one in batch.inquiries:
                    self.answered[one].append(self.now)

    def gap(self, one: Inquiry, since: float = 0.0) -> float:
        """The longest time without an answer."""
        times = [since, *(t for t in self.answered[one] if t > since), self.now]
        return max(b - a for a, b in pairwise(times))


def test_a_thousand_questions_are_answered_each_second_by_few_queries() -> None:
    player = Player([inquiry() for _ in range(1000)])
    player.run(20)
    assert len(player.asked) <= 20 * RATE + BURST
    assert all(player.gap(i, since=3) <= 1.25 for i in player.inquiries)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4)), min_size=1, max_size=12),
    st.sampled_from([0.0, 0.5, 4.0]),
)
def test_no_bound_is_passed(made: list[tuple[str, int]], seconds: float) -> None:
    inquiries = [inquiry(group, "q" * size * 20_000, times="") for group, size in made]
    player = Player(inquiries, seconds=seconds)
    player.run(24)
    for second in range(24):
        assert sum(second <= at < second + 1 for at, _ in player.asked) <= RATE + BURST
    for at, batch in player.asked:
        assert {i.group for i in batch.inquiries} == {batch.group}
        assert len(batch.inquiries) <= COMPANY
        assert len(batch.inquiries) == 1 or batch.length <= TEXT
        meanwhile = [b for t, b in player.asked if t <= at < t + seconds]
        assert len(meanwhile) <= AT_ONCE
        assert sum(b.group == batch.group for b in meanwhile) <= SHARE
    assert all(times for times in player.answered.values())


def test_nobody_waits_longer_than_others_when_more_is_due_than_can_be_asked() -> None:
    """Each text fills a query of its own: 100 a second are due, 20 are asked."""
    player = Player([inquiry(text="q" * TEXT) for _ in range(100)])
    player.run(60)
    gaps = [player.gap(i, since=10) for i in player.inquiries]
    assert max(gaps) <= 7


def test_a_tenant_with_many_lone_questions_leaves_turns_to_others() -> None:
    many = [inquiry("noisy", company=1, alone=True) for _ in range(500)]
    player = Player([*many, inquiry("quiet"), inquiry()])
    player.run(20)
    assert all(player.gap(i, since=3) <= 1.5 for i in player.inquiries[-2:])


def test_slow_queries_of_one_group_leave_room_for_others() -> None:
    slow = [inquiry("slow", company=1, alone=True) for _ in range(50)]
    player = Player(slow, seconds=1000.0)
    player.run(10)
    assert len(player.open) == SHARE
    player.inquiries.append(inquiry("quick"))
    player.answered[player.inquiries[-1]] = []
    player.run(2)
    assert player.open[-1][1].group == "quick"


def test_the_guilty_question_is_found_and_hurts_nobody_else() -> None:
    guilty = inquiry(text="guilty")
    player = Player([*(inquiry() for _ in range(60)), guilty], lambda text: "guilty" in text)
    player.run(120)
    assert player.told[guilty]
    assert player.answered[guilty] == []
    others = player.inquiries[:-1]
    assert not any(player.told[i] for i in others)
    assert max(player.gap(i) for i in others) <= 4
    assert max(player.gap(i, since=10) for i in others) <= 1.25
    assert len(player.told[guilty]) <= 120 / LONGEST_WAIT + 5


def test_a_question_is_asked_without_times_before_it_is_told_to_be_refused() -> None:
    odd = inquiry(text="odd")
    good = [inquiry() for _ in range(20)]
    player = Player([*good, odd], lambda text: text == "odd with times")
    player.run(60)
    assert not any(player.told.values())
    assert player.gap(odd, since=5) <= 1.25
    assert all(t == "q with times" for _, b in player.asked[-5:] for t in b.texts if t[0] == "q")


def test_after_a_while_times_are_asked_for_again() -> None:
    odd = inquiry(text="odd", untimed_until=TRUSTED_AGAIN)
    player = Player([odd])
    player.run(TRUSTED_AGAIN + 2)
    assert [b.timed for _, b in player.asked if 0 < _ < TRUSTED_AGAIN - 1][-1] is False
    assert player.asked[-1][1].timed


def test_a_backend_that_knows_no_times_is_found_out_once() -> None:
    player = Player([inquiry() for _ in range(400)], lambda text: "times" in text)
    player.run(10)
    assert not any(player.told.values())
    assert max(player.gap(i, since=6) for i in player.inquiries) <= 1.25
    assert len([b for t, b in player.asked if t > 6 and b.timed]) == 0


def test_a_backend_that_takes_short_queries_only_is_found_out() -> None:
    player = Player([inquiry(text="q" * 200) for _ in range(200)], longest=8_000)
    player.run(30)
    assert not any(player.told.values())
    assert player.server.text <= 8_000
    refused = [b for t, b in player.asked if t > 20 and b.length > 8_000]
    assert refused == []
    assert max(player.gap(i, since=20) for i in player.inquiries) <= 1.5


def test_without_an_answer_questions_stay_together() -> None:
    server = Server()
    inquiries = [inquiry() for _ in range(COMPANY)]
    (batch,) = server.batches(inquiries, 0.0)
    server.ended(batch)
    server.unanswered(batch, 0.0)
    assert {i.due for i in inquiries} == {1.0}
    for now in (1.0, 2.0, 3.0, 4.0):
        for one in server.batches([i for i in inquiries if i.due <= now], now):
            server.ended(one)
            server.unanswered(one, now)
            assert len(one.inquiries) >= LEAST_COMPANY


def test_many_doubts_without_a_culprit_shorten_queries() -> None:
    server = Server()
    for _ in range(DOUBTS):
        batch = Batch("", [inquiry(), inquiry()], ["q" * 10_000] * 2, timed=False)
        server.refused(batch, 0.0)
    assert server.text == 10_000


@pytest.mark.parametrize(
    ("evaluated", "ahead"),
    [
        (100.2, 0.0),
        (99.5, 0.0),
        (101.4, 0.0),
        (90.0, 0.0),  # An old answer, or a clock that is behind: its samples are taken for old.
        (110.0, -9.6),
    ],
)
def test_a_clock_that_goes_wrong_is_corrected(evaluated: float, ahead: float) -> None:
    assert Server().correct(evaluated, 100.0, 100.4) == pytest.approx(ahead)


def test_the_correction_stays_while_it_may_be_true() -> None:
    server = Server()
    first = server.correct(110.0, 100.0, 100.4)
    assert server.correct(110.9, 101.0, 101.5) == first
    assert server.correct(102.0, 102.0, 102.1) == pytest.approx(0.0)


def test_what_is_known_of_a_prometheus_is_forgotten() -> None:
    server = Server()
    (batch,) = server.batches([inquiry()], 0.0)
    assert not server.idle(FORGOTTEN_AFTER + 1)
    server.ended(batch)
    assert not server.idle(FORGOTTEN_AFTER - 1)
    assert server.idle(FORGOTTEN_AFTER + 1)
