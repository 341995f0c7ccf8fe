"""The drift that the demonstration shows is in the data: no matter when its blocks begin."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import yaml
from evenkeel.monitoring.columns import Bin, Block, Column
from evenkeel.monitoring.detector import Detection
from evenkeel.monitoring.settings import Settings
from numpy.typing import NDArray

from demo.data.elec2 import MARKET_CHANGE, RECORDS_PER_DAY, RECORDS_PER_WEEK, Elec2
from demo.observations import WIDENED
from demo.trainer.model import Classifier, reference, train
from demo.trainer.window import Window, window
from dev.paths import MANIFESTS

PHASES = 8
RECORDS = 6000
"""Half-hours that are replayed here: more than the demonstration sees of the stream."""
LATER = 12
"""Blocks in which the new version has to fit its own profile: three minutes."""


def _manifest(file: str) -> dict[str, Any]:
    spec: dict[str, Any] = next(yaml.safe_load_all((MANIFESTS / file).read_text()))["spec"]
    return spec


MONITORING = _manifest("model.yaml")["monitoring"]
CONTAINER = _manifest("traffic.yaml")["template"]["spec"]["containers"][0]
TRAFFIC = {e["name"]: e["value"] for e in CONTAINER["env"]}
FIRST = _manifest("first.yaml")["training"]["parameters"]
NEXT = _manifest("schedule.yaml")["training"]["parameters"]
RATE, SECONDS = float(TRAFFIC["RATE"]), MONITORING["detection"]["blockSeconds"]


class Watched:
    """A version with its profile, and the detectors that hold the stream against it."""

    def __init__(self, data: Elec2, span: Window) -> None:
        self._data = data
        self._model: Classifier = train(data, span, "")
        self._profile = json.loads(reference(self._model, data, span, "").text())
        detection = MONITORING["detection"]
        settings = Settings(
            block_seconds=SECONDS,
            tolerance=float(detection["tolerance"]),
            min_rows=detection["minRows"],
            max_ratio=float(MONITORING["risk"]["maxRatio"]),
        )
        columns = [
            Column(kind, one["name"], (*_bins(one), Bin("missing", "", 0)))
            for kind, one, _ in self._parts([])
        ]
        self.begun = Detection.begun(columns, settings)

    def block(self, records: list[int]) -> Block:
        """What the meter counts of requests about those records."""
        rows = {
            (kind, one["name"]): _counts(one, values) for kind, one, values in self._parts(records)
        }
        return Block(rows)

    def wrong(self, records: slice) -> float:
        """Share of wrong predictions."""
        said = self._model.predict(self._data.features[records])
        return float((said != self._data.up[records]).mean())

    def _parts(self, records: list[int]) -> Iterator[Any]:
        rows = self._data.features[records]
        for one in self._profile["features"]:
            yield "feature", one, rows[:, one["column"]]
        said = self._model.predict(rows) if records else np.empty(0)
        yield "prediction", self._profile["predictions"][0], said


def _bins(one: dict[str, Any]) -> tuple[Bin, ...]:
    return tuple(Bin(str(n), "", count) for n, count in enumerate(one["counts"]))


def _counts(one: dict[str, Any], values: NDArray[Any]) -> dict[str, int]:
    """Rows by bin: the lower edge is open, and the class 0 is the first category."""
    places = np.searchsorted(one["edges"], values) if "edges" in one else values
    labels, counts = np.unique(places.astype(int), return_counts=True)
    return {str(label): int(count) for label, count in zip(labels, counts, strict=True)}


def _blocks(phase: float) -> Iterator[tuple[float, list[int]]]:
    """Blocks by their end, in seconds since the replay began, with the records that count."""
    begin, busy, clients = (int(TRAFFIC[k]) for k in ("START", "BUSY_FROM", "CLIENTS"))
    asked = [
        record
        for record in range(begin, begin + RECORDS)
        for _ in range(clients if record >= busy else 1)
    ]
    spacing = int(np.ceil(MONITORING["spacingMilliseconds"] / 1000 * RATE))
    counted = asked[::spacing]
    end = phase
    while end * RATE < len(asked):
        first, last = (int(max(0.0, t) * RATE / spacing) for t in (end - SECONDS, end))
        yield end, counted[first:last]
        end += SECONDS


@pytest.fixture(scope="module")
def first(data: Elec2) -> Watched:
    until, span = int(FIRST["DATA_UNTIL"]), int(FIRST["DATA_WINDOW"])
    return Watched(data, window(until, span, RECORDS_PER_WEEK, len(data)))


@pytest.mark.parametrize("number", range(PHASES))
def test_the_market_change_alone_is_found_and_the_next_version_fits(
    data: Elec2, first: Watched, number: int
) -> None:
    blocks = list(_blocks((number + 0.5) * SECONDS / PHASES))
    changed = (MARKET_CHANGE - int(TRAFFIC["START"])) / RATE
    detection, found, quiet = first.begun, 0.0, 0
    for end, records in blocks:
        detection = detection.fold(first.block(records))
        drifted = {g.name: g for g in detection.groups if g.drifted}
        if drifted:
            found = end
            break
        quiet += end <= changed and detection.void < detection.blocks
    assert quiet >= 1, "a block before the change told something, and no drift"
    assert set(drifted) == {"Data"}
    assert {f.name for f in drifted["Data"].features} == set(WIDENED)
    assert changed + SECONDS < found <= changed + 3 * SECONDS

    # It is asked as long after its end as a block is, and the labels are a day late.
    labelled = _record(int(RATE * (found + SECONDS))) - RECORDS_PER_DAY
    new = Watched(data, window(labelled, int(NEXT["DATA_WINDOW"]), RECORDS_PER_WEEK, len(data)))
    held_out = slice(labelled - RECORDS_PER_WEEK, labelled)
    assert new.wrong(held_out) <= first.wrong(held_out), "the gate compares with the champion"
    detection = new.begun
    after = [records for end, records in blocks if end > found + 3 * SECONDS][:LATER]
    assert len(after) == LATER
    for records in after:
        detection = detection.fold(new.block(records))
        assert not [g.name for g in detection.groups if g.drifted]


def _record(requests: int) -> int:
    """The record that is asked about after so many requests."""
    begin, busy, clients = (int(TRAFFIC[k]) for k in ("START", "BUSY_FROM", "CLIENTS"))
    fast = busy - begin
    return begin + min(requests, fast) + max(0, requests - fast) // clients
