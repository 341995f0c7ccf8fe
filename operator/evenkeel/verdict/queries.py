"""One instant query about many canaries, and what its answer says of each.

Prometheus evaluates a query on one snapshot. Two queries may have a scrape between them, and the
requests of that scrape would look all bad; so all counters of an indicator, and the times of their
samples, are asked for at once. A label tells the parts apart.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite
from typing import NamedTuple

from evenkeel.verdict.indicators import Queries, is_pod_of
from evenkeel.verdict.sample_times import sample_times
from evenkeel.verdict.samples import Look, Reading, Unobserved

PART = "evenkeel_part"
"""Label that tells the series of the parts apart."""
MOST_SERIES = 2048
"""Series that are taken of one query of a tenant's own."""
MOST_PROCESSES = 512
"""Processes of one revision: more do not fit into a status."""
MOST_EVENTS = 1e15
"""Events of one process: floats still count one by one, and sums of many fit into a status."""
EXACT = 1e-6
"""By how much a count may be off that is meant to be a whole number."""
KEY_LENGTH = 100
"""Characters of a process's labels that are kept; a digest tells longer ones apart."""
PAST, FUTURE = 3600.0, 60.0
"""Seconds from now within which the time of a sample is believed."""

Series = tuple[Mapping[str, str], float]
"""Labels and value of one element of an instant vector."""

_TOTAL, _COUNTED, _TOTAL_TIME, _COUNTED_TIME = "n", "k", "nt", "kt"
_SIDES = ("canary", "stable")
_OF_HISTOGRAMS = re.compile(r"_(?:bucket|count|sum)\b")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about one indicator of one canary.

    id: short, its own among all that are asked together; letters and digits. own: whether a tenant
    wrote the queries: how many series they give is anybody's guess then.
    """

    id: str
    canary: Queries
    stable: Queries
    own: bool = False

    def text(self, *, times: bool = True) -> str:
        """The question as PromQL; times: whether to ask for the samples' times, too."""
        return joined([part for side in _SIDES for part in self._parts(side, times)])

    def series(self, side: str, what: str) -> str:
        """The value that the label PART has on the series of one part."""
        return f"{self.id}.{side[0]}{what}"

    def _parts(self, side: str, times: bool) -> list[str]:
        queries: Queries = getattr(self, side)
        asked = [(_TOTAL, queries.total), (_COUNTED, queries.counted)]
        if times:
            of = ((_TOTAL_TIME, queries.total), (_COUNTED_TIME, queries.counted))
            asked += [(what, found) for what, query in of if (found := sample_times(query))]
        return [self._part(query, self.series(side, what)) for what, query in asked]

    def _part(self, query: str, part: str) -> str:
        # What follows a user's query stands on a line of its own: it may end with a comment.
        bounded = f"topk({MOST_SERIES + 1}, {query}\n)" if self.own else f"{query}\n"
        return f'label_replace({bounded}, "{PART}", "{part}", "", "")'


def joined(texts: Sequence[str]) -> str:
    """Questions as one. A balanced tree: a chain would be copied with each of its links."""
    level = list(texts)
    while len(level) > 1:
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        level = [f"({pair[0]} or {pair[1]})" if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0]


def by_part(answer: Iterable[Series]) -> dict[str, list[Series]]:
    """The series of an answer by the value of PART, which they lose."""
    found: dict[str, list[Series]] = {}
    for labels, value in answer:
        own = dict(labels)
        found.setdefault(own.pop(PART, ""), []).append((own, value))
    return found


class Moment(NamedTuple):
    """When Prometheus was asked, Unix seconds of the operator's clock, and how many seconds that
    clock is ahead of Prometheus'."""

    time: float
    ahead: float = 0.0

    def of(self, sample: float) -> float | None:
        """A sample's time by the operator's clock; None where it cannot be true."""
        corrected = sample + self.ahead
        return corrected if self.time - PAST <= corrected <= self.time + FUTURE else None


Starts = Mapping[str, float | None]
"""When the process in a pod started, Unix seconds, by the pod's name."""


def seen(
    question: Question, parts: Mapping[str, Sequence[Series]], moment: Moment, pods: Starts
) -> Look | Unobserved:
    """What the answer says of one indicator. pods: those of both revisions, empty if unknown."""
    try:
        canary, stable = (_side(question, parts, side, moment, pods) for side in _SIDES)
    except _Void as error:
        return error.why
    if not canary and not stable:
        return Unobserved("NoData", _unseen(question))
    counted = any(r.counted is not None for s in (canary, stable) for r in s.values())
    if not counted and canary and stable and question.canary.bad is None:
        return Unobserved(
            "NoData",
            "good has no series on either side, though total has: check its labels"
            + _histogram_hint(question.canary.counted),
        )
    warning = ""
    if not counted and canary and stable:
        warning = "bad has never had a series on either side: check that it can have some"
    own = all(
        pod is None or is_pod_of(revision, pod)
        for side, revision in (
            (canary, question.canary.revision),
            (stable, question.stable.revision),
        )
        for pod in map(_pod, side)
    )
    # A gateway's pods, which count as well, are no pods of the revisions.
    known = frozenset(pods) if pods and own else None
    return Look(canary, stable, moment.time, known, warning)


class _Void(Exception):
    """Nothing can be told from the answer."""

    def __init__(self, reason: str, message: str) -> None:
        self.why = Unobserved(reason, message)


def _side(
    question: Question,
    parts: Mapping[str, Sequence[Series]],
    side: str,
    moment: Moment,
    pods: Starts,
) -> dict[str, Reading]:
    queries: Queries = getattr(question, side)
    kind = "good" if queries.bad is None else "bad"
    found = {
        what: parts.get(question.series(side, what), ())
        for what in (_TOTAL, _COUNTED, _TOTAL_TIME, _COUNTED_TIME)
    }
    total = _summed(found[_TOTAL], f"total of {side}")
    counted = _summed(found[_COUNTED], f"{kind} of {side}")
    if stray := sorted(counted.keys() - total.keys()):
        raise _Void(
            "InconsistentCounts",
            f"{kind} of {side} has the series {{{stray[0]}}} and total has not: both queries must "
            "give the same labels, for example by sum by (pod)",
        )
    if len(total) > MOST_PROCESSES:
        raise _Void(
            "TooManyProcesses",
            f"total of {side} counts {len(total)} processes, more than {MOST_PROCESSES}; write "
            "both queries so that they give one series for each pod, by sum by (pod)",
        )
    # Parts of events, such as losses, speak for the canary.
    up = (kind == "good") == (side == "canary")
    total_time = _oldest(found[_TOTAL_TIME], moment)
    counted_time = _oldest(found[_COUNTED_TIME], moment)
    return {
        key: Reading(
            round(value),
            whole(counted[key], up=up) if key in counted else None,
            total_time.get(key),
            counted_time.get(key),
            None if queries.beside else pods.get(_pod(key) or ""),
            good=queries.bad is None,
        )
        for key, value in total.items()
    }


def whole(value: float, *, up: bool) -> int:
    """The next whole number, but for what sums of floats are off by."""
    return ceil(value - EXACT) if up else floor(value + EXACT)


def _summed(series: Sequence[Series], query: str) -> dict[str, float]:
    """Counts by process; several series of a process, such as one for each code, are added."""
    if len(series) > MOST_SERIES:
        raise _Void(
            "TooManyProcesses",
            f"{query} has more than {MOST_SERIES} series; sum the query by (pod)",
        )
    found: dict[str, float] = {}
    known: set[frozenset[tuple[str, str]]] = set()
    for labels, value in series:
        key = process_key(labels)
        whole = found.get(key, 0.0) + value
        if not (value >= 0 and whole <= MOST_EVENTS):
            raise _Void(
                "NotANumber",
                f"{query} is {value:g} for {{{_text(labels)}}}: an indicator needs counters, "
                f"which are numbers from 0 to {MOST_EVENTS:g}",
            )
        if len(series) > 1:
            same = frozenset(labels.items())
            if same in known:
                raise _Void(
                    "InconsistentCounts",
                    f"{query} has the series {{{_text(labels)}}} twice, so neither can be believed",
                )
            known.add(same)
        found[key] = whole
    return found


def _oldest(series: Sequence[Series], moment: Moment) -> dict[str, float]:
    """The oldest sample's time by process; none where any of its times cannot be true."""
    found: dict[str, float] = {}
    untrue: set[str] = set()
    for labels, value in series:
        key, time = process_key(labels), moment.of(value) if isfinite(value) else None
        if time is None:
            untrue.add(key)
        else:
            found[key] = min(time, found.get(key, time))
    return {key: time for key, time in found.items() if key not in untrue}


def process_key(labels: Mapping[str, str]) -> str:
    """What tells a counting process from others: its pod, or all labels where there is none."""
    if pod := labels.get("pod"):
        return f"pod={pod}"[:KEY_LENGTH]
    text = _text(labels)
    if len(text) <= KEY_LENGTH:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text[: KEY_LENGTH - 17]}~{digest}"


def _text(labels: Mapping[str, str]) -> str:
    return ",".join(f"{k}={v}" for k, v in sorted(labels.items()) if k != "__name__")


def _pod(key: str) -> str | None:
    return key.removeprefix("pod=") if key.startswith("pod=") and "," not in key else None


def _unseen(question: Question) -> str:
    return (
        "Prometheus has no series of the total, neither of the canary nor of stable: the model "
        "server is not scraped, has had no requests, or the query's labels are others"
        + _histogram_hint(question.canary.total)
    )


def _histogram_hint(query: str) -> str:
    """What else may be the matter where a classic histogram is asked for."""
    if not _OF_HISTOGRAMS.search(query):
        return ""
    return (
        "; if it is scraped as a native histogram only, set always_scrape_classic_histograms in "
        "the scrape configuration, or write the queries with histogram_count and "
        "histogram_fraction"
    )
