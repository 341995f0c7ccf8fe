"""What the helper for trainers writes, the operator reads; what one refuses, so does the other."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evenkeel.api import uri
from evenkeel.trainer import InvalidReport, report, report_text
from evenkeel.trainer.addresses import FAULTS
from evenkeel.training.result import MESSAGE_BYTES, InvalidResult, parse_result
from hypothesis import given, settings
from hypothesis import strategies as st

URI = "s3://models/elec/7"
LIMITLESS = 10**9
NIGHT = {"samples": 800, "metrics": {"accuracy": 0.9}}

names = st.text(max_size=130) | st.sampled_from(["accuracy", "night", "\ud800"])
numbers = st.floats() | st.integers() | st.sampled_from([10**28, 10**29, -(10**29), 1e29, True])
metrics = st.dictionaries(names, numbers, max_size=3) | st.just({f"m{i}": i for i in range(65)})
slices = st.dictionaries(
    names, st.fixed_dictionaries({"samples": numbers, "metrics": metrics}), max_size=3
)
addresses = st.text(max_size=20) | st.tuples(
    st.sampled_from(["s3://b/", "pvc://c/", "file:///", "oci://r/", "http://", "runs:/"]),
    st.text(st.sampled_from("a/.: \n")),
).map("".join)
revisions = st.text(max_size=260)
digests = st.none() | st.sampled_from(["", "sha256:" + "0" * 64, "sha256:0", "0" * 64 + "\n"])


def refusal(**given: Any) -> str:
    with pytest.raises(InvalidReport) as refused:
        report_text(**{"uri": URI, "format": "sklearn", **given})
    return str(refused.value)


@settings(deadline=None, max_examples=300)
@given(
    address=addresses,
    format=names,
    version=st.none() | names,
    metrics=metrics,
    slices=slices,
    digest=digests,
    data=revisions,
    code=revisions,
)
def test_both_take_the_same(
    address: str,
    format: str,
    version: str | None,
    metrics: Any,
    slices: Any,
    digest: str | None,
    data: str,
    code: str,
) -> None:
    plain = {
        "uri": address,
        "format": {"name": format, "version": version},
        "metrics": metrics,
        "slices": [{"name": name, **part} for name, part in slices.items()],
        "digest": digest,
        "dataRevision": data,
        "codeRevision": code,
    }
    if version is None:
        del plain["format"]["version"]  # type: ignore[index]
    try:
        expected = parse_result(json.dumps(plain))
    except InvalidResult:
        expected = None
    try:
        written = report_text(
            address,
            format,
            format_version=version,
            metrics=metrics,
            slices=slices,
            digest=digest,
            data_revision=data,
            code_revision=code,
            max_bytes=LIMITLESS,
        )
    except InvalidReport:
        assert expected is None
    else:
        assert parse_result(written) == expected


def test_addresses_are_judged_by_the_operators_own_rules() -> None:
    assert [tuple(fault) for fault in FAULTS] == [tuple(fault) for fault in uri._FAULTS]


def test_numbers_of_other_libraries_are_numbers() -> None:
    given = {
        "double": np.float64(0.25),
        "single": np.float32(0.5),
        "count": np.int64(7),
        "array": np.array(0.125),
        "fraction": Fraction(1, 4),
        "decimal": Decimal("0.75"),
    }
    found = {m.name: m.value for m in parse_result(report_text(URI, "x", metrics=given)).metrics}
    assert found == {
        "double": "0.25",
        "single": "0.5",
        "count": "7",
        "array": "0.125",
        "fraction": "0.25",
        "decimal": "0.75",
    }


def test_a_count_may_be_a_whole_float() -> None:
    text = report_text(URI, "x", slices={"night": {"samples": np.float64(245.0)}})
    assert parse_result(text).slices[0].samples == 245


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"uri": "/models/elec"}, "uri '/models/elec' cannot be served: uri must begin with pvc"),
        ({"uri": None}, "uri must be the address of the artefact"),
        ({"format": {"name": "x"}}, "format must be a text of 1 to 63 characters"),
        ({"digest": "0" * 64}, "must be sha256: and 64 hexadecimal digits"),
        ({"metrics": {"auc": float("nan")}}, "metrics['auc'] is nan, which no gate can judge"),
        ({"metrics": {"auc": -float("inf")}}, "metrics['auc'] is -inf"),
        ({"metrics": {"auc": 1e300}}, "metrics['auc'] is too large"),
        ({"metrics": {"auc": 10**6000}}, "metrics['auc'] is too large"),
        ({"metrics": {"auc": "0.9"}}, "metrics['auc'] must be a number, not '0.9'"),
        ({"metrics": {"auc": True}}, "metrics['auc'] must be a number, not True"),
        ({"metrics": {"auc": np.array([1.0, 2.0])}}, "metrics['auc'] must be a number"),
        ({"metrics": [("auc", 1)]}, "metrics must map names to numbers"),
        ({"metrics": {"": 1}}, "metrics must be a text of 1 to 128 characters"),
        ({"metrics": {f"m{i}": i for i in range(65)}}, "metrics has 65 metrics, 64 at most"),
        ({"slices": [NIGHT]}, "slices must map names to samples and metrics"),
        ({"slices": {"night": 0.9}}, "slices['night'] must have samples and metrics"),
        ({"slices": {"night": {"accuracy": 0.9}}}, "samples and metrics, not 'accuracy'"),
        ({"slices": {"night": {"samples": 0.5}}}, "slices['night'].samples must be a whole"),
        ({"slices": {"night": {"samples": -1}}}, "slices['night'].samples must be a whole"),
        ({"slices": {f"s{i}": NIGHT for i in range(65)}}, "65 slices, 64 at most: choose"),
        ({"slices": {"night": NIGHT}, "only": ["day"]}, "no slice 'day' among night"),
        ({"data_revision": "x" * 254}, "data_revision must be a text of 0 to 253 characters"),
        ({"code_revision": "\udc80"}, "code_revision has half a character"),
    ],
)
def test_what_is_refused_names_its_cause(given: Any, words: str) -> None:
    assert words in refusal(**given)


def test_what_the_kubelet_would_cut_is_refused_and_slices_are_chosen_by_name() -> None:
    many = {f"district-{i:03}-größer": NIGHT for i in range(64)}
    told = refusal(slices=many)
    assert "bytes and may have 4096: report fewer slices (only=)" in told
    chosen = ["district-007-größer", "district-001-größer"]
    found = parse_result(report_text(URI, "x", slices=many, only=chosen))
    assert [part.name for part in found.slices] == chosen
    more = {f"s{i}": NIGHT for i in range(100)}
    assert parse_result(report_text(URI, "x", slices=more, only=["s99"])).slices[0].name == "s99"


def test_exactly_what_the_kubelet_keeps_may_be_reported() -> None:
    padded = {f"m{i:02}".ljust(120, "x"): 0 for i in range(32)}
    room = MESSAGE_BYTES - len(report_text(URI, "x", metrics=padded, code_revision="x")) + 1
    assert 0 < room < 253
    text = report_text(URI, "x", metrics=padded, code_revision="x" * room)
    assert len(text) == MESSAGE_BYTES
    assert "4097 bytes" in refusal(format="x", metrics=padded, code_revision="x" * (room + 1))


def test_it_is_written_whole_and_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "result.json"
    target.write_text("x" * 9000)
    monkeypatch.setenv("EVENKEEL_RESULT", str(target))
    written = report(URI, "sklearn", metrics={"accuracy": 0.93})
    assert target.read_text() == written
    assert os.listdir(tmp_path) == ["result.json"]
    with pytest.raises(InvalidReport):
        report(URI, "sklearn", metrics={"accuracy": float("nan")})
    assert target.read_text() == written


def test_what_cannot_be_replaced_is_written_in_place(tmp_path: Path) -> None:
    """As /dev/termination-log, which is mounted; here a link, which a replacement would lose."""
    real = tmp_path / "mounted"
    real.write_text("x" * 9000)
    link = tmp_path / "termination-log"
    link.symlink_to(real)
    written = report(URI, "sklearn", path=link)
    assert link.is_symlink()
    assert real.read_text() == written


def test_a_report_that_is_read_elsewhere_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "termination-log"
    log.touch()
    monkeypatch.delenv("EVENKEEL_RESULT", raising=False)
    monkeypatch.setattr("evenkeel.trainer.result.TERMINATION_LOG", str(log))
    report(URI, "sklearn")
    monkeypatch.setenv("EVENKEEL_RESULT_URI", "s3://runs/elec-1a/report.json")
    with pytest.raises(InvalidReport, match="is read at s3://runs/elec-1a"):
        report(URI, "sklearn")
    assert report(URI, "sklearn", path=tmp_path / "report.json")


def test_outside_a_pod_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVENKEEL_RESULT", raising=False)
    monkeypatch.setattr("evenkeel.trainer.result.TERMINATION_LOG", "/nowhere/termination-log")
    with pytest.raises(InvalidReport, match="set EVENKEEL_RESULT to the file to write"):
        report(URI, "sklearn")
