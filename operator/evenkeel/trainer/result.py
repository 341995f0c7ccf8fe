"""A trainer's report: checked here, while somebody can still act, not after the training is lost.

The operator refuses what it cannot judge, and the kubelet cuts a termination message without a
word. Nothing is left out silently: what does not fit raises InvalidReport.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from evenkeel.trainer.addresses import address_problem

TERMINATION_LOG = "/dev/termination-log"
MESSAGE_BYTES = 4096
"""The kubelet cuts a termination message here."""
OBJECT_BYTES = 65536
"""What the operator reads of a report in an object store (resultFrom.object)."""
METRICS, SLICES = 64, 64
"""At most: of the model and of each slice; of the model."""
NAME, REVISION, URI = 128, 253, 2048
"""Characters at most."""

Metrics = Mapping[str, Any]
Slices = Mapping[str, Mapping[str, Any]]


class InvalidReport(ValueError):
    """The report cannot be used; the message says why and what to do."""


def report(uri: str, format: str, *, path: str | Path | None = None, **more: Any) -> str:
    """Reports what the training made, and returns the text. Call it last, once `uri` is complete.

    path: where to; EVENKEEL_RESULT, or else the termination message. more: as of `report_text`.
    Raises InvalidReport for what cannot be used, and OSError.
    """
    text = report_text(uri, format, **more)
    _write(_target(path), text.encode())
    return text


def _target(path: str | Path | None) -> Path:
    named = path or os.environ.get("EVENKEEL_RESULT")
    if named:
        return Path(named)
    if elsewhere := os.environ.get("EVENKEEL_RESULT_URI"):
        raise InvalidReport(
            f"the report of this run is read at {elsewhere}, not as termination message: put there "
            "what report_text(..., max_bytes=OBJECT_BYTES) gives"
        )
    if not Path(TERMINATION_LOG).exists():
        raise InvalidReport(
            f"{TERMINATION_LOG} does not exist outside a pod, or where the container has another "
            "terminationMessagePath: set EVENKEEL_RESULT to the file to write"
        )
    return Path(TERMINATION_LOG)


def report_text(
    uri: str,
    format: str,
    *,
    format_version: str | None = None,
    metrics: Metrics | None = None,
    slices: Slices | None = None,
    only: Iterable[str] | None = None,
    digest: str | None = None,
    data_revision: str = "",
    code_revision: str = "",
    max_bytes: int = MESSAGE_BYTES,
) -> str:
    """The report as the operator reads it. Raises InvalidReport.

    metrics: name -> number. slices: name -> {"samples": whole number, "metrics": {name: number}}.
    only: the slices to report, such as those that gates name; all if it is None.
    max_bytes: OBJECT_BYTES for reports that are no termination message.
    """
    if not isinstance(uri, str) or not uri:
        raise InvalidReport("uri must be the address of the artefact, such as s3://models/elec/7")
    if (problem := address_problem(uri)) is not None:
        raise InvalidReport(f"uri {uri[:200]!r} cannot be served: {problem}")
    wire: dict[str, Any] = {
        "uri": _text(uri, "uri", URI),
        "format": {"name": _text(format, "format", 63)},
        "metrics": _metrics(metrics or {}, "metrics"),
        "slices": _slices(slices or {}, only),
    }
    if format_version is not None:
        wire["format"]["version"] = _text(format_version, "format_version", 63, empty=True)
    if digest is not None:
        if not isinstance(digest, str) or not re.fullmatch("sha256:[0-9a-f]{64}", digest):
            raise InvalidReport(f"digest {digest!r} must be sha256: and 64 hexadecimal digits")
        wire["digest"] = digest
    wire["dataRevision"] = _text(data_revision, "data_revision", REVISION, empty=True)
    wire["codeRevision"] = _text(code_revision, "code_revision", REVISION, empty=True)
    given = {name: value for name, value in wire.items() if value}
    text = json.dumps(given, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if (size := len(text.encode())) > max_bytes:
        raise InvalidReport(
            f"the report has {size} bytes and may have {max_bytes}: report fewer slices (only=) or "
            "metrics, shorter names, or rounded figures"
        )
    return text


def _slices(slices: Slices, only: Iterable[str] | None) -> list[dict[str, Any]]:
    if not isinstance(slices, Mapping):
        raise InvalidReport("slices must map names to samples and metrics")
    names = list(slices) if only is None else list(dict.fromkeys(only))
    if missing := [name for name in names if name not in slices]:
        raise InvalidReport(
            f"there is no slice {missing[0]!r} among {', '.join(map(str, slices))[:500]}"
        )
    if len(names) > SLICES:
        raise InvalidReport(f"{len(names)} slices, {SLICES} at most: choose some by only=")
    return [_slice(name, slices[name]) for name in names]


def _slice(name: str, part: Mapping[str, Any]) -> dict[str, Any]:
    where = f"slices[{name!r}]"
    if not isinstance(part, Mapping):
        raise InvalidReport(f"{where} must have samples and metrics")
    if unknown := sorted(map(str, set(part) - {"samples", "metrics"})):
        raise InvalidReport(f"{where} has samples and metrics, not {unknown[0]!r:.80}")
    samples = _number(part.get("samples", 0), f"{where}.samples")
    if not 0 <= samples < 2**63 or samples != int(samples):
        raise InvalidReport(f"{where}.samples must be a whole number from 0")
    metrics = _metrics(part.get("metrics", {}), f"{where}.metrics")
    return {"name": _text(name, where, NAME), "samples": int(samples), "metrics": metrics}


def _metrics(metrics: Metrics, where: str) -> dict[str, int | float]:
    if not isinstance(metrics, Mapping):
        raise InvalidReport(f'{where} must map names to numbers, such as {{"accuracy": 0.93}}')
    if len(metrics) > METRICS:
        raise InvalidReport(
            f"{where} has {len(metrics)} metrics, {METRICS} at most: leave some out"
        )
    return {
        _text(name, where, NAME): _number(value, f"{where}[{name!r}]")
        for name, value in metrics.items()
    }


def _number(value: Any, where: str) -> int | float:
    """A plain number; those of numpy, PyTorch and so on become one."""
    plain = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    if isinstance(plain, bool) or not isinstance(plain, (Real, Decimal)):
        raise InvalidReport(f"{where} must be a number, not {plain!r:.80}")
    if isinstance(plain, Integral):
        number: int | float = int(plain)
        large = abs(number) >= 10**29
    else:
        number = float(plain)
        if not math.isfinite(number):
            raise InvalidReport(f"{where} is {number}, which no gate can judge: leave it out")
        large = Decimal(repr(number)).adjusted() > 28 and number != 0
    if large:
        raise InvalidReport(f"{where} is too large: it may have 29 digits before the point")
    return number


def _text(value: Any, where: str, limit: int, *, empty: bool = False) -> str:
    if not isinstance(value, str) or not (empty or value) or len(value) > limit:
        least = 0 if empty else 1
        raise InvalidReport(
            f"{where} must be a text of {least} to {limit} characters: {value!r:.200}"
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidReport(
            f"{where} has half a character, which cannot be written: {value!r:.200}"
        ) from None
    return value


def _write(target: Path, content: bytes) -> None:
    """All of it or nothing. What the kubelet mounts can only be written in place, at one go."""
    part = target.with_name(f".{target.name}.part")
    if not target.is_symlink() and (target.is_file() or not target.exists()):
        try:
            part.write_bytes(content)
            part.replace(target)
            return
        except OSError:
            part.unlink(missing_ok=True)
    with target.open("wb", buffering=0) as file:
        file.write(content)
