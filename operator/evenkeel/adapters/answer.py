"""What Prometheus answers to an instant query, and how it fails to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, ClassVar, NamedTuple

from evenkeel.adapters.words import one_line


class PrometheusError(Exception):
    """No answer that can be used; the message, one line for people, tells no credentials.

    reason: what the status says.
    """

    reason: ClassVar[str] = "PrometheusUnavailable"


class Unavailable(PrometheusError):
    """No connection, no answer in time, a server's fault, or not asked since it failed before."""


class QueryRefused(PrometheusError):
    """The query is at fault: it cannot be parsed or evaluated, or gives no instant vector."""

    reason = "QueryRefused"


class AccessDenied(PrometheusError):
    """The credentials are missing or wrong (401, 403)."""

    reason = "PrometheusAccessDenied"


class AddressRefused(PrometheusError):
    """The address is none that may be asked."""

    reason = "PrometheusNotAllowed"


class TooLarge(PrometheusError):
    """The answer is larger than what is taken."""


class NotUnderstood(PrometheusError):
    """The answer is none of Prometheus' API."""


class Sample(NamedTuple):
    """One element of an instant vector. value: also NaN and infinite."""

    labels: dict[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Answer:
    """An instant vector.

    time: when it was evaluated, Unix seconds of Prometheus' clock; None if it is empty.
    warnings: what Prometheus says besides, such as that a store did not answer.
    """

    samples: tuple[Sample, ...] = ()
    time: float | None = None
    warnings: tuple[str, ...] = ()


NUMBER = 64
"""Characters of a number."""
WARNINGS = 8


def vector(data: dict[str, Any], warnings: Sequence[str] = ()) -> Answer:
    """The answer in the API's `data`. Raises QueryRefused if it is none, KeyError or the
    like if it is malformed."""
    kind = data["resultType"]
    if kind != "vector":
        raise QueryRefused(
            f"the query gives a {one_line(str(kind), 20)}; an indicator needs an instant vector"
        )
    samples: list[Sample] = []
    latest: float | None = None
    for one in data["result"]:
        # A native histogram is no number, and one among many series must not spoil the others.
        when, text = one["value"] if "value" in one else (one["histogram"][0], "NaN")
        labels = one["metric"]
        if not (isinstance(text, str) and len(text) <= NUMBER and isinstance(labels, dict)):
            raise TypeError("not a sample")
        if not all(isinstance(value, str) for value in labels.values()):
            raise TypeError("not labels")
        if not (isinstance(when, int | float) and isfinite(when)):
            raise TypeError("not a time")
        samples.append(Sample(labels, float(text)))
        latest = float(when) if latest is None else max(latest, float(when))
    told = tuple(one_line(str(warning)) for warning in warnings[:WARNINGS])
    return Answer(tuple(samples), latest, told)
