"""What a model is asked day by day, made up: with and without drift, for bench.monitoring.

A scene has numeric features, a categorical one of ten categories, a prediction of two classes, and
labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from math import pi
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from evenkeel.monitoring.columns import Bin, Block, Column, Labels
from scipy.special import ndtr, ndtri

Array = npt.NDArray[np.float64]
Random = np.random.Generator
Values = Callable[[Random, int, int], Array]
"""So many independent rows of so many features."""
Levels = Callable[[Random], Iterator[float]]
"""By how much all features are off, day by day."""

BINS = 10
MISSING, UNSEEN = 0.01, 0.0
CATEGORIES = tuple([0.1] * 10)
LIMIT, BAD = 0.2, 0.15
LABELS = 200


def normal(random: Random, rows: int, features: int) -> Array:
    return random.standard_normal((rows, features))


def in_the_day(random: Random, rows: int, features: int) -> Array:
    """The mean goes up and down by one and a half standard deviations, and traffic with it."""
    hours = random.random(rows)
    hours = np.where(random.random(rows) < 0.5, hours, hours**2)
    found: Array = random.standard_normal((rows, features)) + 1.5 * np.sin(2 * pi * hours)[:, None]
    return found


def alike(random: Random, rows: int, features: int) -> Array:
    """Features whose correlation is 0.9."""
    common = random.standard_normal((rows, 1))
    found: Array = 0.9**0.5 * common + 0.1**0.5 * random.standard_normal((rows, features))
    return found


def tied(random: Random, rows: int, features: int) -> Array:
    """Seven of ten are 0, the rest a few numbers."""
    values = np.maximum(0, random.standard_normal((rows, features)) - 0.5)
    found: Array = np.ceil(2 * values) / 2
    return found


def steady(random: Random) -> Iterator[float]:
    while True:
        yield 0.0


def always(level: float, random: Random) -> Iterator[float]:
    while True:
        yield level


def wandering(deviation: float, most: float, random: Random) -> Iterator[float]:
    """An autoregression over days (0.95), cut off."""
    state = random.normal()
    while True:
        yield float(np.clip(deviation * state, -most, most))
        state = 0.95 * state + (1 - 0.95**2) ** 0.5 * random.normal()


def every(days: int, level: float, random: Random) -> Iterator[float]:
    """One day in so many is quite another, never two in a row."""
    while True:
        yield from [0.0] * (days - 1)
        yield level


def odd_days(chance: float, level: float, random: Random) -> Iterator[float]:
    """Now and then a day is quite another, whatever the day before was."""
    while True:
        yield level if random.random() < chance else 0.0


class Change(NamedTuple):
    """What is otherwise: the first `features` are shifted by so many standard deviations, and
    missing so often. within: days in which nine of ten are to be found, by the last of the
    sizes."""

    name: str
    shift: float = 0.0
    features: int = 0
    categories: tuple[float, ...] = CATEGORIES
    missing: float = MISSING
    unseen: float = UNSEEN
    bad: float = BAD
    within: tuple[int, ...] = ()


NONE = Change("none")


@dataclass(frozen=True)
class Scene:
    """covered: whether the claim is about it. burst: rows of one client that are all alike, of
    which the meter counts one if spaced. exact: the reference is known exactly. years: how many
    times as many are simulated as of others."""

    name: str
    covered: bool = True
    features: int = 5
    rows: int = 1000
    reference: int = 10_000
    burst: int = 1
    spaced: bool = False
    exact: bool = False
    bad: float = BAD
    years: int = 1
    values: Values = normal
    levels: Levels = field(default=steady)

    def days(self, random: Random, change: Change = NONE, after: int = 0) -> Iterator[Day]:
        """One after the other, without end; changed after so many."""
        for number, level in enumerate(self.levels(random)):
            yield self._day(random, level, change if number >= after else NONE)

    def counted(
        self, profile: Profile, random: Random, change: Change = NONE, after: int = 0
    ) -> Iterator[tuple[Counts, Labels]]:
        """What the meter counts of such days; where values are normal, without drawing each."""
        once = replace(self, rows=self.rows // self.burst, burst=1)
        for number, level in enumerate(self.levels(random)):
            now = change if number >= after else NONE
            if self.values is normal:
                counts, labels = once._normal(profile.edges, random, level, now)
            else:
                day = once._day(random, level, now)
                counts, labels = binned(profile.edges, day), day.labels
            yield counts.times(1 if self.spaced else self.burst), labels

    def _normal(
        self, edges: list[Array], random: Random, level: float, change: Change
    ) -> tuple[Counts, Labels]:
        features, missing = [], []
        for at, own in enumerate(edges):
            moved = at < change.features
            gone = int(random.binomial(self.rows, change.missing if moved else MISSING))
            below = ndtr(own - level - change.shift * moved)
            chances = np.diff(below, prepend=0.0, append=1.0)
            features.append(tuple(random.multinomial(self.rows - gone, chances).tolist()))
            missing.append(gone)
        day = replace(self, features=0)._day(random, level, change)
        rest = binned([], day)
        return rest._replace(features=tuple(features), missing=tuple(missing)), day.labels

    def _day(self, random: Random, level: float, change: Change) -> Day:
        rows, times = self.rows // self.burst, 1 if self.spaced else self.burst
        values = self.values(random, rows, self.features) + level
        values[:, : change.features] += change.shift
        chances = [
            change.missing if at < change.features else MISSING for at in range(self.features)
        ]
        missing = random.binomial(rows, chances)
        there = [np.repeat(values[gone:, at], times) for at, gone in enumerate(missing)]
        parts = [*((1 - change.unseen) * np.array(change.categories)), change.unseen]
        return Day(
            there,
            missing * times,
            random.multinomial(rows, parts) * times,
            random.multinomial(rows, (0.3, 0.7)) * times,
            Labels(
                int(random.binomial(LABELS, self.bad if change is NONE else change.bad)), LABELS
            ),
        )

    def profile(self, random: Random) -> Profile:
        """Of a sample, with the edges of its tenths."""
        if self.exact:
            edges = ndtri(np.arange(1, BINS) / BINS)
            tenths = (self.reference // BINS,) * BINS
            day = replace(self, rows=100)._day(random, 0.0, NONE)
            part = self.reference // 100
            counts = Counts((tenths,) * self.features, (part,) * self.features,
                            (*[10 * part] * 10, 0), (30 * part, 70 * part))  # fmt: skip
            return Profile([edges] * self.features, counts, day)
        sample = replace(self, rows=self.reference, burst=1)._day(random, 0.0, NONE)
        edges = [tenths_of(values) for values in sample.values]
        return Profile(edges, binned(edges, sample), sample)


class Day(NamedTuple):
    """values: of each feature, without those that are missing."""

    values: list[Array]
    missing: npt.NDArray[np.int64]
    categories: npt.NDArray[np.int64]
    predictions: npt.NDArray[np.int64]
    labels: Labels


class Counts(NamedTuple):
    """Rows by feature and bin; missing ones by feature; categories, the unseen last; classes."""

    features: tuple[tuple[int, ...], ...]
    missing: tuple[int, ...]
    categories: tuple[int, ...]
    predictions: tuple[int, ...]

    def times(self, number: int) -> Counts:
        """Each row so often."""
        if number == 1:
            return self

        def each(rows: tuple[int, ...]) -> tuple[int, ...]:
            return tuple([number * count for count in rows])

        features = tuple([each(rows) for rows in self.features])
        return Counts(features, each(self.missing), each(self.categories), each(self.predictions))


class Profile(NamedTuple):
    edges: list[Array]
    counts: Counts
    sample: Day

    @property
    def columns(self) -> list[Column]:
        """As the detectors get them."""
        counts = self.counts
        found = [
            Column("feature", f"f{at}", (*_bins(rows), Bin("missing", "", gone)))
            for at, (rows, gone) in enumerate(zip(counts.features, counts.missing, strict=True))
        ]
        *known, unseen = counts.categories
        found.append(Column("feature", "c", (*_bins(known), Bin("other", "", unseen))))
        return [*found, Column("prediction", "p", tuple(_bins(counts.predictions)))]


def _bins(rows: list[int] | tuple[int, ...]) -> list[Bin]:
    return [Bin(str(at), str(at), count) for at, count in enumerate(rows)]


def tenths_of(values: Array) -> Array:
    """Edges of the bins; where many are equal, there are fewer."""
    edges = np.unique(np.quantile(values, np.arange(1, BINS) / BINS, method="lower"))
    inner: Array = edges[edges < values.max()]
    return inner


def binned(edges: list[Array], day: Day) -> Counts:
    """As the meter counts: bin i holds what is above edge i - 1, and not above edge i."""
    features = tuple(
        tuple(np.bincount(np.searchsorted(e, v, side="left"), minlength=len(e) + 1).tolist())
        for e, v in zip(edges, day.values, strict=True)
    )
    return Counts(
        features,
        tuple(day.missing.tolist()),
        tuple(day.categories.tolist()),
        tuple(day.predictions.tolist()),
    )


_LABEL = [str(at) for at in range(64)]


def block(counts: Counts, labels: Labels) -> Block:
    """As the detectors get it."""
    *known, unseen = counts.categories
    rows: dict[tuple[str, str], dict[str, int]] = {
        ("feature", f"f{at}"): {**dict(zip(_LABEL, bins, strict=False)), "missing": gone}
        for at, (bins, gone) in enumerate(zip(counts.features, counts.missing, strict=True))
    }
    rows["feature", "c"] = {**dict(zip(_LABEL, known, strict=False)), "other": unseen}
    rows["prediction", "p"] = dict(zip(_LABEL, counts.predictions, strict=False))
    return Block(rows, labels)  # type: ignore[arg-type]
