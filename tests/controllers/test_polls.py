"""Questions to outside systems beside the reconciles, with systems and a clock of the test's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from evenkeel.adapters.access import Access
from evenkeel.adapters.source import AccessDenied, NotFound, Unavailable
from evenkeel.controllers.polls import polls as module
from evenkeel.controllers.polls.pacing import AT_ONCE, DOUBTFUL, LONGEST_PAUSE
from evenkeel.controllers.polls.polls import TICK, Polled, Polls
from evenkeel.meta.objects import Key
from evenkeel.outside.poll import Poll, Sighting

START = datetime(2026, 1, 31, 9, tzinfo=UTC)
ELEC, FRAUD = Key("RetrainSchedule", "ml", "elec"), Key("RetrainSchedule", "ml", "fraud")


def poll(host: str = "git.example", question: str = "main", interval: float = 60.0) -> Poll:
    return Poll("git", f"https://{host}/repo", question, interval)


class World:
    """Systems that answer what a test says, by host; also the clock.

    answers: an exception is raised, a callable is called.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, Any]] = []
        self.times: list[float] = []
        self.queued: list[Key] = []
        self.happened = asyncio.Event()
        self.gone: set[Key] = set()
        self.access: Callable[[str, Poll], Access] = lambda namespace, poll: Access(
            poll.url, authorization="Bearer hush-hush"
        )
        self.polls = Polls(
            Polled(
                {"git": self.ask},
                self.reach,
                lambda key: key not in self.gone,
                self.queue,
                clock=lambda: self.now,
                wall=lambda: START + timedelta(seconds=self.now),
                chance=lambda: 0.5,
            )
        )

    def queue(self, key: Key) -> None:
        self.queued.append(key)
        self.happened.set()

    async def reach(self, namespace: str, poll: Poll) -> Access:
        return self.access(namespace, poll)

    async def ask(self, question: Any, access: Access, last: Any) -> Any:
        host = access.url.split("/")[2]
        self.asked.append((host, last))
        self.times.append(self.now)
        self.happened.set()
        answer = self.answers.get(host, "r1")
        if callable(answer):
            answer = answer()
        if asyncio.iscoroutine(answer) or isinstance(answer, asyncio.Future):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def run(self, seconds: float = TICK) -> None:
        for _ in range(round(seconds / TICK)):
            self.polls.tick()
            for _ in range(10):
                await asyncio.sleep(0)
            self.now += TICK

    def seen(self, key: Key = ELEC, one: Poll | None = None) -> Sighting[object]:
        return self.polls.want(key, {"data": one or poll()})["data"]


@pytest.fixture
async def world() -> World:
    return World()


async def test_nothing_is_known_at_first_and_the_first_answer_is_told(world: World) -> None:
    assert world.seen() == Sighting()
    await world.run()
    assert world.queued == [ELEC]
    assert world.seen() == Sighting("r1", START, START)


async def test_the_same_answer_is_told_once_and_another_again(world: World) -> None:
    world.seen()
    await world.run(200)
    assert (world.queued, world.asked) == (
        [ELEC],
        [
            ("git.example", None),
            ("git.example", "r1"),
            ("git.example", "r1"),
            ("git.example", "r1"),
        ],
    )
    world.answers["git.example"] = "r2"
    await world.run(60)
    assert world.queued == [ELEC, ELEC]
    seen = world.seen()
    assert (seen.answer, seen.since, seen.asked) == ("r2", seen.asked, seen.asked)
    assert seen.since is not None
    assert seen.since > START


async def test_several_objects_ask_the_same_once_and_are_all_told(world: World) -> None:
    world.seen(ELEC)
    world.seen(FRAUD)
    world.seen(Key("RetrainSchedule", "other", "elec"))
    await world.run()
    assert len(world.asked) == 2, "another namespace may be shown something else"
    assert len(world.queued) == 3


async def test_a_failure_is_told_when_it_begins_changes_and_ends(world: World) -> None:
    world.seen()
    await world.run()
    world.answers["git.example"] = Unavailable("no route")
    await world.run(62)
    assert world.queued == [ELEC, ELEC]
    seen = world.seen()
    assert seen.failure is not None
    began = seen.failure.since
    assert (seen.answer, seen.failure.reason, seen.failure.message) == (
        "r1",
        "SourceUnavailable",
        "no route",
    )
    await world.run(600)
    assert len(world.queued) == 2
    world.answers["git.example"] = NotFound("no such branch")
    await world.run(700)
    assert len(world.queued) == 3
    failure = world.seen().failure
    assert failure is not None
    assert (failure.reason, failure.since) == ("SourceNotFound", began)
    world.answers["git.example"] = "r1"
    await world.run(LONGEST_PAUSE + 10)
    assert len(world.queued) == 4
    assert world.seen().failure is None
    assert world.seen().since == START, "it is the answer of the beginning"


async def test_what_fails_is_asked_less_and_less(world: World) -> None:
    world.answers["git.example"] = Unavailable("down")
    world.seen()
    await world.run(3600)
    assert world.times == [0, 120, 360, 840, 1440, 2040, 2640, 3240]


async def test_a_system_that_hangs_has_a_deadline(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DEADLINE", 0.01)
    world.answers["git.example"] = lambda: asyncio.sleep(3600)
    world.seen()
    world.polls.tick()
    while not world.queued:
        world.happened.clear()
        await world.happened.wait()
    failure = world.seen().failure
    assert failure is not None
    assert failure.reason == "SourceUnavailable"
    assert "https://git.example/repo gave no whole answer in 0.01 s" in failure.message


async def test_systems_that_hang_delay_no_other(world: World) -> None:
    for i in range(AT_ONCE - DOUBTFUL):
        world.seen(Key("RetrainSchedule", f"m{i}", "s"), poll(f"fine{i}"))
    await world.run()
    for i in range(300):
        world.answers[f"hung{i}"] = lambda: asyncio.get_running_loop().create_future()
        world.seen(Key("RetrainSchedule", f"n{i}", "s"), poll(f"hung{i}"))
    await world.run(59)
    hung = [host for host, _ in world.asked if host.startswith("hung")]
    assert len(hung) == DOUBTFUL
    world.asked.clear()
    await world.run(1.5)
    assert {host for host, _ in world.asked} == {f"fine{i}" for i in range(AT_ONCE - DOUBTFUL)}


async def test_objects_that_are_gone_or_ask_no_more_are_forgotten(world: World) -> None:
    gate: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    world.answers["git.example"] = gate
    world.seen(ELEC)
    world.seen(FRAUD)
    await world.run()
    world.gone.add(ELEC)
    await world.run()
    assert not gate.cancelled()
    world.polls.want(FRAUD, {})
    await world.run()
    assert gate.cancelled(), "nobody waits for it any more"
    assert world.polls._inquiries == world.polls._tasks == world.polls._wanted == {}
    await world.run(300)
    assert len(world.asked) == 1
    assert world.queued == []


async def test_a_hint_has_matching_questions_asked_at_once(world: World) -> None:
    world.seen(ELEC, poll("a"))
    world.seen(FRAUD, poll("b"))
    await world.run(10)
    assert world.polls.hint(lambda namespace, one: "//a/" in one.url and namespace == "ml") == 1
    await world.run()
    assert [host for host, _ in world.asked] == ["a", "b", "a"]


async def test_credentials_are_not_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.answers["git.example"] = AccessDenied("you sent Bearer hush-hush\nand more")
    world.seen()
    await world.run()
    failure = world.seen().failure
    assert failure is not None
    assert failure.message == "you sent *** and more"
    world.answers["git.example"] = RuntimeError("unforeseen, with hush-hush")
    with caplog.at_level(logging.DEBUG):
        await world.run(130)
    failure = world.seen().failure
    assert failure is not None
    assert "operator's log" in failure.message
    assert "RuntimeError" in caplog.text
    assert "hush" not in caplog.text


async def test_a_secret_that_cannot_be_read_is_a_failure_and_nothing_is_sent(
    world: World,
) -> None:
    def denied(namespace: str, one: Poll) -> Access:
        raise AccessDenied("grant it")

    world.access = denied
    world.seen()
    await world.run()
    failure = world.seen().failure
    assert failure is not None
    assert (failure.reason, failure.message) == ("SourceAccessDenied", "grant it")
    assert world.asked == []


async def test_the_runner_asks_and_ends_with_what_is_in_hand(world: World) -> None:
    gate: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    world.answers["git.example"] = gate
    runner = asyncio.create_task(world.polls.run())
    world.seen()
    await world.happened.wait()
    runner.cancel()
    await asyncio.gather(runner, return_exceptions=True)
    await asyncio.sleep(0)
    assert gate.cancelled()


LAST = poll("git.example", "end it")


def parts(world: World, parting: Poll | None = LAST) -> None:
    """The object is gone, and had this to ask."""
    world.polls.want(ELEC, {"data": poll()}, parting=parting)
    world.gone.add(ELEC)


async def test_what_an_object_last_asks_is_asked_once_it_is_gone(world: World) -> None:
    world.polls.want(ELEC, {"data": poll()}, parting=LAST)
    await world.run()
    assert len(world.asked) == 1, "not while it is there"
    world.gone.add(ELEC)
    await world.run(300)
    assert [last for _, last in world.asked] == [None, None], "answered, it is not asked again"
    assert not world.polls._inquiries


async def test_it_is_asked_again_until_it_is_answered_or_an_hour_is_over(world: World) -> None:
    world.answers["git.example"] = Unavailable("down")
    parts(world)
    await world.run(600)
    assert len(world.asked) > 2
    world.answers["git.example"] = "ended"
    await world.run(module.PARTING)
    asked = len(world.asked)
    await world.run(module.PARTING)
    assert len(world.asked) == asked

    world.answers["git.example"] = Unavailable("down")
    world.gone.clear()
    parts(world)
    await world.run(module.PARTING)
    asked = len(world.asked)
    await world.run(module.PARTING)
    assert len(world.asked) == asked
    assert not world.polls._inquiries


async def test_an_object_that_has_nothing_more_to_ask_asks_nothing_when_it_goes(
    world: World,
) -> None:
    world.polls.want(ELEC, {"data": poll()}, parting=LAST)
    parts(world, None)
    await world.run(60)
    assert world.asked == []


async def test_who_asks_only_when_it_is_gone_is_noticed_too(world: World) -> None:
    world.polls.want(ELEC, {}, parting=LAST)
    world.gone.add(ELEC)
    await world.run()
    assert len(world.asked) == 1
