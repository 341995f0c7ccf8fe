"""Set-ups of Prometheus that answer oddly: what comes of a good and of a bad canary in each.

A canary and stable have two pods each, with 20 requests a second, scraped every 15 s. One of a
hundred of stable's requests fails, one of a thousand of a good canary's, one of five of a bad
one's. They are looked at every second.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from evenkeel.api.analysis import Analysis
from evenkeel.api.modeldeploymentstatus import IndicatorStatus
from evenkeel.verdict.indicators import Queries
from evenkeel.verdict.judgement import verdict_of
from evenkeel.verdict.queries import PART, Moment, Question, Series, by_part, seen
from evenkeel.verdict.tally import Tally
from evenkeel.verdict.verdict import Value, Verdict

START, SCRAPE, RATE = 1_700_000_000.0, 15.0, 20
SECONDS = 900
ANALYSIS = Analysis.model_validate(
    {
        "indicators": [
            {"name": "errors", "total": "sum by (pod) (n_count)", "good": "sum by (pod) (g_bucket)"}
        ]
    }
)
SPEC = ANALYSIS.indicators[0]
QUESTION = Question(
    "q",
    *(
        Queries("errors", SPEC.total or "", good=SPEC.good, revision=revision)
        for revision in ("m-canary", "m-stable")
    ),
)


@dataclass
class Pod:
    side: str
    number: int
    bad: float

    @property
    def name(self) -> str:
        return f"m-{self.side}-7d9f-aaaa{self.number}"

    def scraped(self, at: float) -> tuple[float, int, int]:
        """Time, all and good requests of the last scrape; each pod is scraped at its own time."""
        phase = 3.7 * self.number + (5.1 if self.side == "stable" else 0)
        time = at - (at - phase) % SCRAPE
        total = max(0, round(RATE * time))
        return START + time, total, total - math.floor(total * self.bad)


def pods(bad: float) -> list[Pod]:
    return [Pod(side, n, b) for side, b in (("canary", bad), ("stable", 0.01)) for n in (0, 1)]


def series(pod: Pod, at: float, *, age: float = 0.0) -> Iterator[Series]:
    """What Prometheus has of a pod, or had some time ago."""
    time, total, good = pod.scraped(at - age)
    values = {"n": total, "k": good, "nt": time, "kt": time}
    for what, value in values.items():
        yield {PART: f"q.{pod.side[0]}{what}", "pod": pod.name}, float(value)


Answer = Callable[[list[Pod], int], list[Series]]


def usual(pods: list[Pod], at: int) -> list[Series]:
    return [one for pod in pods for one in series(pod, at)]


def restarts_empty(pods: list[Pod], at: int) -> list[Series]:
    return [] if 200 <= at < 230 else usual(pods, at)


def one_restarts_empty(pods: list[Pod], at: int) -> list[Series]:
    """One of a pair of replicas that answer by turns."""
    return [] if 200 <= at < 230 and at % 2 else usual(pods, at)


def lags(pods: list[Pod], at: int) -> list[Series]:
    """Remote write or a replica that lags: answers are now and then 40 s old."""
    return [one for pod in pods for one in series(pod, at, age=40.0 if at % 3 else 0.0)]


def late(pods: list[Pod], at: int) -> list[Series]:
    """Recorded by a rule each minute, or ruled by a delay of the store."""
    return [one for pod in pods for one in series(pod, at - at % 60)]


def stale(pods: list[Pod], at: int) -> list[Series]:
    """Every fifth scrape of one pod fails, and its series are gone until the next."""
    gone = (at // 15) % 5 == 0
    return [one for pod in pods for one in series(pod, at) if not (gone and pod.number)]


def timeless(pods: list[Pod], at: int) -> list[Series]:
    return [one for one in usual(pods, at) if not one[0][PART].endswith("t")]


def false_times(pods: list[Pod], at: int) -> list[Series]:
    return [(labels, 7.0 if labels[PART].endswith("t") else v) for labels, v in usual(pods, at)]


def by_code(pods: list[Pod], at: int) -> list[Series]:
    """Bare selectors: a series for each code."""
    found: list[Series] = []
    for labels, value in usual(pods, at):
        if labels[PART].endswith("n"):
            part = value // 3
            found += [({**labels, "code": "a"}, value - part), ({**labels, "code": "b"}, part)]
        else:
            found.append(({**labels, "code": "a"}, value))
    return found


def not_a_number(pods: list[Pod], at: int) -> list[Series]:
    """A division by nothing, for a while."""
    bad = math.nan if 200 <= at < 260 else None
    return [(labels, value if bad is None else bad) for labels, value in usual(pods, at)]


def good_by_another_name(pods: list[Pod], at: int) -> list[Series]:
    return [one for one in usual(pods, at) if "k" not in one[0][PART]]


def nothing(pods: list[Pod], at: int) -> list[Series]:
    return []


def judged(answer: Answer, bad: float, ahead: float = 0.0) -> Iterator[Verdict]:
    """The verdict after each look."""
    tally, made = Tally.resume(SPEC, ANALYSIS, None, 0.0), pods(bad)
    for at in range(SECONDS):
        found = [
            (labels, value - ahead if labels[PART].endswith("t") else value)
            for labels, value in answer(made, at)
        ]
        moment = Moment(START + at, ahead)
        tally = tally.take(seen(QUESTION, by_part(found), moment, {}))
        yield verdict_of(tally, IndicatorStatus(name="errors"), ANALYSIS.min_requests)


RIGHT: dict[str, Answer] = {
    "as it should be": usual,
    "it restarts with an empty store": restarts_empty,
    "one of two replicas restarts with an empty store": one_restarts_empty,
    "answers are old by turns": lags,
    "all is recorded each minute": late,
    "scrapes fail": stale,
    "it tells no times": timeless,
    "it tells false times": false_times,
    "series by code": by_code,
    "NaN for a while": not_a_number,
}


@pytest.mark.parametrize("odd", RIGHT)
def test_a_good_canary_passes_and_never_fails(odd: str) -> None:
    verdicts = list(judged(RIGHT[odd], 0.001))
    assert not any(v.value is Value.FAIL for v in verdicts)
    assert verdicts[-1].value is Value.PASS, verdicts[-1]


@pytest.mark.parametrize("odd", RIGHT)
def test_a_bad_canary_fails_and_never_passes(odd: str) -> None:
    verdicts = list(judged(RIGHT[odd], 0.2))
    assert not any(v.value is Value.PASS for v in verdicts)
    assert any(v.value is Value.FAIL for v in verdicts), verdicts[-1]


@pytest.mark.parametrize("ahead", [-600.0, 600.0])
@pytest.mark.parametrize(("bad", "value"), [(0.001, Value.PASS), (0.2, Value.FAIL)])
def test_a_clock_that_is_known_to_be_wrong_changes_nothing(
    ahead: float, bad: float, value: Value
) -> None:
    plain = [v.value for v in judged(usual, bad)]
    assert [v.value for v in judged(usual, bad, ahead)] == plain
    assert plain[-1] is value


@pytest.mark.parametrize("bad", [0.001, 0.2])
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (nothing, "always_scrape_classic_histograms"),
        (good_by_another_name, "good has no series on either side"),
    ],
)
def test_what_is_not_there_decides_nothing_and_is_told(
    answer: Answer, words: str, bad: float
) -> None:
    verdicts = list(judged(answer, bad))
    assert {v.value for v in verdicts} == {Value.UNDECIDED}
    assert verdicts[-1].reason == "NoData"
    assert words in verdicts[-1].message


def test_while_it_gives_nan_nothing_is_decided() -> None:
    verdicts = list(judged(not_a_number, 0.001))
    assert {v.reason for v in verdicts[200:260]} == {"NotANumber"}


def test_bad_events_that_nobody_has_are_told_beside_the_verdict() -> None:
    analysis = Analysis.model_validate(
        {"indicators": [{"name": "errors", "total": "n", "bad": "b"}]}
    )
    sides = (Queries("errors", "n", bad="b", revision=f"m-{side}") for side in ("canary", "stable"))
    question = Question("q", *sides)
    tally = Tally.resume(analysis.indicators[0], analysis, None, 0.0)
    for at in range(300):
        parts = by_part(good_by_another_name(pods(0.0), at))
        tally = tally.take(seen(question, parts, Moment(START + at), {}))
    verdict = verdict_of(tally, IndicatorStatus(name="errors"), 50)
    assert verdict.value is Value.PASS
    assert verdict.message.endswith(
        "bad has never had a series on either side: check that it can have some"
    )
