"""What is counted of the serving revision's requests for its detectors of drift, block by block.

A block is asked about once it is over, and its answer is folded into the evidence that the status
keeps with the end of the last block: a crash between the two asks for the same block again, and
blocks that passed meanwhile are asked about afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from math import exp
from typing import Any, NamedTuple

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.monitoring import Detection as Terms
from evenkeel.api.monitoring import Monitoring, Risk
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
from evenkeel.monitoring.columns import GROUPS, Bin, Block, Column, GroupName, Kind, Labels
from evenkeel.monitoring.detector import Detection, FeatureState, GroupState
from evenkeel.monitoring.settings import Settings
from evenkeel.outside.meters import BLOCK, METER, BlockCounts, BlockQuestion, MeterQuestion
from evenkeel.outside.poll import Poll, Sighting
from evenkeel.rollout.probation import serving
from evenkeel.verdict.indicators import pods

RISK: GroupName = "Risk"
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
    terms = _terms(wanted)
    if known is None or (known.revision, known.terms) != (watched.revision, terms):
        until = windows.aligned(now, seconds)
        return MonitoringStatus(revision=watched.revision, terms=terms, until=until)
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
        labels = (md.metadata.name, known.revision) if wanted.risk is not None else None
        question = BlockQuestion(server, namespace, of, seconds, end, labels)
        found[BLOCK] = Poll(BLOCK, url, question, again)
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
    rows = _rows_folded(known, seen, _settings(wanted), until)
    risk = None if wanted.risk is None else _risk_folded(known, seen, wanted, until)
    return known.model_copy(update=_together(known, rows, risk) | {"until": until})


class _Folded(NamedTuple):
    """What a block has told. told: whether anything; message: what, or why nothing. fresh: whether
    the evidence began anew, for another reference."""

    told: bool
    message: str
    groups: tuple[GroupStatus, ...]
    fields: dict[str, Any]
    fresh: bool = False


def _together(known: MonitoringStatus, rows: _Folded, risk: _Folded | None) -> dict[str, Any]:
    void = not (rows.told or (risk is not None and risk.told))
    messages = [rows.message] if risk is None else [rows.message, risk.message]
    return {
        **rows.fields,
        **(risk.fields if risk is not None else {}),
        "blocks": 1 if rows.fresh else known.blocks + 1,
        "void": void + (0 if rows.fresh else known.void),
        "message": "; ".join(messages)[:512],
        "groups": (*rows.groups, *(risk.groups if risk is not None else ())),
    }


def _rows_folded(
    known: MonitoringStatus, seen: BlockCounts, settings: Settings, until: str
) -> _Folded:
    """Of values, against the profile."""
    kept = tuple(one for one in known.groups if one.name != RISK)
    if seen.void:
        return _Folded(False, _void(until, seen.void), kept, {})
    columns = _columns(seen)
    try:
        before = _resumed(known, seen, columns, settings)
        after = before.fold(Block(_rows(seen)))
    except ValueError as error:
        return _Folded(False, _void(until, str(error)), kept, {})
    fresh = known.reference is not None and known.reference.digest != seen.digest
    reference = ReferenceStatus(digest=seen.digest, rows=_reference_rows(columns))
    told = after.void == before.void
    message = (
        f"{after.blocks - after.void} blocks of {settings.block_seconds} s until {until}"
        if told
        else _void(until, f"fewer rows than minRows {settings.min_rows}")
    )
    groups = tuple(_groups(after.groups, () if fresh else kept, until))
    return _Folded(
        told, message, groups, {"reference": reference, "evidence": after.to_text()}, fresh
    )


def _risk_folded(
    known: MonitoringStatus, seen: BlockCounts, wanted: Monitoring, until: str
) -> _Folded:
    """Of labels, which need neither profile nor rows."""
    assert wanted.risk is not None
    settings = _risk_settings(wanted, wanted.risk)
    before = Detection.begun((), settings)
    with suppress(ValueError):
        before = Detection.from_text(known.risk_evidence, (), settings)
    bad, total = seen.labels or (0, 0)
    after = before.fold(Block({}, Labels(bad, total) if total else None))
    told = after.void == before.void
    message = f"{bad} of {total} labels are bad"
    if not told:
        message = f"{total} labels, fewer than minLabels {settings.min_labels}"
    groups = tuple(_groups(after.groups, known.groups, until))
    return _Folded(told, message, groups, {"risk_evidence": after.to_text()})


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
    return Drift(found, sightings.get(METER), due)


def _terms(wanted: Monitoring) -> str:
    """Changes with what is held to be drift."""
    risk = () if wanted.risk is None else (wanted.risk.model_dump_json(),)
    return digest(wanted.detection.model_dump_json(), *risk)


def _settings(wanted: Monitoring) -> Settings:
    """Of values. They and labels are judged apart, since either may be there without the other."""
    terms = wanted.detection
    return Settings(
        block_seconds=terms.block_seconds,
        false_alarms_per_year=float(terms.false_alarms_per_year),
        tolerance=float(terms.tolerance),
        min_rows=terms.min_rows,
        others=0 if wanted.risk is None else 1,
    )


def _risk_settings(wanted: Monitoring, risk: Risk) -> Settings:
    """Of labels: one group of as many as there can be."""
    return replace(
        _settings(wanted),
        max_ratio=float(risk.max_ratio),
        min_labels=risk.min_labels,
        others=len(GROUPS) - 1,
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
    number = one.label.isascii() and one.label.isdigit()
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


def _void(until: str, why: str) -> str:
    return f"the block until {until} tells nothing of values: {why}"


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
            features=tuple(_feature(f) for f in one.features),
        )


def _feature(one: FeatureState) -> FeatureStatus:
    bins = (
        BinStatus(range=b.range[:256], before=_number(b.before), now=_number(b.now))
        for b in one.bins
    )
    return FeatureStatus(
        kind="Feature" if one.kind == "feature" else "Prediction",
        name=one.name[:256],
        distance=_number(one.distance),
        bins=tuple(bins),
    )


def _number(value: float) -> str:
    return f"{value:.3g}"


def _end(known: MonitoringStatus, terms: Terms) -> int:
    return windows.end_after(known.until, terms.block_seconds)
