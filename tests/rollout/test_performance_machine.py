"""Random lives of a ModelDeployment whose revisions are measured: none gets requests before."""

from __future__ import annotations

import json
from typing import Any

from evenkeel.api.modeldeploymentstatus import CanaryStatus, ModelDeploymentStatus
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.rollout.test_rollout_machine import FREE_PASS, STEPS, Life
from tests.support.rollout_lives import LIVES

JSON = dict[str, Any]
PERFORMANCE: JSON = {
    "latency": {"seconds": "0.1"},
    "body": "{}",
    "path": "/infer",
    "fastEnough": {"minRate": "50"},
}
REPORTS = [
    json.dumps({"rate": 60, "limitedBy": "Latency"}),
    json.dumps({"rate": 40, "limitedBy": "Latency"}),
    json.dumps({"rate": 0, "problem": "status 400"}),
    "no report",
]


class MeasuredLife(Life):
    """As any life, and load generators end with all kinds of words, or not at all."""

    @initialize(
        steps=st.sampled_from([*STEPS, []]),
        undecided=st.sampled_from(["Hold", "Rollback", "Promote"]),
        probation=st.just({}),
    )
    def first(self, steps: list[JSON], undecided: str, probation: JSON) -> None:
        super().first(steps, undecided, probation)
        self.w.edit(performance=PERFORMANCE)

    @rule(report=st.sampled_from([*REPORTS, ""]))
    def loads_end(self, report: str) -> None:
        self.w.report = report

    @rule(rate=st.sampled_from(["50", "30"]))
    def change_gate(self, rate: str) -> None:
        self.w.edit(performance={**PERFORMANCE, "fastEnough": {"minRate": rate}})

    @rule(seconds=st.sampled_from(["0.1", "0.2"]))
    def change_bound(self, seconds: str) -> None:
        self.w.edit(performance={**PERFORMANCE, "latency": {"seconds": seconds}})

    @rule()
    def live_well(self) -> None:
        """A load that goes on is looked at again, so it has to end."""
        self.w.report = self.w.report or REPORTS[0]
        super().live_well()

    def check_write(self, old: ModelDeploymentStatus, new: ModelDeploymentStatus) -> None:
        super().check_write(old, new)
        if old.canary is not None and old.canary.performance is not None:
            gone = new.canary is None or new.canary.start_time != old.canary.start_time
            kept = new.history[0] if gone and new.history else new.canary
            superseded_once_more = gone and (kept is None or kept.revision != old.canary.revision)
            assert superseded_once_more or (kept is not None and kept.performance is not None)

    def check_step(self, old: CanaryStatus, new: CanaryStatus) -> None:
        super().check_step(old, new)
        if (
            old.stage != "Starting"
            or new.stage == "Starting"
            or new.reason in FREE_PASS - {"NoSteps"}
        ):
            return
        assert new.performance is not None, "nothing gets requests before it is measured"
        assert new.performance.rate is not None
        gate = self.w.md.spec.performance
        assert gate is not None
        assert gate.fast_enough is not None
        assert float(new.performance.rate) >= float(gate.fast_enough.min_rate)


TestMeasuredLife = MeasuredLife.TestCase
TestMeasuredLife.settings = LIVES
