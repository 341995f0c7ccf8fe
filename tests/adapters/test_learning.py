"""A reference is read out of metrics whole and as it was told, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable

import pytest
from evenkeel.adapters.answer import Sample
from evenkeel.adapters.learning import learning
from evenkeel.outside.meters import Learning


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class Meters:
    """What Prometheus has of them. texts: parts by the digest that is told of them."""

    def __init__(self, ratio: float | None, **texts: tuple[str, ...]) -> None:
        self.ratio, self.texts = ratio, texts
        self.sizes: dict[str, float] = {of: len(parts) for of, parts in texts.items()}
        self.asked: list[str] = []

    def ask(self) -> Callable[[str], Awaitable[tuple[Sample, ...]]]:
        async def asked(query: str) -> tuple[Sample, ...]:
            self.asked.append(query)
            if "learning_ratio" in query:
                return () if self.ratio is None else (Sample({}, self.ratio),)
            if "by (digest)" in query:
                return tuple(Sample({"digest": of}, size) for of, size in self.sizes.items())
            of = query.rpartition('digest="')[2][:12]
            parts = enumerate(self.texts[of])
            found = [Sample({"part": f"{n:04d}", "text": text}, 1) for n, text in parts]
            return tuple(reversed(found))

        return asked


@pytest.mark.parametrize(
    ("ratio", "percent"), [(0.0, 0), (0.099, 0), (0.45, 40), (1.0, 100), (7.0, 100), (-1.0, 0)]
)
async def test_it_is_told_how_far_it_is_in_tens_of_percent(ratio: float, percent: int) -> None:
    assert await learning(Meters(ratio).ask(), "x", ()) == Learning(percent)


async def test_meters_that_do_not_learn_say_nothing() -> None:
    assert await learning(Meters(None).ask(), "x", ()) is None


async def test_parts_are_put_together_in_their_order() -> None:
    meters = Meters(1.0, **{digest("abc"): ("a", "b", "c")})
    assert await learning(meters.ask(), 'pod="p"', ()) == Learning(100, "abc")
    assert all('pod="p"' in query for query in meters.asked)


@pytest.mark.parametrize("size", [2.0, 4.0, 0.0, float("nan"), 1e9])
async def test_of_parts_that_are_not_all_nothing_is_made(size: float) -> None:
    meters = Meters(0.95, **{digest("abc"): ("a", "b", "c")})
    meters.sizes[digest("abc")] = size
    assert await learning(meters.ask(), "x", ()) == Learning(90)


async def test_a_text_of_another_digest_is_none() -> None:
    meters = Meters(1.0, **{digest("abc"): ("a", "b", "d")})
    assert await learning(meters.ask(), "x", ()) == Learning(100)


@pytest.mark.parametrize("used", ["abc", "xyz"])
async def test_what_pods_use_is_taken_again(used: str) -> None:
    texts = {digest("abc"): ("abc",), digest("xyz"): ("xyz",)}
    found = await learning(Meters(None, **texts).ask(), "x", (digest(used),))
    assert found == Learning(100, used)


async def test_a_digest_that_is_none_reaches_no_query() -> None:
    meters = Meters(1.0, **{'"} or vector(1)': ("a",)})
    assert await learning(meters.ask(), "x", ()) == Learning(100)
    assert len(meters.asked) == 2
