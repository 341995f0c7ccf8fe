"""What a place for reports consists of: what is asked there, and how the answer becomes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from evenkeel.api.trainingrun import TrainingResult, TrainingRun
from evenkeel.outside.poll import Poll

Json = Mapping[str, Any]
Named = Callable[[str, str], Json | None]
"""An object of the run's namespace by kind and name, as the operator has seen it."""

INTERVAL = 10.0
"""Seconds between two questions for a report."""


class Absent(NamedTuple):
    """There is no report, so far; words: why that is known."""

    words: str


@dataclass(frozen=True, slots=True)
class ResultSource:
    """One place. Pure.

    field: that of ResultFrom which selects it. place(run): where that is, for people. poll(run,
    named): the question; a text where it cannot be put, with the remedy. read(run, answer): raises
    InvalidResult. variables: names of what the trainer is given; given(run): those with their
    values.
    """

    field: str
    place: Callable[[TrainingRun], str]
    poll: Callable[[TrainingRun, Named], Poll | str]
    read: Callable[[TrainingRun, Any], TrainingResult | Absent]
    variables: tuple[str, ...] = ()
    given: Callable[[TrainingRun], Mapping[str, str]] = lambda run: {}
