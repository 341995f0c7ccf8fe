"""Labels, which one server counts for all revisions; its counters begin at 0 with each start."""

from __future__ import annotations

from typing import NamedTuple

from evenkeel.api.analysis import Analysis
from evenkeel.verdict.samples import Look, Reading, Unobserved
from evenkeel.verdict.tally import Tally
from hypothesis import given
from hypothesis import strategies as st

PACE = 15.0
ANALYSIS = Analysis.model_validate(
    {"indicators": [{"name": "labels", "source": "Meter", "acceptable": "0.2", "maxRatio": "0.2"}]}
)


class Step(NamedTuple):
    """Between two scrapes: whether the server starts anew, and the labels that are posted then."""

    restarts: bool
    down: bool
    good: int
    bad: int


steps = st.builds(
    Step, st.booleans(), st.booleans(), st.sampled_from([0, 1, 500]), st.sampled_from([0, 1, 400])
)


@given(st.lists(steps, max_size=30))
def test_each_label_counts_once_whatever_restarts(given_steps: list[Step]) -> None:
    tally = Tally.resume(ANALYSIS.indicators[0], ANALYSIS, None, 0.0, alone=True)
    process, good, bad, posted, now = 0, 0, 0, (0, 0), PACE

    def shown(*, down: bool = False) -> Look | Unobserved:
        if down:
            return Unobserved("NoData", "nothing was scraped")
        reading = Reading(good + bad, good, now, now)
        return Look({f"process={process}": reading}, {}, now, frozenset({"fraud-1-a-bcdef"}))

    tally = tally.take(shown())
    for step in [*given_steps, *(Step(False, False, 0, 0),) * 12]:
        if step.restarts:
            process, good, bad = process + 1, 0, 0
        good, bad = good + step.good, bad + step.bad
        posted = (posted[0] + step.bad, posted[1] + step.good + step.bad)
        now += PACE
        tally = tally.take(shown())
        if step.down:
            now += PACE
            tally = tally.take(shown(down=True))
    evidence = tally.evidence
    assert (evidence.canary_bad, evidence.canary_total) == posted
