"""The Job engine: a pod template in a batch/v1 Job, and how that Job stands.

Its report is the termination message of the trainer, the first container of the pod template.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from evenkeel.api.common import TrainingTemplate
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.trainingrun import CutShort, TrainingRun
from evenkeel.meta.admission import explained
from evenkeel.meta.objects import Manifest
from evenkeel.meta.resources import JOB, POD, READ, Watch
from evenkeel.pods.disruption import NOT_BY_DISRUPTION
from evenkeel.pods.security import restricted
from evenkeel.pods.slim import slim
from evenkeel.training import data
from evenkeel.training.engine import Engine, Observed, State, labels_of, manifest_of
from evenkeel.training.environment import environment, extensible
from evenkeel.training.main_object import (
    LOOK_AGAIN,
    LOOK_SOON,
    conditions,
    queue,
    true,
    why_suspended,
    without_report,
)
from evenkeel.training.trainer_pods import (
    end_time,
    evicted_for_own_excess,
    last_failure,
    leaving,
    left_behind,
    lost,
    report,
    reporting,
    running,
    seconds_since_end,
    unfinished,
    waiting,
)

Json = Mapping[str, Any]

LEFT_BEHIND_SECONDS = 10.0
"""For so long other containers may run on after the trainer's end."""


def problem(training: TrainingTemplate) -> str | None:
    """What in the pod template would keep the Job from working; None if nothing does."""
    assert training.pod_template is not None
    pod = training.pod_template.spec
    containers, init = pod.get("containers"), pod.get("initContainers") or []
    if not isinstance(containers, list) or not containers:
        return "training.podTemplate.spec.containers needs the trainer as its first container"
    if not isinstance(init, list) or not all(map(extensible, (*containers, *init))):
        return (
            "training.podTemplate.spec: containers must be objects and their env lists of objects "
            "with a name"
        )
    if pod.get("restartPolicy", "Never") != "Never":
        return (
            "training.podTemplate.spec.restartPolicy must be Never or left out; "
            "training.retries says how often a failed pod is tried again"
        )
    return data.problem(training)


def training_job(run: TrainingRun, champion: ModelVersion | None = None) -> Manifest:
    """The Job; the template must have no `problem`.

    It has no time to live of its own: the run deletes it once the result is in its status.
    """
    training, template = run.spec.training, run.spec.training.pod_template
    assert template is not None
    meta = template.metadata
    spec = copy.deepcopy(template.spec)
    spec["restartPolicy"] = "Never"
    trainer = spec["containers"][0]
    trainer["env"] = environment(run, champion, trainer.get("env") or [])
    # On success only the file counts; on failure the end of the log tells more than nothing.
    trainer.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    job = {
        "backoffLimit": training.retries,
        "activeDeadlineSeconds": training.timeout_seconds,
        "suspend": training.suspend,
        # A drained or preempted node is not the trainer's failure.
        "podFailurePolicy": NOT_BY_DISRUPTION,
        "template": {
            "metadata": {
                "labels": {**(meta.labels if meta else {}), **labels_of(run)},
                "annotations": dict(meta.annotations) if meta else {},
            },
            "spec": restricted(spec),
        },
    }
    return manifest_of(JOB, run, job)


def job_state(run: TrainingRun, observed: Observed, now: datetime) -> State:
    """How the Job stands, and which data its newest pod was given."""
    job, trainer = observed.main or {}, _trainer(run)
    pods = [pod for pod in observed.of(POD.kind) if _is_of(job, pod)]
    state = _state(run, observed, pods, now)
    if not run.spec.training.data or not pods:
        return state
    judged = reporting(pods, trainer)
    return state._replace(data=data.used(run, [judged] if judged is not None else pods))


def _state(run: TrainingRun, observed: Observed, pods: Sequence[Json], now: datetime) -> State:
    """By its trainer's end where there is one, then by its conditions."""
    job, trainer = observed.main or {}, _trainer(run)
    status = job.get("status") or {}
    told = conditions(job)
    over = true(told.get("Complete")) or true(told.get("Failed"))
    if (pod := reporting(pods, trainer)) is not None:
        completed = status.get("completionTime") or end_time(pod, trainer)
        return _succeeded(pod, trainer, now, over=over)._replace(completed=completed)
    if true(told.get("Complete")):
        return without_report(run, JOB.kind, told["Complete"], now)
    failure = last_failure(pods, trainer) or run.status.last_failure
    if true(told.get("Failed")):
        return _failed(told["Failed"], failure, observed.refusal)
    if true(told.get("FailureTarget")):
        reason = told["FailureTarget"].get("reason", "")
        words = f"the Job is ending: {reason}"
        return State("Running", words, failure=failure, cut_short=run.status.cut_short)
    if (job.get("spec") or {}).get("suspend", true(told.get("Suspended"))):
        return _suspended(run, job, pods, failure)
    return _going_on(run, observed, pods, failure, now)


class _Attempts(NamedTuple):
    """How many have failed, of how many, and what the run's status says of them."""

    failed: int
    limit: int
    cut_short: CutShort

    @property
    def text(self) -> str:
        return f"attempt {min(self.failed + 1, self.limit)} of {self.limit}"


def _attempts(run: TrainingRun, job: Json, pods: Sequence[Json]) -> _Attempts:
    """The Job's own count, and what it does not count: the kubelet's evictions, and pods that were
    ended."""
    known = run.status.cut_short or CutShort()
    counted = int((job.get("status") or {}).get("failed") or 0)
    failed = counted + evicted_for_own_excess(pods) + known.attempts
    return _Attempts(failed, int((job.get("spec") or {}).get("backoffLimit", 6)) + 1, known)


def _suspended(run: TrainingRun, job: Json, pods: Sequence[Json], failure: str) -> State:
    """By a queue or a person; or by `_cut_short`, whose end it is once the pod is gone."""
    attempts = _attempts(run, job, pods)
    told = run.status.cut_short
    waits = State("Suspended", why_suspended(run, JOB.kind, job), failure=failure, cut_short=told)
    if not attempts.cut_short.pod:
        return waits
    if any(unfinished(pod) for pod in pods):
        words = f"{attempts.text} begins once the pod of the one before has ended: {failure}"
        return State("Pending", words, failure=failure, cut_short=told)
    if queue(job):
        return waits
    words = f"{attempts.text} begins; the one before: {failure}"
    resumed = {"spec": {"suspend": False}}
    return State("Pending", words, failure=failure, cut_short=told, patch=resumed)


def _going_on(
    run: TrainingRun, observed: Observed, pods: Sequence[Json], failure: str, now: datetime
) -> State:
    job, trainer = observed.main or {}, _trainer(run)
    attempts = _attempts(run, job, pods)
    stuck = next((pod for pod in pods if left_behind(pod, trainer)), None)
    if stuck is not None:
        return _cut_short(attempts, stuck, trainer, failure, now)
    if attempts.failed >= attempts.limit and evicted_for_own_excess(pods):
        # The Job would go on until its time is over.
        return State("Failed", f"BackoffLimitExceeded: {failure}", failure=failure, stop=True)
    cut_short = run.status.cut_short
    if cut_short is not None and not any(unfinished(p) and _uid(p) == cut_short.pod for p in pods):
        cut_short = cut_short.model_copy(update={"pod": ""})
    state = _waiting_or_running(attempts, observed, pods, failure)
    return state._replace(failure=failure, cut_short=cut_short)


def _waiting_or_running(
    attempts: _Attempts, observed: Observed, pods: Sequence[Json], failure: str
) -> State:
    attempt = attempts.text
    if attempts.failed or failure:
        attempt += f"; the one before: {failure or 'no pod is left'}"
    if words := waiting(pods) or data.being_brought(filter(unfinished, pods)):
        return State("Pending", f"{attempt}: {words}")
    if running(pods):
        return State("Running", attempt)
    if words := leaving(pods):
        return State("Pending", f"{attempt}: {words}; another follows")
    if observed.refusal:
        words = f"no pod can be created: {explained(observed.refusal)}"
        return State("Pending", f"{attempt}: {words}", requeue_after=LOOK_AGAIN)
    if not int(((observed.main or {}).get("status") or {}).get("active") or 0):
        words = "no pod yet; the Job's Events say why if that lasts"
        return State("Pending", f"{attempt}: {words}", requeue_after=LOOK_SOON)
    return State("Pending", f"{attempt}: waiting for the pod to start")


def _cut_short(attempts: _Attempts, pod: Json, trainer: str, failure: str, now: datetime) -> State:
    """The trainer has failed while other containers keep its pod from ending.

    Suspending the Job ends the pod, and resuming it starts another; neither counts as a failure to
    the Job, so the run does. It is recorded before it is done.
    """
    known, uid = attempts.cut_short, _uid(pod)
    left = _patience(pod, trainer, now)
    others = ", ".join(left_behind(pod, trainer))
    words = f"{attempts.text} has failed: {failure}; container {others} still runs and is stopped"
    if known.pod == uid:
        words = f"{failure}; container {others} still runs and is stopped"
    elif left > 0:
        return State("Running", words, failure=failure, cut_short=known, requeue_after=left)
    elif attempts.failed + 1 >= attempts.limit:
        return State("Failed", f"BackoffLimitExceeded: {failure}", failure=failure, stop=True)
    else:
        known = CutShort(attempts=known.attempts + 1, pod=uid)
    suspended = {"spec": {"suspend": True}}
    return State("Running", words, failure=failure, cut_short=known, patch=suspended)


def _succeeded(pod: Json, trainer: str, now: datetime, *, over: bool) -> State:
    """The trainer's report; a Job that others keep going is stopped after a while, and at once
    where it would try again."""
    found, again = report([pod], trainer), lost(pod)
    if over or not (again or left_behind(pod, trainer)):
        return State("Succeeded", "", found)
    left = 0.0 if again else _patience(pod, trainer, now)
    return State("Succeeded", "", found, stop=left <= 0, requeue_after=left or None)


def _patience(pod: Json, trainer: str, now: datetime) -> float:
    """Seconds that the other containers still have to end by themselves; never negative."""
    return max(0.0, LEFT_BEHIND_SECONDS - seconds_since_end(pod, trainer, now))


def _failed(condition: Json, failure: str, refusal: str) -> State:
    reason = condition.get("reason", "")
    if reason == "DeadlineExceeded":
        words = f"no pod could be created: {explained(refusal)}" if refusal else failure
        return State("TimedOut", words)
    return State("Failed", f"{reason}: {failure or 'no pod is left'}")


def _is_of(job: Json, pod: Json) -> bool:
    """Whether the pod is this Job's, and not that of an earlier one of the same name."""
    owners = pod["metadata"].get("ownerReferences") or ()
    return not owners or any(o.get("uid") == job["metadata"]["uid"] for o in owners)


def _uid(pod: Json) -> str:
    return str(pod["metadata"].get("uid", ""))


def _trainer(run: TrainingRun) -> str:
    """Name of the container that trains: the first."""
    template = run.spec.training.pod_template
    assert template is not None
    return str(template.spec["containers"][0].get("name", ""))


JOB_ENGINE = Engine(
    field="pod_template",
    type=JOB,
    watches=(
        Watch(JOB, kept=("backoffLimit", "suspend")),
        Watch(POD, verbs=READ, slim=slim),
    ),
    problem=problem,
    manifest=training_job,
    state=job_state,
    with_data=data.with_data,
)
