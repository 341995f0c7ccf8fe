"""Reads the trainer's report: the JSON object in its termination message, or elsewhere.

    {"uri": "s3://…", "format": {"name": "sklearn"}, "metrics": {"accuracy": 0.93}, "slices":
     [{"name": "night", "samples": 800, "metrics": {"accuracy": 0.9}}], "digest": "sha256:…"}

Metrics are an object of numbers, or the list of name and value that the API itself uses.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, NamedTuple, NoReturn

from pydantic import ValidationError

from evenkeel.api.common import Slice
from evenkeel.api.trainingrun import TrainingResult
from evenkeel.api.uri import uri_problem
from evenkeel.meta.model import Model

MESSAGE_BYTES = 4096
"""The kubelet cuts a termination message here."""

_EXAMPLE = (
    'such as {"uri": "s3://models/m/1", "format": {"name": "sklearn"}, '
    '"metrics": {"accuracy": 0.93}}'
)


class Place(NamedTuple):
    """Where a report is. remedy: what the trainer is to do. cut: bytes at which it is cut."""

    name: str
    remedy: str
    cut: int | None = None

    @property
    def example(self) -> str:
        """What to write there."""
        return f"{self.remedy}, {_EXAMPLE}"


TERMINATION_MESSAGE = Place(
    "termination message", "write one JSON object to /dev/termination-log", MESSAGE_BYTES
)


class InvalidResult(ValueError):
    """The report cannot be used; the message says why and what to do."""


def parse_result(message: str, place: Place = TERMINATION_MESSAGE) -> TrainingResult:
    """The trainer's report. Raises InvalidResult for everything that is not exactly one."""
    if not message.strip():
        raise InvalidResult(f"the trainer left no {place.name}; {place.example}")
    try:
        data = json.loads(
            message,
            parse_float=Decimal,
            parse_int=Decimal,
            parse_constant=_refuse,
            object_pairs_hook=_unique,
        )
        # Half a character (\\ud800) passes for JSON, but cannot be written.
        json.dumps(data, ensure_ascii=False, default=str).encode()
    except InvalidResult:
        raise
    except (ValueError, ArithmeticError, RecursionError) as problem:
        if place.cut is not None and len(message.encode(errors="replace")) >= place.cut:
            raise InvalidResult(
                f"the {place.name} was cut at {place.cut} bytes; report fewer metrics "
                "or slices, without blanks in the JSON, or report by training.resultFrom"
            ) from None
        raise InvalidResult(f"the {place.name} is not JSON ({problem}); {place.example}") from None
    if not isinstance(data, dict):
        raise InvalidResult(f"the {place.name} is not a JSON object; {place.example}")
    try:
        return TrainingResult.model_validate(_shaped(data))
    except ValidationError as problem:
        raise InvalidResult(f"the trainer's report is invalid: {first(problem)}") from None


def _shaped(data: dict[str, Any]) -> dict[str, Any]:
    """The report as the API has it: metrics as lists of decimal strings, null left out."""
    shaped = _known(data, TrainingResult, "the report")
    if "format" in shaped and isinstance(shaped["format"], str):
        raise InvalidResult('format must be an object, such as {"name": "sklearn"}')
    uri = shaped.get("uri")
    if isinstance(uri, str) and (fault := uri_problem(uri)) is not None:
        raise InvalidResult(f"uri {uri[:200]!r} cannot be served: {fault}")
    if "metrics" in shaped:
        shaped["metrics"] = _metrics(shaped["metrics"], "metrics")
    if "slices" in shaped:
        if not isinstance(shaped["slices"], list):
            raise InvalidResult("slices must be a list of objects with name, samples and metrics")
        shaped["slices"] = [_slice(part, i) for i, part in enumerate(shaped["slices"])]
        _distinct([part.get("name") for part in shaped["slices"]], "slices")
    return shaped


def _slice(part: Any, index: int) -> dict[str, Any]:
    where = f"slices[{index}]"
    if not isinstance(part, dict):
        raise InvalidResult(f"{where} must be an object with name, samples and metrics")
    shaped = _known(part, Slice, where)
    if "metrics" in shaped:
        shaped["metrics"] = _metrics(shaped["metrics"], f"{where}.metrics")
    samples = shaped.get("samples", Decimal(0))
    if not isinstance(samples, Decimal) or not 0 <= samples < 2**63 or samples % 1:
        raise InvalidResult(f"{where}.samples must be a whole number from 0")
    shaped["samples"] = int(samples)
    return shaped


def _metrics(metrics: Any, where: str) -> list[dict[str, Any]]:
    if isinstance(metrics, dict):
        pairs = list(metrics.items())
    elif isinstance(metrics, list) and all(
        isinstance(m, dict) and set(m) == {"name", "value"} for m in metrics
    ):
        pairs = [(m["name"], m["value"]) for m in metrics]
    else:
        raise InvalidResult(
            f'{where} must be an object such as {{"accuracy": 0.93}} or a list of objects with '
            "name and value"
        )
    _distinct([name for name, _ in pairs], where)
    return [{"name": name, "value": decimal(value, f"{where}.{name}")} for name, value in pairs]


def decimal(value: Any, where: str) -> str:
    """At most 32 characters: digits beyond them are rounded, larger numbers refused."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,40}(\.[0-9]{1,60})?", value):
        value = Decimal(value)
    if not isinstance(value, Decimal):
        raise InvalidResult(f"{where} must be a number, not {json.dumps(value, default=str)[:80]}")
    if not value or value.adjusted() < -28:
        return "0"
    if value.adjusted() > 28:
        raise InvalidResult(f"{where} is too large: {value:.3e}")
    text = f"{value:f}"
    if len(text) > 32:
        whole = len(text.partition(".")[0])
        text = f"{value:.{max(0, 31 - whole)}f}"[:32]
    return text


def _known(data: dict[str, Any], model: type[Model], where: str) -> dict[str, Any]:
    """Without nulls; a name that the API does not know is an error, since it may be a typo."""
    allowed = [field.alias or name for name, field in model.model_fields.items()]
    unknown = sorted(set(data) - set(allowed))
    if unknown:
        raise InvalidResult(
            f"{where} has the unknown field {unknown[0][:80]!r}; it may have {', '.join(allowed)}"
        )
    return {key: value for key, value in data.items() if value is not None}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _distinct([name for name, _ in pairs], "a JSON object")
    return dict(pairs)


def _distinct(names: list[Any], where: str) -> None:
    seen: set[str] = set()
    for name in map(str, names):
        if name in seen:
            raise InvalidResult(f"{where} has {name[:80]!r} twice")
        seen.add(name)


def _refuse(constant: str) -> NoReturn:
    raise InvalidResult(f"{constant} is not a number that can be judged; leave the metric out")


def first(problem: ValidationError) -> str:
    """Where the first fault is, and what."""
    error = problem.errors(include_url=False)[0]
    where = ".".join(str(part) for part in error["loc"])
    return f"{where}: {error['msg']}"
