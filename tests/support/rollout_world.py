"""A small cluster around one ModelDeployment: pods, traffic, Prometheus, time and crashes.

It keeps what the API server would keep (spec, status as JSON, children), so that a restart of the
operator is nothing special: every plan starts from there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from evenkeel.api import ModelDeployment
from evenkeel.api.analysis import Analysis, IndicatorSpec
from evenkeel.api.indicatortemplate import IndicatorTemplateSpec
from evenkeel.api.labels import STEP_JOB
from evenkeel.api.modeldeploymentstatus import CanaryStatus, ModelDeploymentStatus
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.servingruntime import ServingRuntimeSpec
from evenkeel.controllers.modeldeployment import step_webhooks
from evenkeel.controllers.modeldeployment.plan import plan_deployment
from evenkeel.controllers.modeldeployment.snapshot import DeploymentSnapshot
from evenkeel.meta.objects import Ref
from evenkeel.meta.plan import Plan
from evenkeel.meta.refusal import Refused
from evenkeel.meta.times import timestamp
from evenkeel.outside.poll import Sighting
from evenkeel.performance.measurement import Loads
from evenkeel.rollout.probation import judged_by, mirrors, taken_over
from evenkeel.rollout.step_jobs import StepJobs
from evenkeel.serving.model_source import Target
from evenkeel.serving.observed import Child, Pods
from evenkeel.serving.pod_marks import ServingPod
from evenkeel.serving.pod_metadata import with_given
from evenkeel.serving.ports import Ports
from evenkeel.serving.processes import Process
from evenkeel.serving.revision import revision_name
from evenkeel.serving.runtime_selection import Selected
from evenkeel.traffic.inference_pool import pool_port
from evenkeel.verdict.judgement import JUDGED, Observations, begins
from evenkeel.verdict.pair_indicators import of_pairs
from evenkeel.verdict.samples import Look, Reading, Unobserved
from evenkeel.verdict.tally import Tally
from evenkeel.verdict.templates import made_of_templates

from tests.support.serving_examples import SETTINGS, runtime_spec

JSON = dict[str, Any]
Answers = Literal["ok", "down", "empty", "half"]
ALL_AND_BAD = {"total": "t", "bad": "b"}
INDICATORS = ({"name": "errors", **ALL_AND_BAD}, {"name": "wrong", **ALL_AND_BAD})


class Crash(Exception):
    """The operator died between two writes."""


@dataclass
class Serving:
    """A revision's Deployment and the requests that its pods have answered."""

    replicas: int
    ready: int = 0
    total: int = 0
    bad: int = 0
    uid: str = ""
    diagnosis: str = ""
    refused: str = ""
    crashes: int = 0
    deadline: int = 600


@dataclass
class World:
    """`quality`: share of bad answers by model URI. `requests`: a second, over all revisions.

    `lingers`: whether pods that are taken away hold their room until `pods_gone`. `late`:
    indicators that count `labels` (by revision all and bad ones) and no answers. `report`: of every
    load generator, as its last words; "" while it goes on. `job_condition`, `job_pod`: of every
    Job of a step, {} while it goes on. `gate`: what is known of the gate that is asked.
    `versions`: those that are served.
    `blind`: revisions whose meters cannot be told whom to pass requests on to. `marks`: annotations
    by pod. `pairs`: by canary the copies, those that it alone answered badly, and stable alone.
    `around`: the other ModelDeployments as a reconcile reads them.
    """

    spec: JSON
    name: str = "fraud"
    around: Callable[[], tuple[ModelDeployment, ...]] = tuple
    kind: type[ModelDeployment] = ModelDeployment
    quality: dict[str, float] = field(default_factory=dict)
    requests: int = 40
    runtime: ServingRuntimeSpec = field(default_factory=runtime_spec)
    answers: Answers = "ok"
    refused: bool = False
    unrouted: str = ""
    lingers: bool = False
    late: frozenset[str] = frozenset()
    templates: dict[str, JSON] = field(default_factory=dict)
    labels: dict[str, tuple[int, int]] = field(default_factory=dict)
    report: str = ""
    job_condition: JSON = field(default_factory=dict)
    gate: Sighting[object] = field(default_factory=Sighting)
    job_pod: JSON = field(default_factory=dict)
    versions: tuple[ModelVersion, ...] = ()
    blind: frozenset[str] = frozenset()
    marks: dict[str, dict[str, str]] = field(default_factory=dict)
    pairs: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    leaving: dict[str, int] = field(default_factory=dict)
    status: JSON = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    pods: dict[str, Serving] = field(default_factory=dict)
    others: dict[tuple[str, str], JSON] = field(default_factory=dict)
    now: datetime = datetime(2026, 1, 31, 9, tzinfo=UTC)
    generation: int = 1
    deleting: bool = False
    plans: list[Plan] = field(default_factory=list)
    made_jobs: list[str] = field(default_factory=list)
    before_write: Callable[[ModelDeploymentStatus, ModelDeploymentStatus], None] | None = None
    before_start: Callable[[str], None] | None = None
    made: int = 0
    begun: datetime = datetime(2026, 1, 31, 9, tzinfo=UTC)
    tallies: dict[tuple[str, ...], Tally] = field(default_factory=dict)
    looked: dict[tuple[str, ...], Tally] = field(default_factory=dict)
    pod_templates: dict[str, JSON] = field(default_factory=dict)

    @property
    def md(self) -> ModelDeployment:
        meta: JSON = {
            "name": self.name,
            "namespace": "shop",
            "uid": "0-1-2",
            "generation": self.generation,
            "annotations": self.annotations,
        }
        if self.deleting:
            meta["deletionTimestamp"] = timestamp(self.now)
        return self.kind.model_validate(
            {"metadata": meta, "spec": self.spec, "status": self.status}
        )

    def edit(self, **spec: Any) -> None:
        """A change of top-level fields of the spec by the user."""
        self.spec = {**self.spec, **spec}
        self.generation += 1

    def edit_rollout(self, **fields: Any) -> None:
        """A change of spec.rollout; None removes a field."""
        merged = {**self.spec.get("rollout", {}), **fields}
        self.edit(rollout={k: v for k, v in merged.items() if v is not None})

    def _template(self, indicator: IndicatorSpec) -> IndicatorTemplateSpec | None:
        assert indicator.template_ref is not None
        found = self.templates.get(indicator.template_ref.name)
        return None if found is None else IndicatorTemplateSpec.model_validate(found)

    def snapshot(self) -> DeploymentSnapshot:
        asked = dict.fromkeys(step_webhooks.polls(self.md), self.gate)
        answered = step_webhooks.with_answer(self.md, asked)
        md, unmade = made_of_templates(answered, self._template)
        runtime = (
            Refused("RuntimeNotFound", "there is none")
            if self.refused
            else Selected("ClusterServingRuntime", "sk", self.runtime)
        )
        return DeploymentSnapshot(
            deployment=md,
            target=self.target(),
            runtime=runtime,
            children=tuple(self._children()),
            present=self.present(),
            versions=self.versions,
            seen=self._seen(md),
            unmade=unmade,
            settings=SETTINGS,
            now=self.now,
            loads=self.loads(),
            pods=self.serving_pods(),
            steps=self.steps(),
            others=self.around(),
            copied=self._copied(),
        )

    def _copied(self) -> JSON | None:
        """Stable's template, where the status asks for a baseline that is not there."""
        stable, canary = self.md.status.stable, self.md.status.canary
        if stable is None or canary is None or not canary.baseline:
            return None
        if canary.baseline in self.pods or stable.revision not in self.pods:
            return None
        return self.pod_templates[stable.revision]

    def serving_pods(self) -> tuple[ServingPod, ...]:
        """Each pod with what it is told."""
        return tuple(
            with_given(
                ServingPod(
                    Ref("v1", "Pod", "shop", name, f"uid-{name}"),
                    revision,
                    {},
                    self.marks.get(name, {}),
                    divides=revision not in self.blind,
                )
            )
            for revision, pods in self.pods.items()
            for name in (f"{revision}-{number}" for number in range(pods.replicas))
        )

    def _mark(self, ref: Ref, change: JSON) -> None:
        has = {**self.marks.get(ref.name, {}), **change["metadata"]["annotations"]}
        self.marks[ref.name] = {k: v for k, v in has.items() if v is not None}

    def division(self, revision: str) -> JSON:
        """What the first pod of a revision is told."""
        text = self.marks.get(f"{revision}-0", {}).get("evenkeel.dev/division", "{}")
        return dict(json.loads(text))

    def target(self) -> Target:
        """What the spec asks for; of a version with that address it is that."""
        source = self.md.spec.model
        known = (v.metadata.name for v in self.versions if v.spec.uri == source.uri)
        return Target(source.uri or "", next(known, ""), format=source.format)

    def loads(self) -> Loads:
        """The Jobs that load a pod, and that pod."""
        jobs = self._jobs(of_steps=False)
        made = timestamp(self.begun)
        ended = {"exitCode": 0, "startedAt": made, "message": self.report}
        state = {"terminated": ended} if self.report else {"running": {"startedAt": made}}
        status = {"containerStatuses": [{"name": "evenkeel-load", "state": state}]}
        pods = [
            {
                "metadata": {
                    "name": f"{name}-x",
                    "creationTimestamp": made,
                    "ownerReferences": [{"uid": f"uid-{name}"}],
                },
                "status": status,
            }
            for name in jobs
        ]
        known = {
            name: {
                **job,
                "metadata": {**job["metadata"], "uid": f"uid-{name}", "creationTimestamp": made},
            }
            for name, job in jobs.items()
        }
        return Loads(known, tuple(pods))

    def _jobs(self, *, of_steps: bool) -> dict[str, JSON]:
        return {
            name: job
            for (kind, name), job in self.others.items()
            if kind == "Job" and (STEP_JOB in job["metadata"]["labels"]) == of_steps
        }

    def steps(self) -> StepJobs:
        """The Jobs of steps, and their pods as the kubelet tells of them."""
        jobs, told = self._jobs(of_steps=True), []
        if self.job_condition:
            told = [{"type": "Complete", **self.job_condition, "status": "True"}]
        known = {
            name: {
                **job,
                "metadata": {**job["metadata"], "uid": f"uid-{name}"},
                "status": {"conditions": told},
            }
            for name, job in jobs.items()
        }
        pods = [
            {
                "metadata": {"name": f"{name}-x", "ownerReferences": [{"uid": f"uid-{name}"}]},
                "status": self.job_pod,
            }
            for name in jobs
        ]
        return StepJobs(known, tuple(pods) if self.job_pod else ())

    def present(self) -> dict[str, int]:
        """Pods by revision, with those that are going."""
        names = [*self.pods, *self.leaving]
        return {
            n: (self.pods[n].replicas if n in self.pods else 0) + self.leaving.get(n, 0)
            for n in names
        }

    def pods_gone(self) -> None:
        """The pods that were going have ended."""
        self.leaving.clear()

    def _children(self) -> list[Child]:
        found = []
        for name, serving in self.pods.items():
            ref = Ref("apps/v1", "Deployment", "shop", name, serving.uid)
            pods = Pods(
                serving.replicas,
                serving.ready,
                serving.diagnosis,
                serving.replicas,
                processes=(Process(name, crashes=serving.crashes, last_words="exit code 3: no"),),
                deadline=serving.deadline,
                refused=serving.refused,
                blind=serving.replicas if name in self.blind else 0,
            )
            found.append(Child(ref, name, pods))
        for (kind, name), manifest in self.others.items():
            revision = manifest["metadata"]["labels"].get("evenkeel.dev/revision", "")
            ports = Ports() if kind == "Service" else None
            ref = Ref(manifest["apiVersion"], kind, "shop", name, f"uid-{name}")
            unrouted = self.unrouted if kind != "Service" else ""
            target = manifest["spec"].get("scaleTargetRef", {}).get("name", "")
            found.append(
                Child(
                    ref,
                    revision,
                    ports=ports,
                    number=pool_port(manifest),
                    diagnosis=unrouted,
                    scales=target,
                )
            )
        return found

    def _seen(self, md: ModelDeployment) -> Observations:
        unmade = made_of_templates(md, self._template).unmade
        canary, stable, analysis = md.status.canary, md.status.stable, judged_by(md)
        if canary is None or stable is None or analysis is None:
            return {}
        if canary.stage not in JUDGED:
            return {}
        down = Unobserved("PrometheusUnavailable", "connection refused", unanswered=True)
        seen: dict[str, Tally | Unobserved] = {}
        for indicator in analysis.indicators:
            if indicator.name in unmade:
                why = unmade[indicator.name].message
                seen[indicator.name] = Unobserved("InvalidIndicator", why)
                continue
            looked: Look | Unobserved
            if self.answers == "down" or (self.answers == "half" and indicator.name == "wrong"):
                looked = down
            elif self.answers == "empty":
                looked = Look({}, {}, self.now.timestamp())
            elif of_pairs(indicator):
                tally = self._tally(md, canary, analysis, indicator)
                counted = self._paired(canary.revision)
                seen[indicator.name] = tally.take(counted) if mirrors(canary) else tally
                continue
            else:
                late = indicator.name in self.late
                beside = canary.baseline or stable.revision
                sides = (self._counters(r, late=late) for r in (canary.revision, beside))
                looked = Look(*sides, self.now.timestamp())
            seen[indicator.name] = self._tally(md, canary, analysis, indicator).take(looked)
        trial = (canary.revision, canary.start_time, canary.baseline or stable.revision)
        self.looked = {(*trial, n): one for n, one in seen.items() if isinstance(one, Tally)}
        return seen

    def _tally(
        self,
        md: ModelDeployment,
        canary: CanaryStatus,
        analysis: Analysis,
        indicator: IndicatorSpec,
    ) -> Tally:
        """What is known of it: in memory, and after a crash as far as the status keeps it."""
        assert md.status.stable is not None
        since = begins(canary, md.spec.rollout.warm_up_seconds)
        alone = taken_over(canary)
        beside = canary.baseline or md.status.stable.revision
        trial = (canary.revision, canary.start_time, beside)
        known = self.tallies.get((*trial, indicator.name))
        if known is not None and known.spec == indicator:
            return known.since(since, alone=alone)
        kept = next((i for i in canary.indicators if i.name == indicator.name), None)
        return Tally.resume(indicator, analysis, kept, since, alone=alone)

    def _paired(self, canary: str) -> Look:
        """What stable's meters count, by which each pair is in both totals."""
        total, against, beside = self.pairs.get(canary, (0, 0, 0))
        sides = ({"pod=s": Reading(total, bad, good=False)} for bad in (against, beside))
        return Look(*sides, self.now.timestamp())

    def _counters(self, revision: str, *, late: bool) -> dict[str, Reading]:
        if late:
            total, bad = self.labels.get(revision, (0, 0))
            return {f"labels={revision}": Reading(total, bad, good=False)}
        pods = self.pods.get(revision)
        return (
            {f"pod={pods.uid}": Reading(pods.total, pods.bad, good=False)}
            if pods and pods.total
            else {}
        )

    def reconcile(self, crash_after: int | None = None) -> Plan:
        """One reconcile; it dies before the write of that number (from 0) if one is given."""
        plan = plan_deployment(self.snapshot())
        assert plan == plan_deployment(self.snapshot()), "the same snapshot gives the same plan"
        self.plans.append(plan)
        first = {ref.name: number for ref, number in plan.scales}
        writes: list[Callable[[], None]] = [lambda m=m: self._apply(m, first) for m in plan.applies]  # type: ignore[misc]
        writes += [lambda r=r, n=n: self._scale(r, n) for r, n in plan.scales]  # type: ignore[misc]
        writes += [lambda r=r, c=c: self._mark(r, c) for r, c in plan.marks]  # type: ignore[misc]
        writes += [lambda r=r: self._delete(r) for r in plan.deletes]  # type: ignore[misc]
        writes.insert(len(writes) if plan.status_last else 0, lambda: self._write_status(plan))
        writes += [lambda: self.annotations.update(plan.annotations)]
        self.tallies = self.looked
        for number, write in enumerate(writes):
            if number == crash_after:
                self.tallies = {}
                raise Crash
            write()
        return plan

    def settle(self, most: int = 30) -> Plan:
        """Reconciles until nothing more follows at this moment."""
        for _ in range(most):
            before = json.dumps([self.status, self.state()], sort_keys=True, default=str)
            plan = self.reconcile()
            after = json.dumps([self.status, self.state()], sort_keys=True, default=str)
            if before == after and (plan.requeue_after is None or plan.requeue_after > 0):
                return plan
        raise AssertionError(f"no rest after {most} reconciles: {self.status}")

    def restore(self, *, children: bool) -> None:
        """The object comes back without its status, with the pods or without."""
        self.status, self.generation = {}, 1
        if not children:
            self.pods.clear()
            self.others.clear()

    def state(self) -> list[Any]:
        """All children, for comparisons."""
        pods = {name: (s.replicas, s.uid) for name, s in self.pods.items()}
        return [pods, {" ".join(k): v for k, v in sorted(self.others.items())}, self.marks]

    def _write_status(self, plan: Plan) -> None:
        old = ModelDeploymentStatus.model_validate(self.status)
        assert isinstance(plan.status, ModelDeploymentStatus)
        if self.before_write is not None:
            self.before_write(old, plan.status)
        self.status = json.loads(json.dumps(plan.status.wire()))

    def _apply(self, manifest: JSON, first: dict[str, int]) -> None:
        name, kind = manifest["metadata"]["name"], manifest["kind"]
        if kind == "Job":
            assert ("Job", name) not in self.others, "a Job is made once"
            self.made_jobs.append(name)
            self.begun = self.now
        if kind != "Deployment":
            self.others[kind, name] = manifest
            self._one_autoscaler_each()
            return
        wanted = manifest["spec"].get("replicas")
        self.pod_templates[name] = manifest["spec"]["template"]
        if name not in self.pods:
            wanted = first.get(name, wanted)
            if wanted != 0 and self.before_start is not None:
                self.before_start(name)
            self.made += 1
            self.pods[name] = Serving(wanted if wanted is not None else 1, uid=f"u{self.made}")
        elif wanted is not None:
            self._resize(name, wanted)
        self.pods[name].deadline = manifest["spec"]["progressDeadlineSeconds"]

    def _one_autoscaler_each(self) -> None:
        """Two that select the same pods leave them alone (AmbiguousSelector)."""
        targets = [
            manifest["spec"]["scaleTargetRef"]["name"]
            for (kind, _), manifest in self.others.items()
            if kind == "HorizontalPodAutoscaler"
        ]
        assert len(set(targets)) == len(targets), f"two autoscalers on one Deployment: {targets}"

    def _scale(self, ref: Ref, replicas: int) -> None:
        assert ref.name in self.pods, "only what exists is scaled"
        self._resize(ref.name, replicas)

    def _resize(self, name: str, replicas: int) -> None:
        pods = self.pods[name]
        if not pods.replicas and replicas and self.before_start is not None:
            self.before_start(name)
        self._leave(name, pods.replicas - replicas)
        pods.replicas, pods.ready = replicas, min(pods.ready, replicas)

    def _leave(self, name: str, number: int) -> None:
        if self.lingers and number > 0:
            self.leaving[name] = self.leaving.get(name, 0) + number

    def _delete(self, ref: Ref) -> None:
        if ref.kind == "Deployment":
            self._leave(ref.name, self.pods[ref.name].replicas)
            del self.pods[ref.name]
        else:
            del self.others[ref.kind, ref.name]

    def pods_ready(self, revision: str | None = None, *, ready: bool = True) -> None:
        """All pods, or those of one revision, become ready or lose it."""
        for name, pods in self.pods.items():
            if revision in (None, name):
                pods.ready = pods.replicas if ready else 0

    def pass_time(self, seconds: int) -> None:
        """Requests are answered by whom the Service reaches."""
        self.now += timedelta(seconds=seconds)
        service = self.others.get(("Service", self.name))
        if service is None:
            return
        only = service["spec"]["selector"].get("evenkeel.dev/revision")
        serving = {n: p for n, p in self.pods.items() if p.ready and only in (None, n)}
        everyone = sum(p.ready for p in serving.values())
        for name, pods in serving.items():
            answered = self.requests * seconds * pods.ready // everyone
            told = self.division(name)
            if "share" in told:
                passed = answered * told["share"]["percent"] // 100
                self._answer(told["share"]["revision"], passed)
                answered -= passed
            bad = self._answer(name, answered)
            if "mirror" in told:
                canary = told["mirror"]["revision"]
                copies = answered * told["mirror"]["percent"] // 100
                known = self.pairs.get(canary, (0, 0, 0))
                own, other = bad * copies // answered, self._answer(canary, copies)
                both = min(own, other)
                new = (copies, other - both, own - both)
                a, b, c = (x + y for x, y in zip(known, new, strict=True))
                self.pairs[canary] = (a, b, c)

    def _answer(self, revision: str, requests: int) -> int:
        """Requests that a revision answers; how many of them badly."""
        pods = self.pods[revision]
        bad = int(requests * self.quality.get(self.uris().get(revision, ""), 0.0))
        pods.total += requests
        pods.bad += bad
        return bad

    def uris(self) -> dict[str, str]:
        """The model URI by revision, as the status tells."""
        status = self.md.status
        found = {r.revision: r.uri for r in (status.stable, status.canary) if r is not None}
        if status.stable is not None and status.canary is not None:
            found[status.canary.baseline] = status.stable.uri
        return found

    def wanted(self) -> str:
        """Name of the revision that the spec asks for."""
        return revision_name(self.name, self.target(), self.runtime, self.md.spec)


def run(w: World, seconds: int = 300, step: int = 5) -> World:
    """Time passes, and pods get ready."""
    for _ in range(0, seconds, step):
        w.pass_time(step)
        w.pods_ready()
        w.settle()
    return w
