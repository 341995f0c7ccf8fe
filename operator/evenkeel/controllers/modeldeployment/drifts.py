"""What is counted of the serving revision's requests for its detectors of drift, block by block.

A block is asked about once it is over, and its answer is folded into the evidence that the status
keeps with the end of the last block: a crash between the two asks for the same block again, and
blocks that passed meanwhile are asked about afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from math import exp

from evenkeel.adapters.words import one_line
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.monitoring import Detection as Terms
from evenkeel.api.monitoringstatus import (
    BinStatus,
    FeatureStatus,
    GroupStatus,
    MonitoringStatus,
    ReferenceStatus,
)
from evenkeel.api.prometheus import Prometheus
from evenkeel.controllers import windows
from evenkeel.controllers.modeldeployment.drift import Drift
from evenkeel.meta.names import digest
from evenkeel.monitoring.columns import Bin, Block, Column, Kind
from evenkeel.monitoring.detector import Detection, FeatureState, GroupState
from evenkeel.monitoring.settings import Settings
from evenkeel.outside.meters import BLOCK, METER, BlockCounts, BlockQuestion, MeterQuestion
from evenkeel.outside.poll import Poll, Sighting
from evenkeel.rollout.probation import serving
from evenkeel.verdict.indicators import pods

AGAIN = 60
"""Seconds from one question to the next, or a block if that is shorter."""


def begun(md: ModelDeployment, now: datetime) -> MonitoringStatus | None:
    """The evidence on the revision that serves: as the status has it, or anew.

    None without a meter.
    """
    wanted, known = md.spec.monitoring, md.status.monitoring
    watched = serving(md.status.stable, md.status.canary)
    if wanted is None or watched is None or not watched.meter:
        return None
    seconds = wanted.detection.block_seconds
    terms = digest(wanted.detection.model_dump_json())
    if known is None or (known.revision, known.terms) != (watched.revision, terms):
        until = windows.aligned(now, seconds)
        return MonitoringStatus(revision=watched.revision, terms=terms, until=until)
    if windows.ahead(known.until, seconds, now):
        until = windows.aligned(now, seconds)
        return MonitoringStatus(revision=known.revision, terms=known.terms, until=until)
    missed = windows.too_old(known.until, seconds, now)
    if not missed:
        return known
    until = windows.later(known.until, missed, seconds)
    counts = {"blocks": known.blocks + missed, "void": known.void + missed}
    return known.model_copy(update={"until": until, **counts})


def polls(md: ModelDeployment, known: MonitoringStatus | None, now: datetime) -> dict[str, Poll]:
    """How the meters count, and what they counted in the block that is next, if it is over."""
    wanted = md.spec.monitoring
    if wanted is None or known is None or md.metadata.deletion_timestamp is not None:
        return {}
    server = md.spec.analysis.prometheus if md.spec.analysis is not None else Prometheus()
    namespace, of, url = md.metadata.namespace, pods(known.revision), server.url or ""
    end, seconds = _end(known, wanted.detection), wanted.detection.block_seconds
    again = min(AGAIN, seconds)
    found = {METER: Poll(METER, url, MeterQuestion(server, namespace, of), again)}
    if end + windows.lag(seconds) <= now.timestamp():
        found[BLOCK] = Poll(BLOCK, url, BlockQuestion(server, namespace, of, seconds, end), again)
    return found


def folded(
    md: ModelDeployment, known: MonitoringStatus, sightings: Mapping[str, Sighting[object]]
) -> MonitoringStatus:
    """The evidence with the block that was answered, if one was."""
    wanted = md.spec.monitoring
    seen = sightings[BLOCK].answer if BLOCK in sightings else None
    if wanted is None or not isinstance(seen, BlockCounts):
        return known
    if seen.end != _end(known, wanted.detection):
        return known
    until = windows.time_text(seen.end)
    if seen.void:
        return _void(known, until, seen.void)
    settings, columns = _settings(wanted.detection), _columns(seen)
    try:
        before = _resumed(known, seen, columns, settings)
        after = before.fold(Block(_rows(seen)))
    except ValueError as error:
        return _void(known, until, str(error))
    fresh = known.reference is not None and known.reference.digest != seen.digest
    lost = ""
    if known.evidence and not fresh and not before.blocks:
        lost = "; what was kept of earlier blocks cannot be read, so the evidence began anew"
    return known.model_copy(
        update={
            "reference": ReferenceStatus(
                digest=seen.digest,
                rows=_reference_rows(columns),
                source="Learned" if seen.source == "learned" else "Profile",
            ),
            "until": until,
            "blocks": 1 if fresh else known.blocks + 1,
            "void": after.void - before.void + (0 if fresh else known.void),
            "message": _told(before, after, until, settings) + lost,
            "groups": tuple(_groups(after.groups, () if fresh else known.groups, until)),
            "evidence": after.to_text(),
        }
    )


def observed(
    md: ModelDeployment,
    known: MonitoringStatus | None,
    sightings: Mapping[str, Sighting[object]],
    now: datetime,
) -> Drift:
    """What is known with what the polls have brought."""
    wanted = md.spec.monitoring
    if wanted is None or known is None:
        return Drift()
    found = folded(md, known, sightings)
    end = _end(found, wanted.detection)
    left = end + windows.lag(wanted.detection.block_seconds) - now.timestamp()
    # A block that is being asked about calls by itself.
    due = max(left, 1.0) if left > 0 or found != known else None
    return Drift(found, _meters(sightings), due)


def _meters(sightings: Mapping[str, Sighting[object]]) -> Sighting[object] | None:
    """How they count; where Prometheus fails to tell of a block alone, that it does."""
    block, meters = sightings.get(BLOCK), sightings.get(METER)
    return block if block is not None and block.failure is not None else meters


def _settings(terms: Terms) -> Settings:
    return Settings(
        block_seconds=terms.block_seconds,
        false_alarms_per_year=float(terms.false_alarms_per_year),
        tolerance=float(terms.tolerance),
        min_rows=terms.min_rows,
    )


def _resumed(
    known: MonitoringStatus, seen: BlockCounts, columns: tuple[Column, ...], settings: Settings
) -> Detection:
    """The detectors as the status keeps them; anew for another profile. Raises ValueError."""
    if known.reference is not None and known.reference.digest == seen.digest and known.evidence:
        try:
            return Detection.from_text(known.evidence, columns, settings)
        except ValueError:
            pass  # Damaged, or of another version of the operator.
    return Detection.begun(columns, settings)


def _columns(seen: BlockCounts) -> tuple[Column, ...]:
    bins: dict[tuple[Kind, str], list[Bin]] = {}
    for (kind, name, label), reads, rows in seen.reference:
        known = _kind(kind)
        if known is not None:
            bins.setdefault((known, name), []).append(Bin(label, reads, rows))
    return tuple(Column(*key, tuple(sorted(found, key=_place))) for key, found in bins.items())


def _place(one: Bin) -> tuple[bool, int, str]:
    number = one.label.isascii() and one.label.isdigit() and len(one.label) < 10
    return (not number, int(one.label) if number else 0, one.label)


def _kind(text: str) -> Kind | None:
    return "feature" if text == "feature" else "prediction" if text == "prediction" else None


def _rows(seen: BlockCounts) -> dict[tuple[Kind, str], dict[str, int]]:
    found: dict[tuple[Kind, str], dict[str, int]] = {}
    for (kind, name, label), rows in seen.rows:
        if (known := _kind(kind)) is not None:
            found.setdefault((known, name), {})[label] = rows
    return found


def _reference_rows(columns: Iterable[Column]) -> int:
    return max((sum(one.rows for one in column.bins) for column in columns), default=0)


def _void(known: MonitoringStatus, until: str, why: str) -> MonitoringStatus:
    message = f"the block until {until} tells nothing: {why}"[:512]
    counts = {"blocks": known.blocks + 1, "void": known.void + 1}
    return known.model_copy(update={"until": until, "message": message, **counts})


def _told(before: Detection, after: Detection, until: str, settings: Settings) -> str:
    if after.void > before.void:
        return f"the block until {until} tells nothing: fewer rows than minRows {settings.min_rows}"
    return f"{after.blocks - after.void} blocks of {settings.block_seconds} s until {until}"


def _groups(
    groups: Iterable[GroupState], before: Iterable[GroupStatus], until: str
) -> Iterable[GroupStatus]:
    since = {one.name: one.drifted_since for one in before}
    for one in groups:
        yield GroupStatus(
            name=one.name,
            statistic=_number(exp(min(one.log_statistic, 700))),
            threshold=_number(exp(min(one.log_threshold, 700))),
            drifted_since=(since.get(one.name) or until) if one.drifted else None,
            # What is within tolerance has no part in a drift that people are told of.
            features=tuple(
                _feature(f) for f in one.features if not one.drifted or f.log_statistic > 0
            ),
        )


def _feature(one: FeatureState) -> FeatureStatus:
    bins = (
        BinStatus(range=b.range[:256], before=_number(b.before), now=_number(b.now))
        for b in one.bins
    )
    return FeatureStatus(
        kind="Feature" if one.kind == "feature" else "Prediction",
        name=one_line(one.name, 256),
        distance=_number(one.distance),
        bins=tuple(bins),
    )


def _number(value: float) -> str:
    return f"{value:.3g}"


def _end(known: MonitoringStatus, terms: Terms) -> int:
    return windows.end_after(known.until, terms.block_seconds)
