"""Random lives of a ModelDeployment: whatever happens in whatever order, the promises hold."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

from evenkeel.api.modeldeploymentstatus import CanaryStatus, ModelDeploymentStatus
from evenkeel.api.rollout import Step
from evenkeel.outside.gates import GateAnswer
from evenkeel.outside.poll import Failure, Sighting
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.support.rollout_lives import LIVES, model
from tests.support.rollout_world import INDICATORS, Crash, World

JSON = dict[str, Any]
GOOD = [f"s3://m/good-{n}" for n in range(4)]
BAD = [f"s3://m/bad-{n}" for n in range(2)]
SMOKE = {"podTemplate": {"spec": {"containers": [{"name": "smoke"}]}}}
GATE = {"url": "https://gate.example"}
STEPS: list[list[JSON]] = [
    [{"weight": 25, "deadlineSeconds": 300}, {"weight": 50, "deadlineSeconds": 300}],
    [{"weight": 10, "pauseSeconds": 20, "deadlineSeconds": 60}],
    [{"weight": 30, "analysis": False, "pauseSeconds": 30}, {"weight": 60}],
    [{"weight": 30, "baseline": True, "deadlineSeconds": 300}, {"weight": 60}],
    [{"weight": 30, "analysis": False, "approval": True}, {"weight": 60, "approval": True}],
    [{"weight": 30, "analysis": False, "job": SMOKE, "webhook": GATE}, {"weight": 60}],
]
BY_HAND = {"PromotedByHand", "NoSteps", "StableUnavailable", "ScaledToZero"}
FREE_PASS = {*BY_HAND, "Undecided"}
BEGUN = datetime(2026, 1, 31, 9, tzinfo=UTC)
ALLOWED: Sighting[object] = Sighting(GateAnswer("Allow"), BEGUN, BEGUN)
WAITS: Sighting[object] = Sighting(GateAnswer("Wait"), BEGUN, BEGUN)
DENIED: Sighting[object] = Sighting(GateAnswer("Deny"), BEGUN, BEGUN)
BROKEN: Sighting[object] = Sighting(failure=Failure("SourceUnavailable", "cut", BEGUN))
PROBATION = {"seconds": 60}
AFTER_PROBATION = {"ProbationOver", "ProbationCutShort"}
TIME_ONLY = {"PauseOver", *FREE_PASS, *AFTER_PROBATION}


class Life(RuleBasedStateMachine):
    """The user edits, pods come and go, Prometheus fails, the operator crashes, time passes."""

    def __init__(self) -> None:
        super().__init__()
        quality = {**dict.fromkeys(GOOD, 0.0), **dict.fromkeys(BAD, 0.5)}
        self.w = World({}, quality=quality, requests=400)
        self.w.before_write = self.check_write
        self.rolled_back: set[str] = set()
        self.had_data = False
        self.spent: set[tuple[str, str]] = set()

    @initialize(
        steps=st.sampled_from(STEPS),
        undecided=st.sampled_from(["Hold", "Rollback", "Promote"]),
        probation=st.sampled_from([{}, {"probation": PROBATION}]),
    )
    def first(self, steps: list[JSON], undecided: str, probation: JSON) -> None:
        self.w.spec = {
            "model": model(GOOD[0]),
            "replicas": 4,
            "rollout": {
                "steps": steps,
                "scaleDownDelaySeconds": 30,
                "progressDeadlineSeconds": 120,
                **probation,
            },
            "analysis": {"indicators": list(INDICATORS), "onUndecided": undecided},
        }
        self.w.settle()
        self.w.pods_ready()

    def check_write(self, old: ModelDeploymentStatus, new: ModelDeploymentStatus) -> None:
        """What must hold between two statuses that follow each other."""
        rollout = self.w.md.spec.rollout
        if old.stable is not None:
            assert new.stable is not None, "what serves is never forgotten"
        resumed = not old.observed_generation and new.canary and new.canary.weight == 100
        if old.canary is None and new.canary is not None and not resumed:
            revision = new.canary.revision
            asked = rollout.promote == revision or rollout.retry == revision
            assert revision not in self.rolled_back or asked
            if new.canary.wish is not None:
                wish = (revision, new.canary.wish)
                assert wish not in self.spent, "a wish is spent once"
            # The pods of the former stable revision may still be there and ready.
            assert new.canary.weight == 0 or new.canary.reason == "CanaryReady"
            self.had_data = False
        if old.canary and old.canary.stage == "Stepping" and self.w.answers == "ok":
            self.had_data = True
        if old.canary and new.canary and old.canary.revision == new.canary.revision:
            self.check_step(old.canary, new.canary)
        if new.stable and old.stable and new.stable.revision != old.stable.revision:
            self.check_promotion(old, new)
        last = new.history[0] if new.history else None
        if last is not None and new.history != old.history:
            if last.outcome == "RolledBack":
                self.rolled_back.add(last.revision)
                assert last.cause is not None
                self.spent |= {(last.revision, wish) for wish in last.spent}
            elif last.outcome == "Promoted":
                self.rolled_back.discard(last.revision)
        assert len(new.history) <= 20
        assert len(new.old) <= 16
        assert len({o.revision for o in new.old}) == len(new.old)

    def check_step(self, old: CanaryStatus, new: CanaryStatus) -> None:
        """Weight rises with a decision only, and a step is left after its verdict only."""
        assert new.step >= old.step
        assert new.start_time == old.start_time
        if (old.stage, old.step) == (new.stage, new.step):
            assert new.weight == old.weight
            return
        if old.stage != "Stepping":
            return
        steps = self.w.md.spec.rollout.steps
        left = steps[min(old.step, len(steps) - 1)] if steps else None
        self.check_gates(left, old, new, min(old.step + 1, len(steps)))
        if left is None or not left.analysis or new.reason in FREE_PASS:
            return
        if old.baseline == new.baseline:
            assert {i.value for i in new.indicators} == {"Pass"}
        assert self.w.answers == "ok"
        assert not self.w.md.spec.rollout.paused

    def check_gates(
        self, left: Step | None, old: CanaryStatus, new: CanaryStatus, number: int
    ) -> None:
        """No step is left past a gate that nobody opened."""
        if left is None or new.reason in BY_HAND:
            return
        if left.approval:
            approve = self.w.md.spec.rollout.approve
            assert approve is not None
            assert approve.wire() == {"revision": new.revision, "step": number}
        if left.job is not None:
            known = old.job is not None and old.job.outcome == "Passed"
            assert known or self.w.job_condition.get("type") == "Complete"
        if left.webhook is not None:
            known = old.webhook is not None and old.webhook.answer == "Allow"
            assert known or self.w.gate == ALLOWED

    def check_promotion(self, old: ModelDeploymentStatus, new: ModelDeploymentStatus) -> None:
        assert old.canary is not None
        assert new.stable is not None
        assert old.canary.revision == new.stable.revision
        assert old.canary.stage in ("Promoting", "Probation"), "at its full size first"
        if old.canary.stage == "Promoting":
            assert self.w.pods[new.stable.revision].ready >= self.w.md.spec.replicas
        last = new.history[0]
        assert (last.revision, last.outcome) == (new.stable.revision, "Promoted")
        uri = new.stable.uri
        if uri in BAD:
            by_time = last.reason in TIME_ONLY
            assert by_time, f"a bad revision was promoted by {last.reason}"
        if last.reason == "Undecided":
            assert self.had_data, "nothing is promoted that was never seen"

    @rule(uri=st.sampled_from(GOOD + BAD))
    def change_model(self, uri: str) -> None:
        self.w.edit(model=model(uri))

    @rule(steps=st.sampled_from([*STEPS, []]))
    def change_steps(self, steps: list[JSON]) -> None:
        self.w.edit_rollout(steps=steps)

    @rule(probation=st.sampled_from([PROBATION, None]))
    def change_probation(self, probation: JSON | None) -> None:
        self.w.edit_rollout(probation=probation)

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        self.w.edit_rollout(paused=paused)

    @rule(what=st.sampled_from(["promote", "abort", "retry", None]))
    def steer(self, what: str | None) -> None:
        self.w.edit_rollout(promote=None, abort=None, retry=None)
        self.spent.clear()
        self.w.reconcile()
        if what is not None:
            self.w.edit_rollout(**{what: self.w.wanted()})

    @rule(type_=st.sampled_from(["", "Complete", "Complete", "Failed"]))
    def end_jobs(self, type_: str) -> None:
        self.w.job_condition = {"type": type_} if type_ else {}

    @rule(seen=st.sampled_from([Sighting(), ALLOWED, ALLOWED, WAITS, DENIED, BROKEN]))
    def answer_at_the_gate(self, seen: Sighting[object]) -> None:
        self.w.gate = seen

    @rule(step=st.integers(1, 2), wanted=st.booleans())
    def approve(self, step: int, wanted: bool) -> None:
        revision = self.w.wanted() if wanted else "fraud-0"
        self.w.edit_rollout(approve={"revision": revision, "step": step})

    @rule(answers=st.sampled_from(["ok", "ok", "down", "empty", "half"]))
    def change_prometheus(self, answers: Any) -> None:
        self.w.answers = answers

    @rule(refused=st.booleans())
    def change_runtime(self, refused: bool) -> None:
        self.w.refused = refused

    @rule(ready=st.sampled_from([True, True, True, False]), canary=st.booleans())
    def change_pods(self, ready: bool, canary: bool) -> None:
        self.w.pods_ready(self.w.wanted() if canary else None, ready=ready)

    @rule(data=st.data())
    def delete_a_deployment(self, data: st.DataObject) -> None:
        if self.w.pods and not self.w.refused:
            del self.w.pods[data.draw(st.sampled_from(sorted(self.w.pods)))]

    @rule(children=st.booleans())
    def restore(self, children: bool) -> None:
        """A backup of a quiet moment is restored: what served serves, nothing is tried again."""
        self.w.settle()
        if self.w.refused and not self.w.annotations:
            return  # Never on trial: the spec alone says what serves, once it can be had.
        before = self.w.md.status
        self.w.restore(children=children)
        self.w.settle()
        after = self.w.md.status
        assert before.stable is not None
        assert after.stable is not None
        assert after.stable.uri == before.stable.uri
        assert after.stable.revision == before.stable.revision
        assert [o.revision for o in after.history] == [o.revision for o in before.history]

    @rule(writes=st.integers(0, 6))
    def crash(self, writes: int) -> None:
        with contextlib.suppress(Crash):
            self.w.reconcile(crash_after=writes)

    @rule(seconds=st.sampled_from([1, 5, 31, 130, 400]))
    def wait(self, seconds: int) -> None:
        self.w.pass_time(seconds)
        self.reconcile()

    @rule()
    def reconcile(self) -> None:
        before = self.w.md.status
        plan = self.w.reconcile()
        assert isinstance(plan.status, ModelDeploymentStatus)
        stable, canary = plan.status.stable, plan.status.canary
        assert stable is not None
        assert stable.revision not in {ref.name for ref in plan.deletes if ref.kind == "Deployment"}
        watched = canary is not None and canary.stage == "Probation"
        size = 1 if watched else self.w.md.spec.replicas
        for ref, replicas in plan.scales:
            assert ref.name != stable.revision or replicas == size
        for manifest in plan.applies:
            if manifest["kind"] == "Deployment" and manifest["metadata"]["name"] == stable.revision:
                assert manifest["spec"]["replicas"] == size
        only = self.w.others["Service", "fraud"]["spec"]["selector"].get("evenkeel.dev/revision")
        if only is None:
            assert canary is not None
            assert canary.weight > 0
            full, ready = self.w.md.spec.replicas, self.w.pods[canary.revision].ready
            if watched:
                assert not ready, "the former revision helps out in need alone"
            else:
                assert ready, "never more than its ready pods carry"
                assert canary.traffic_weight * full <= ready * 100
        else:
            assert only == (canary.revision if watched and canary else stable.revision)
        kept = {stable.revision, *(o.revision for o in plan.status.old)}
        kept |= {canary.revision, canary.baseline} if canary else set()
        assert set(self.w.pods) <= kept, "the Deployments follow from the status"
        assert before.stable is not None

    @rule(uri=st.sampled_from(GOOD + BAD), looks=st.integers(1, 4))
    def begin(self, uri: str, looks: int) -> None:
        """A new revision gets on as far as it can in a while."""
        self.change_model(uri)
        self.go_on(looks)

    @rule(looks=st.integers(1, 4))
    def go_on(self, looks: int) -> None:
        for _ in range(looks):
            self.w.settle()
            self.w.pods_ready()
            self.wait(5)

    @rule(answers=st.sampled_from(["down", "empty", "half"]))
    def outlast_the_deadline_in_the_dark(self, answers: Any) -> None:
        self.w.answers = answers
        self.go_on(2)
        self.wait(400)

    @rule()
    def live_well(self) -> None:
        """With everything in order the rollout comes to its end, and then to rest."""
        self.w.answers, self.w.refused = "ok", False
        self.w.gate, self.w.job_condition = ALLOWED, {"type": "Complete"}
        self.w.edit_rollout(paused=False)
        for _ in range(60):
            self.open_the_gates()
            self.w.pass_time(20)
            self.w.pods_ready()
            self.w.settle()
            if not self.w.status.get("canary") and not self.w.status.get("old"):
                break
        status = self.w.md.status
        assert status.canary is None
        assert status.stable is not None
        wanted = self.w.wanted()
        assert status.stable.revision == wanted or wanted in self.rolled_back
        self.w.pods_ready()
        plan = self.w.settle()
        assert plan.requeue_after is None, "nothing is left to look at"
        assert set(self.w.pods) == {status.stable.revision}

    def open_the_gates(self) -> None:
        canary = self.w.md.status.canary
        if canary is None or canary.awaiting != "Approval":
            return
        self.w.edit_rollout(approve=None)
        self.w.settle()
        number = min(canary.step + 1, len(self.w.md.spec.rollout.steps))
        self.w.edit_rollout(approve={"revision": canary.revision, "step": number})

    @invariant()
    def status_is_valid(self) -> None:
        assert self.w.md.status == ModelDeploymentStatus.model_validate(self.w.md.status.wire())


Life.TestCase.settings = LIVES
TestLife = Life.TestCase
