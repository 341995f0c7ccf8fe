"""Asks a Prometheus what the meters of a revision have counted.

A block is evaluated at its end, so that it can be asked late and again. A profile may have 17,000
bins, more than one answer may hold: they are asked for by tens, as far as there are some.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import isfinite

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

TENS = ("missing|other|[0-9]", *(f"{ten}[0-9]" for ten in range(1, 7)))
MOST_ROWS = 1e15
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
        counted, mismatched = grown.get("counted", 0.0), grown.get("mismatched", 0.0)
        return MeterSeen(state, digest, why, counted > 0, mismatched > counted, source, learned)

    async def block(self, question: BlockQuestion, access: Access, last: object) -> BlockCounts:
        """The counts of a block. Raises SourceError."""
        of, end = _selector(question), question.end
        try:
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
                    "sum by (kind, name, bin) "
                    f"(increase(evenkeel_model_values_total{{{bins}}}{over}))",
                    access,
                    end,
                )
        except PrometheusError as error:
            raise source_error(error) from None
        return replace(_counts(question, profiles[0][1], reference, rows), source=profiles[0][3])

    async def _profiles(self, info: str, access: Access, at: int | None) -> list[Shown]:
        query = f"max by (state, digest, why, source) ({info})"
        found = [one.labels for one in await self._ask(query, access, at)]
        texts = [tuple(one_line(o.get(k, ""), WORDS) for k in _PROFILE) for o in found]
        return sorted((state, digest, why, source) for state, digest, why, source in texts)

    async def _ask(self, query: str, access: Access, at: int | None) -> tuple[Sample, ...]:
        return await whole(self._prometheus, access, query, at)


_PROFILE = ("state", "digest", "why", "source")
Shown = tuple[str, str, str, str]


def _selector(question: MeterQuestion | BlockQuestion) -> str:
    return f'namespace="{question.namespace}",pod=~"{question.pods}"'


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
