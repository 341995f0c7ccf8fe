"""The processes of a tally as the status keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from evenkeel.api.modeldeploymentstatus import ProcessCount
from evenkeel.verdict.process import Offset, Point, Process

CANARY, STABLE = "canary", "stable"
_LEFT = "left:"
PROCESSES = 512
"""Processes of both sides together that can be kept: a status has to fit into etcd."""


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


def left_out_of(counts: Iterable[ProcessCount]) -> dict[str, int]:
    """What processes that were missing for long had counted, by side and key."""
    return {c.key.removeprefix(_LEFT): c.total for c in counts if c.key.startswith(_LEFT)}


def with_left_out(
    counts: tuple[ProcessCount, ...], left_out: Mapping[str, int]
) -> tuple[ProcessCount, ...]:
    """With the last of those, as many as there is room for: one that is not known when it comes
    back is taken for new, and all that it has counted for evidence."""
    room = max(0, PROCESSES - len(counts))
    last = list(left_out.items())[max(0, len(left_out) - room) :]
    left = (ProcessCount(key=_LEFT + key, millis=0, total=n, bad=0) for key, n in last)
    return (*counts, *left)


def restored(count: ProcessCount) -> Process:
    """The process as it was when the last block ended."""
    return Process(
        cut=Point(count.millis / 1000, count.total, count.bad),
        offset=Offset(count.total_offset, count.bad_offset),
        started=None if count.started_millis is None else count.started_millis / 1000,
        counted=count.counted,
    )
