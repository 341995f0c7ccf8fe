"""What the detectors remember of all blocks, and its text in the status.

Whole numbers only, so that a restart that reads them back resumes the very same evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from evenkeel.monitoring.columns import GROUPS, GroupName
from evenkeel.monitoring.evidence import MOST_REMEMBERED, Memory
from evenkeel.verdict.decay import FRACTIONS
from evenkeel.verdict.decay import from_text as wealth_from
from evenkeel.verdict.decay import to_text as wealth_text
from evenkeel.verdict.eprocess import HIGHEST, LOWEST, Wealth

FORMAT = "1"
MOST_BLOCKS = 10**12


class Statistic(NamedTuple):
    """Of one histogram. held: the statistic's logarithm in millionths of a nat, rounded down."""

    held: int
    memory: Memory


class State(NamedTuple):
    """blocks: all that were folded; void: those of them that told nothing."""

    blocks: int
    void: int
    drifted: frozenset[GroupName]
    risk: Wealth
    statistics: tuple[Statistic, ...]


def begun(bins: tuple[int, ...]) -> State:
    """Of no block. bins: of each histogram."""
    empty = tuple([Statistic(LOWEST, (0,) * number) for number in bins])
    return State(0, 0, frozenset(), FRACTIONS.unopened, empty)


def to_text(state: State, belongs_to: str) -> str:
    """Of 100,000 characters at most."""
    drifted = ",".join([name for name in GROUPS if name in state.drifted])
    each = [" ".join(map(str, (one.held, *one.memory))) for one in state.statistics]
    head = (FORMAT, belongs_to, str(state.blocks), str(state.void), drifted)
    return ";".join((*head, wealth_text(state.risk), *each))


def from_text(text: str, belongs_to: str, bins: tuple[int, ...]) -> State:
    """What `to_text` wrote. Raises ValueError for anything else, and for what belongs elsewhere."""
    parts = text.split(";")
    if parts[:2] != [FORMAT, belongs_to]:
        raise ValueError("kept evidence is of another format, reference or tolerance")
    if len(parts) != 6 + len(bins):
        raise ValueError(f"kept evidence is damaged: {text[:100]!r}")
    _, _, blocks, void, drifted, wealth, *each = parts
    names = drifted.split(",") if drifted else []
    state = State(
        int(blocks),
        int(void),
        frozenset([name for name in GROUPS if name in names]),
        wealth_from(wealth),
        tuple(_statistics(each, bins)),
    )
    if not 0 <= state.void <= state.blocks <= MOST_BLOCKS or len(state.drifted) != len(names):
        raise ValueError(f"kept evidence is damaged: {text[:100]!r}")
    return state


def _statistics(each: list[str], bins: tuple[int, ...]) -> Iterator[Statistic]:
    for text, number in zip(each, bins, strict=True):
        held, *memory = [int(part) for part in text.split(" ")]
        if (
            len(memory) != number
            or not LOWEST <= held <= HIGHEST
            or min(memory) < 0
            or sum(memory) > MOST_REMEMBERED
        ):
            raise ValueError(f"kept evidence is damaged: {text[:100]!r}")
        yield Statistic(held, tuple(memory))
