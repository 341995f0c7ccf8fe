"""The processes of a tally as the status keeps them."""

from __future__ import annotations

from collections.abc import Iterable

from evenkeel.api.modeldeploymentstatus import ProcessCount
from evenkeel.verdict.process import Offset, Point, Process

CANARY, STABLE = "canary", "stable"


def of_side(counts: Iterable[ProcessCount], side: str) -> dict[str, Process]:
    """A side's processes, by their keys."""
    prefix = f"{side}:"
    return {c.key.removeprefix(prefix): restored(c) for c in counts if c.key.startswith(prefix)}


def count_of(key: str, process: Process) -> ProcessCount:
    """What the status keeps of it: no more than is needed to go on."""
    cut, offset = process.cut, process.offset
    return ProcessCount(
        key=key,
        millis=round(cut.time * 1000),
        total=cut.total,
        bad=cut.bad,
        total_offset=offset.total,
        bad_offset=offset.bad,
        started_millis=None if process.started is None else round(process.started * 1000),
        counted=process.counted,
    )


def restored(count: ProcessCount) -> Process:
    """The process as it was when the last block ended."""
    return Process(
        cut=Point(count.millis / 1000, count.total, count.bad),
        offset=Offset(count.total_offset, count.bad_offset),
        started=None if count.started_millis is None else count.started_millis / 1000,
        counted=count.counted,
    )
