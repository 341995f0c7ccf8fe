"""Asks a Prometheus what the meters of a revision have counted.

A block is evaluated at its end, so that it can be asked late and again. A profile may have 17,000
bins with names of 256 bytes, more than one answer may hold: it is asked first how many there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from math import ceil, floor, isfinite

from evenkeel.adapters.access import Access
from evenkeel.adapters.answer import PrometheusError, Sample
from evenkeel.adapters.learning import learning
from evenkeel.adapters.prometheus import Prometheus
from evenkeel.adapters.windows import source_error, whole
from evenkeel.adapters.words import one_line
from evenkeel.outside.meters import (
    BlockCounts,
    BlockQuestion,
    Cell,
    Learning,
    MeterQuestion,
    MeterSeen,
)

MOST_CELLS = 512
"""Bins of all features that are asked for together. Name and range of one may have 256 bytes each,
and an answer of a server that nobody vouches for 512 KiB."""
LABEL = re.compile("missing|other|[0-9]{1,2}")
"""Labels of bins."""
MOST_ROWS = 1e15
EXACT = 1e-6
"""By how much sums of labels may be off that are meant to be whole numbers."""
KNOWN = 7 * 86400
"""Seconds before a block in which what a process had counted until then is looked for."""
WORDS = 200
"""Characters of a range, and of why a profile is not used."""


class Meters:
    """Asks by the connections to Prometheus servers."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus

    async def seen(self, question: MeterQuestion, access: Access, last: object) -> MeterSeen:
        """How they count now. Raises SourceError."""
        of = _selector(question)
        try:
            profiles = await self._profiles(f"evenkeel_model_profile_info{{{of}}}", access, None)
            bodies = await self._ask(
                f"sum by (result) (increase(evenkeel_model_bodies_total{{{of}}}[1h]))", access, None
            )
            # One that does not use it is what a person must see.
            none = [("", "", "", "")]
            chosen = min(profiles or none, key=lambda one: (one[0] == "Used", one))
            state, digest, why, source = chosen
            learned: Learning | None = None
            if state == "Absent":
                used = {one[1] for one in profiles if one[0] == "Used"}
                learned = await learning(lambda query: self._ask(query, access, None), of, used)
        except PrometheusError as error:
            raise source_error(error) from None
        grown = {one.labels.get("result", ""): one.value for one in bodies}
        counted = grown.get("counted", 0.0) > 0
        return MeterSeen(state, digest, why, counted, uncounted(grown), source, learned)

    async def block(self, question: BlockQuestion, access: Access, last: object) -> BlockCounts:
        """The counts of a block. Raises SourceError."""
        try:
            rows = await self._rows(question, access)
            labels = await self._labels(question, access)
        except PrometheusError as error:
            raise source_error(error) from None
        return replace(rows, labels=labels)

    async def _rows(self, question: BlockQuestion, access: Access) -> BlockCounts:
        of, end = _selector(question), question.end
        # Over the block, as what it counted: at its end no pod may run any more.
        over = f"[{question.seconds}s]"
        shown = f"last_over_time(evenkeel_model_profile_info{{{of}}}{over})"
        profiles = await self._profiles(shown, access, end)
        if (void := _void(profiles)) or not profiles:
            return BlockCounts(end, void=void)
        reference: list[Sample] = []
        rows: list[Sample] = []
        cells = await self._ask(_cells(of, over), access, end)
        for group in groups({one.labels.get("bin", ""): one.value for one in cells}):
            bins = f'{of},bin=~"{group}"'
            reference += await self._ask(_reference(bins, over), access, end)
            rows += await self._ask(
                f"sum by (kind, name, bin) (increase(evenkeel_model_values_total{{{bins}}}{over}))",
                access,
                end,
            )
        found = _counts(question, profiles[0][1], reference, rows)
        return replace(found, source=profiles[0][3])

    async def _labels(self, question: BlockQuestion, access: Access) -> tuple[int, int] | None:
        """What each process of the server has counted at the end of the block beyond what it had
        at its beginning: exact, where `increase` would leave out a series' first value.

        Whatever else Prometheus calls a process, such as by another job, it has counted once.
        """
        if question.labels is None:
            return None
        deployment, revision = question.labels
        of = (
            f'evenkeel_labels_total{{namespace="{question.namespace}",'
            f'deployment="{deployment}",revision="{revision}",slice=""}}'
        )
        each = "max by (process, result)"
        now = f"{each} (max_over_time({of}[{question.seconds}s]))"
        before = f"{each} (max_over_time({of}[{KNOWN}s] offset {question.seconds}s))"
        query = f"sum by (result) ({now} - ({before} or 0 * {now}))"
        grown = await self._ask(query, access, question.end)
        counts = {one.labels.get("result", ""): one.value for one in grown}
        bad, good = counts.get("bad", 0.0), counts.get("good", 0.0)
        if not (isfinite(bad + good) and min(bad, good) >= 0 and bad + good <= MOST_ROWS):
            return None
        total = ceil(bad + good - EXACT)
        return (min(total, floor(bad + EXACT)), total) if total else None

    async def _profiles(self, info: str, access: Access, at: int | None) -> list[Shown]:
        query = f"max by (state, digest, why, source) ({info})"
        found = [one.labels for one in await self._ask(query, access, at)]
        texts = [tuple(one_line(o.get(k, ""), WORDS) for k in _PROFILE) for o in found]
        return sorted((state, digest, why, source) for state, digest, why, source in texts)

    async def _ask(self, query: str, access: Access, at: int | None) -> tuple[Sample, ...]:
        return await whole(self._prometheus, access, query, at)


_PROFILE = ("state", "digest", "why", "source")
_UNCOUNTED = ("mismatched", "too_large", "unknown", "unreadable", "skipped")
Shown = tuple[str, str, str, str]


def _selector(question: MeterQuestion | BlockQuestion) -> str:
    return f'namespace="{question.namespace}",pod=~"{question.pods}"'


def uncounted(bodies: Mapping[str, float]) -> str:
    """What keeps values from being counted, if that dominates; bodies: how many, by result.

    With spacing most bodies are skipped though all is well. One that does not fit the profile is
    found out when a row is due only, the others at each body.
    """
    counted, mismatched = bodies.get("counted", 0.0), bodies.get("mismatched", 0.0)
    found = {one: bodies.get(one, 0.0) for one in _UNCOUNTED}
    most = max(found, key=lambda one: found[one])
    if not counted:
        return most if found[most] > 0 else ""
    if mismatched > counted:
        return "mismatched"
    return most if most != "skipped" and found[most] > sum(bodies.values()) / 2 else ""


def _cells(of: str, over: str) -> str:
    """How many features and predictions have each bin, counted ones that no reference has too."""
    either = " or ".join(
        f"last_over_time(evenkeel_model_{one}{{{of}}}{over})"
        for one in ("reference_values", "values_total")
    )
    return f"count by (bin) (max by (kind, name, bin) ({either}))"


def _reference(of: str, over: str) -> str:
    known = f"last_over_time(evenkeel_model_reference_values{{{of}}}{over})"
    return f"max by (kind, name, bin, range) ({known})"


def groups(cells: Mapping[str, float]) -> Iterator[str]:
    """Regular expressions for labels of bins, as many as may be asked for together.

    cells: by label how many features and predictions have the bin.
    """
    group: list[str] = []
    size = 0.0
    for label, number in sorted(cells.items()):
        if not LABEL.fullmatch(label):
            continue
        if group and size + number > MOST_CELLS:
            yield "|".join(group)
            group, size = [], 0.0
        group.append(label)
        size += number
    if group:
        yield "|".join(group)


def _void(profiles: list[Shown]) -> str:
    if not profiles:
        return "no meter was scraped"
    digests = {digest for _, digest, _, _ in profiles}
    unused = next((one for one in profiles if one[0] != "Used"), None)
    if unused is not None:
        return f"the profile was {unused[0].lower()}: {unused[2]}".removesuffix(": ")
    return "pods had different profiles" if len(digests) > 1 else ""


def _counts(
    question: BlockQuestion, digest: str, reference: Iterable[Sample], rows: Iterable[Sample]
) -> BlockCounts:
    known, counted = {_cell(one): one for one in reference}, {_cell(one): one for one in rows}
    values = [one.value for one in (*known.values(), *counted.values())]
    if not all(isfinite(value) and 0 <= value <= MOST_ROWS for value in values):
        return BlockCounts(question.end, void="a count of the meters is none")
    return BlockCounts(
        question.end,
        digest,
        tuple(
            (cell, one_line(one.labels.get("range", ""), WORDS), round(one.value))
            for cell, one in sorted(known.items())
        ),
        tuple((cell, round(one.value)) for cell, one in sorted(counted.items())),
    )


def _cell(one: Sample) -> Cell:
    return (one.labels.get("kind", ""), one.labels.get("name", ""), one.labels.get("bin", ""))
