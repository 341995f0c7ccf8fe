"""Asks a Prometheus what the meters of a revision have counted.

A block is evaluated at its end, so that it can be asked late and again. A profile may have 17,000
bins, more than one answer may hold: they are asked for by tens, as far as there are some.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import ceil, floor, isfinite

from evenkeel.adapters.access import Access
from evenkeel.adapters.answer import PrometheusError, Sample
from evenkeel.adapters.prometheus import Prometheus
from evenkeel.adapters.windows import source_error, whole
from evenkeel.adapters.words import one_line
from evenkeel.outside.meters import (
    BlockCounts,
    BlockQuestion,
    Cell,
    MeterQuestion,
    MeterSeen,
)

TENS = ("missing|other|[0-9]", *(f"{ten}[0-9]" for ten in range(1, 7)))
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
        except PrometheusError as error:
            raise source_error(error) from None
        grown = {one.labels.get("result", ""): one.value for one in bodies}
        counted, mismatched = grown.get("counted", 0.0), grown.get("mismatched", 0.0)
        # One that does not use it is what a person must see.
        none = [("", "", "")]
        state, digest, why = min(profiles or none, key=lambda one: (one[0] == "Used", one))
        return MeterSeen(state, digest, why, counted > 0, mismatched > counted)

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
        for ten in TENS:
            bins = f'{of},bin=~"{ten}"'
            known = await self._ask(
                "max by (kind, name, bin, range) "
                f"(last_over_time(evenkeel_model_reference_values{{{bins}}}{over}))",
                access,
                end,
            )
            if not known:
                break
            reference += known
            rows += await self._ask(
                f"sum by (kind, name, bin) (increase(evenkeel_model_values_total{{{bins}}}{over}))",
                access,
                end,
            )
        return _counts(question, profiles[0][1], reference, rows)

    async def _labels(self, question: BlockQuestion, access: Access) -> tuple[int, int] | None:
        """What each process of the server has counted at the end of the block beyond what it had
        at its beginning: exact, where `increase` would leave out a series' first value."""
        if question.labels is None:
            return None
        deployment, revision = question.labels
        of = (
            f'evenkeel_labels_total{{namespace="{question.namespace}",'
            f'deployment="{deployment}",revision="{revision}",slice=""}}'
        )
        now = f"max_over_time({of}[{question.seconds}s])"
        before = f"max_over_time({of}[{KNOWN}s] offset {question.seconds}s)"
        query = f"sum by (result) ({now} - ({before} or 0 * {now}))"
        grown = await self._ask(query, access, question.end)
        counts = {one.labels.get("result", ""): one.value for one in grown}
        bad, good = counts.get("bad", 0.0), counts.get("good", 0.0)
        if not (isfinite(bad + good) and min(bad, good) >= 0 and bad + good <= MOST_ROWS):
            return None
        total = ceil(bad + good - EXACT)
        return (min(total, floor(bad + EXACT)), total) if total else None

    async def _profiles(
        self, info: str, access: Access, at: int | None
    ) -> list[tuple[str, str, str]]:
        query = f"max by (state, digest, why) ({info})"
        found = [one.labels for one in await self._ask(query, access, at)]
        texts = [tuple(one_line(o.get(k, ""), WORDS) for k in _PROFILE) for o in found]
        return sorted((state, digest, why) for state, digest, why in texts)

    async def _ask(self, query: str, access: Access, at: int | None) -> tuple[Sample, ...]:
        return await whole(self._prometheus, access, query, at)


_PROFILE = ("state", "digest", "why")


def _selector(question: MeterQuestion | BlockQuestion) -> str:
    return f'namespace="{question.namespace}",pod=~"{question.pods}"'


def _void(profiles: list[tuple[str, str, str]]) -> str:
    if not profiles:
        return "no meter was scraped"
    digests = {digest for _, digest, _ in profiles}
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
