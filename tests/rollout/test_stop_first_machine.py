"""Random lives of a ModelDeployment without spare capacity, or with an autoscaler, or both."""

from __future__ import annotations

import contextlib
from typing import Any

from evenkeel.api.modeldeploymentstatus import ModelDeploymentStatus
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.support.rollout_lives import LIVES, model
from tests.support.rollout_world import Crash, World

JSON = dict[str, Any]
MODELS = [f"s3://m/{n}" for n in range(4)]
LEAST, MOST = 2, 6


class Life(RuleBasedStateMachine):
    """The user edits, load comes and goes, pods end late, the operator crashes, time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.w = World({})
        self.w.before_write = self.check_write
        self.w.before_start = self.check_start
        self.w.lingers = True
        self.rolled_back: set[str] = set()

    @initialize(stop_first=st.booleans(), scaled=st.booleans())
    def first(self, stop_first: bool, scaled: bool) -> None:
        size: JSON = {"replicas": LEAST}
        if scaled:
            size = {"autoscaling": {"minReplicas": LEAST, "maxReplicas": MOST}}
        self.w.spec = {
            "model": model(MODELS[0]),
            **size,
            "rollout": {
                "steps": [],
                "stopFirst": stop_first,
                "scaleDownDelaySeconds": 30,
                "progressDeadlineSeconds": 120,
            },
        }
        self.w.settle()
        self.w.pods_ready()
        self.w.settle()

    @property
    def least(self) -> int:
        return LEAST if "autoscaling" in self.w.spec else int(self.w.spec["replicas"])

    def check_write(self, old: ModelDeploymentStatus, new: ModelDeploymentStatus) -> None:
        """What must hold between two statuses that follow each other."""
        if old.stable is not None:
            assert new.stable is not None, "what serves is never forgotten"
        if old.canary and new.canary and old.canary.revision == new.canary.revision:
            assert new.canary.stop_first == old.canary.stop_first, "asked once"
        if new.stable and old.stable and new.stable.revision != old.stable.revision:
            tried = old.canary is not None and old.canary.revision == new.stable.revision
            assert tried or new.history[0].reason == "ScaledToZero"
        last = new.history[0] if new.history else None
        if last is not None and new.history != old.history:
            (self.rolled_back.add if last.outcome == "RolledBack" else self.rolled_back.discard)(
                last.revision
            )

    def check_start(self, name: str) -> None:
        """A revision gets its first pods: in such a trial, only once nobody else holds room."""
        canary = self.w.md.status.canary
        if canary is not None and canary.stop_first and name == canary.revision:
            others = {n: p for n, p in self.w.present().items() if p}
            assert not others, f"{name} starts while there is no room: {others}"

    @rule(uri=st.sampled_from(MODELS))
    def change_model(self, uri: str) -> None:
        self.w.edit(model=model(uri))

    @rule(stop_first=st.booleans())
    def change_mind(self, stop_first: bool) -> None:
        self.w.edit_rollout(stopFirst=stop_first)

    @rule(replicas=st.sampled_from([0, 1, 2, 3]))
    def resize(self, replicas: int) -> None:
        if "autoscaling" not in self.w.spec:
            self.w.edit(replicas=replicas)

    @rule(replicas=st.integers(LEAST, MOST))
    def load(self, replicas: int) -> None:
        """The autoscaler's controller acts on whom its object names."""
        for (kind, _), manifest in self.w.others.items():
            if kind == "HorizontalPodAutoscaler":
                spec = manifest["spec"]
                target = self.w.pods.get(spec["scaleTargetRef"]["name"])
                if target is not None and target.replicas:
                    target.replicas = max(spec["minReplicas"], min(replicas, spec["maxReplicas"]))
                    target.ready = min(target.ready, target.replicas)

    @rule(what=st.sampled_from(["promote", "abort", "retry", None]))
    def steer(self, what: str | None) -> None:
        self.w.edit_rollout(promote=None, abort=None, retry=None)
        self.w.reconcile()
        if what is not None:
            self.w.edit_rollout(**{what: self.w.wanted()})

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        self.w.edit_rollout(paused=paused)

    @rule(ready=st.sampled_from([True, True, False]), canary=st.booleans())
    def change_pods(self, ready: bool, canary: bool) -> None:
        self.w.pods_ready(self.w.wanted() if canary else None, ready=ready)

    @rule()
    def pods_gone(self) -> None:
        self.w.pods_gone()

    @rule(refused=st.booleans())
    def change_runtime(self, refused: bool) -> None:
        self.w.refused = refused

    @rule(writes=st.integers(0, 6))
    def crash(self, writes: int) -> None:
        with contextlib.suppress(Crash):
            self.w.reconcile(crash_after=writes)

    @rule(seconds=st.sampled_from([1, 31, 130, 400]))
    def wait(self, seconds: int) -> None:
        self.w.pass_time(seconds)
        self.w.reconcile()

    @rule(looks=st.integers(1, 4))
    def go_on(self, looks: int) -> None:
        for _ in range(looks):
            self.w.settle()
            self.w.pods_gone()
            self.w.pods_ready()
            self.w.pass_time(5)

    @rule()
    def live_well(self) -> None:
        """With everything in order it comes to rest, and what serves has its pods."""
        self.w.refused = False
        self.w.edit_rollout(paused=False, promote=None, abort=None)
        if not self.least:
            self.w.edit(replicas=1)  # A trial waits for pods to go on with.
        for _ in range(60):
            self.w.pass_time(20)
            self.w.pods_gone()
            self.w.pods_ready()
            self.w.settle()
            if not self.w.status.get("canary") and not self.w.status.get("old"):
                break
        status = self.w.md.status
        assert status.canary is None
        assert status.stable is not None
        wanted = self.w.wanted()
        assert status.stable.revision == wanted or wanted in self.rolled_back
        self.w.pods_gone()
        self.w.pods_ready()
        plan = self.w.settle()
        assert plan.requeue_after is None, "nothing is left to look at"
        assert set(self.w.pods) == {status.stable.revision}
        assert self.w.pods[status.stable.revision].replicas >= self.least
        assert self.w.md.status.stable.stopped_replicas is None, "it has its pods again"

    @invariant()
    def status_is_valid(self) -> None:
        assert self.w.md.status == ModelDeploymentStatus.model_validate(self.w.md.status.wire())


Life.TestCase.settings = LIVES
TestLife = Life.TestCase
