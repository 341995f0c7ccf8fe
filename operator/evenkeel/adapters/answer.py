"""What Prometheus answers to an instant query, and how it fails to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple


class PrometheusError(Exception):
    """No answer that can be used; the message, one line for people, tells no credentials.

    reason: what the status says.
    """

    reason: ClassVar[str] = "PrometheusUnavailable"


class Unavailable(PrometheusError):
    """No connection, no answer in time, a server's fault, or not asked since it failed before."""


class QueryRefused(PrometheusError):
    """The query is at fault: it cannot be parsed or evaluated."""

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
    """The answer is none of Prometheus' API, or not an instant vector."""


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


def vector(data: dict[str, Any], warnings: tuple[str, ...] = ()) -> Answer:
    """The answer in the API's `data`. Raises NotUnderstood."""
    try:
        kind = data["resultType"]
        if kind != "vector":
            raise NotUnderstood(f"the query gives a {kind}; an indicator needs an instant vector")
        found = tuple(Sample(dict(one["metric"]), float(one["value"][1])) for one in data["result"])
        times = [float(one["value"][0]) for one in data["result"]]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise NotUnderstood("the answer is not understood") from error
    return Answer(found, max(times, default=None), warnings)
