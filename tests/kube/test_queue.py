"""The work queue: nothing twice at once, nothing lost, nothing early."""

from __future__ import annotations

import asyncio
import time

from evenkeel.kube.queue import TURN, Priority, WorkQueue
from evenkeel.meta.objects import Key
from hypothesis import given
from hypothesis import strategies as st


def key(name: str) -> Key:
    return Key("Widget", "shop", name)


A, B, C = key("a"), key("b"), key("c")


async def got(queue: WorkQueue, seconds: float = 0.5) -> str | None:
    """Name of the next key; None if none comes in time."""
    try:
        async with asyncio.timeout(seconds):
            return (await queue.get()).name
    except TimeoutError:
        return None


async def test_duplicates_are_one() -> None:
    queue = WorkQueue()
    for _ in range(3):
        queue.add(A)
    queue.add(A, Priority.RESYNC)
    assert queue.depth() == 1
    assert await got(queue) == "a"
    assert await got(queue, 0.02) is None


async def test_by_priority_and_each_in_order_of_arrival() -> None:
    queue = WorkQueue()
    for one in (A, B):
        queue.add(one, Priority.RESYNC)
    queue.add(C)
    queue.add(B)
    queue.add(key("d"), Priority.FIRST)
    queue.add(C, Priority.RESYNC)
    assert [await got(queue) for _ in range(4)] == ["d", "c", "b", "a"]


async def test_no_flood_keeps_what_is_calm_waiting_for_ever() -> None:
    queue = WorkQueue()
    queue.add(A, Priority.RESYNC)
    queue.add(B, Priority.CHANGE)
    for n in range(100):
        queue.add(key(f"new-{n}"), Priority.FIRST)
    taken = [await got(queue) for _ in range(TURN)]
    assert {"a", "b"} < set(taken)


async def test_no_progress_while_keys_wait_is_a_stall_and_their_age_is_not() -> None:
    queue = WorkQueue()
    assert queue.stalled_seconds() == 0
    for one in (A, B, C):
        queue.add(one)
    queue._progress = queue._ready[Priority.CHANGE][C] = time.monotonic() - 100
    assert queue.stalled_seconds() >= 100
    queue.done(await queue.get())
    assert queue.stalled_seconds() < 50
    assert queue.oldest_seconds() >= 100
    queue._working[await queue.get()] = time.monotonic() - 200
    assert queue.stalled_seconds() >= 200, "one that hangs, although others go on"


async def test_key_added_while_worked_on_comes_again_afterwards_and_not_before() -> None:
    queue = WorkQueue()
    queue.add(A)
    assert await got(queue) == "a"
    queue.add(A)
    queue.add(A)
    assert await got(queue, 0.02) is None
    queue.done(A)
    assert await got(queue) == "a"
    queue.done(A)
    assert await got(queue, 0.02) is None


async def test_delay_is_kept_and_the_earlier_of_two_counts() -> None:
    queue = WorkQueue()
    started = time.monotonic()
    queue.add_after(A, 5)
    queue.add_after(A, 0.05)
    queue.add_after(A, 3)
    assert await got(queue, 1) == "a"
    assert time.monotonic() - started >= 0.05


async def test_waiting_worker_hears_of_an_earlier_delay() -> None:
    queue = WorkQueue()
    queue.add_after(A, 5)
    waiting = asyncio.create_task(got(queue, 1))
    await asyncio.sleep(0.01)
    queue.add_after(B, 0.02)
    assert await waiting == "b"


async def test_change_makes_a_later_look_needless() -> None:
    queue = WorkQueue()
    queue.add_after(A, 0.05)
    queue.add(A)
    assert await got(queue) == "a"
    queue.done(A)
    assert await got(queue, 0.1) is None, "its plan says itself when to look again"


async def test_memory_of_voided_delays_is_bounded() -> None:
    """A schedule whose next time is a year away is woken by thousands of alerts before."""
    queue = WorkQueue()
    for _ in range(5000):
        queue.add_after(A, 3600)
        queue.add(A)
        await queue.get()
        queue.done(A)
    assert len(queue._delayed) < 200


async def test_age_of_the_oldest() -> None:
    queue = WorkQueue()
    assert queue.oldest_seconds() == 0
    queue.add(A)
    await asyncio.sleep(0.03)
    queue.add(B)
    assert queue.oldest_seconds() >= 0.03
    assert await got(queue) == "a"
    assert queue.oldest_seconds() < 0.03
    await asyncio.sleep(0.03)
    assert queue.oldest_seconds() >= 0.03, "a key worked on for long counts"


@given(
    st.lists(
        st.tuples(st.sampled_from([A, B, C]), st.sampled_from([None, 0.0, 0.001])), max_size=40
    ),
    st.integers(1, 4),
)
def test_each_change_is_worked_on_after_it_happened(
    changes: list[tuple[Key, float | None]], workers: int
) -> None:
    """Whatever order of adds, delays and workers: no key twice at once, the last change is seen."""

    async def play() -> None:
        queue = WorkQueue()
        now: dict[Key, int] = {}
        seen: dict[Key, int] = {}
        busy: set[Key] = set()

        async def work() -> None:
            while True:
                taken = await queue.get()
                assert taken not in busy
                busy.add(taken)
                at_start = now[taken]
                await asyncio.sleep(0)
                seen[taken] = at_start
                busy.discard(taken)
                queue.done(taken)

        tasks = [asyncio.create_task(work()) for _ in range(workers)]
        for number, (changed, delay) in enumerate(changes):
            now[changed] = number
            if delay is None:
                queue.add(changed)
            else:
                queue.add_after(changed, delay)
            if number % 3 == 0:
                await asyncio.sleep(0)
        async with asyncio.timeout(2):
            while seen != now:  # noqa: ASYNC110 - there is nothing to be told by
                await asyncio.sleep(0.001)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(r, asyncio.CancelledError) for r in results)

    asyncio.run(play())


async def test_a_drained_queue_hands_out_nothing_and_waits_for_what_is_in_hand() -> None:
    queue = WorkQueue()
    queue.add(Key("K", "n", "a"))
    queue.add(Key("K", "n", "b"))
    first = await queue.get()
    assert not await queue.drained(0.01), "a reconcile is in hand"
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    draining = asyncio.create_task(queue.drained(5))
    await asyncio.sleep(0)
    queue.done(first)
    assert await draining
    waiting.cancel()
