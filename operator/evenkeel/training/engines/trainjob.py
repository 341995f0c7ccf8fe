"""The TrainJob engine: Kubeflow Trainer v2 trains on one node or many, as a runtime says.

Trainer makes a JobSet of the TrainJob's name, that makes Jobs, and those make pods. The report is
the termination message of the container `node` in the pod of rank 0, read once the TrainJob is
complete: until then another rank may fail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from sys import intern
from typing import Any

from evenkeel.api.common import TrainingTemplate
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.admission import explained
from evenkeel.meta.objects import Manifest
from evenkeel.meta.resources import POD, READ, ResourceType, Watch
from evenkeel.meta.times import sooner
from evenkeel.pods.slim import slim
from evenkeel.training.engine import Engine, Observed, State, manifest_of, own_events
from evenkeel.training.environment import environment, extensible
from evenkeel.training.main_object import (
    LOOK_AGAIN,
    LOOK_SOON,
    conditions,
    of_its_life,
    seconds_left,
    true,
    why_suspended,
    without_report,
)
from evenkeel.training.trainer_pods import (
    age,
    end_time,
    failed,
    failure,
    leaving,
    report,
    running,
    unfinished,
    waiting,
)

Json = Mapping[str, Any]
JSON = dict[str, Any]

TRAIN_JOB = ResourceType("trainer.kubeflow.org", "v1alpha1", "trainjobs", "TrainJob")
JOB_SET_POD = POD._replace(kind="JobSetPod")
JOB_SET = "jobset.sigs.k8s.io/jobset-name"
"""The pods' label whose value is the TrainJob's name; labels of the TrainJob do not reach them."""
RANK = "batch.kubernetes.io/job-completion-index"
NODE = "node"
"""Trainer's name for the container that trains, and for the step whose Job runs it."""
STEPS = (NODE, "launcher")


def problem(training: TrainingTemplate) -> str | None:
    """What would keep the TrainJob from working; its runtime is known to Trainer alone."""
    assert training.train_job is not None
    if not extensible({"env": list(training.train_job.trainer.env)}):
        return "training.trainJob.trainer.env must be a list of objects with a name"
    return None


def train_job(run: TrainingRun, champion: ModelVersion | None = None) -> Manifest:
    """The TrainJob, of fields that all releases of Trainer v2 know."""
    template = run.spec.training.train_job
    assert template is not None
    trainer = template.trainer.wire()
    trainer["env"] = environment(run, champion, trainer["env"])
    spec = {
        "runtimeRef": template.runtime_ref.wire(),
        "trainer": trainer,
        "suspend": run.spec.training.suspend,
    }
    if template.initializer is not None:
        spec["initializer"] = template.initializer
    return manifest_of(TRAIN_JOB, run, spec)


def rank_pod(pod: JSON) -> JSON | None:
    """What is kept of a pod that trains for a run; None of those of other JobSets and steps.

    Trainer gives the run's environment to the container that trains and to no other.
    """
    containers = (pod.get("spec") or {}).get("containers") or ()
    if not any(c.get("name") == NODE and _of_a_run(c) for c in containers):
        return None
    kept, labels = slim(pod), pod["metadata"]["labels"]
    kept["metadata"]["labels"] = {k: intern(labels[k]) for k in (JOB_SET, RANK) if k in labels}
    return kept


def _of_a_run(container: Json) -> bool:
    return any(variable.get("name") == "EVENKEEL_RUN" for variable in container.get("env") or ())


def train_job_state(run: TrainingRun, observed: Observed, now: datetime) -> State:
    """How the TrainJob stands: by its conditions, and by the run's clock, since it has none."""
    job = observed.main or {}
    pods = of_its_life(job, observed.of(JOB_SET_POD.kind))
    told = conditions(job)
    if true(complete := told.get("Complete")):
        assert complete is not None
        return _complete(run, pods, complete, now)
    words = _first_failure(pods) or run.status.last_failure
    if true(over := told.get("Failed")):
        assert over is not None
        why = words or over.get("message") or "no pod is left"
        return State("Failed", f"{over.get('reason', '')}: {why}", failure=words)
    if (job.get("spec") or {}).get("suspend"):
        return State("Suspended", why_suspended(run, TRAIN_JOB.kind, job), failure=words)
    left = seconds_left(run, now, resumed=_resumed(told.get("Suspended")))
    if left <= 0:
        refused = f"no pod could be created: {explained(observed.refusal)}"
        return State("TimedOut", refused if observed.refusal else words, stop=True, failure=words)
    state = _going_on(pods, words, observed.refusal)
    soon = sooner(left, state.requeue_after)
    return state._replace(failure=words, requeue_after=soon)


def _complete(run: TrainingRun, pods: Sequence[Json], complete: Json, now: datetime) -> State:
    first = [pod for pod in pods if _rank(pod) == "0"]
    found = report(first, NODE)
    if found is None:
        return without_report(run, TRAIN_JOB.kind, complete, now)
    return State("Succeeded", "", found, completed=complete.get("lastTransitionTime"))


def _resumed(suspended: Json | None) -> str | None:
    return None if suspended is None or true(suspended) else suspended["lastTransitionTime"]


def _going_on(pods: Sequence[Json], words: str, refusal: str) -> State:
    before = f"; the one before: {words}" if words else ""
    here = [pod for pod in pods if unfinished(pod)]
    if why := waiting(here):
        return State("Pending", f"{why}{before}")
    if started := sum(running([pod]) for pod in here):
        return State("Running", f"{started} of {len(here)} pods run{before}")
    if why := leaving(here):
        return State("Pending", f"{why}; another follows{before}")
    if here:
        return State("Pending", f"waiting for the pods to start{before}")
    if pods:
        return State("Pending", f"the pods have ended; the TrainJob tries again or ends{before}")
    if refusal:
        why = f"no pod can be created: {explained(refusal)}"
        return State("Pending", f"{why}{before}", requeue_after=LOOK_AGAIN)
    why = "no pod yet; if that lasts, Events of the TrainJob, its JobSet and its Jobs say why"
    return State("Pending", f"{why}{before}", requeue_after=LOOK_SOON)


def _first_failure(pods: Sequence[Json]) -> str:
    """Rank and last words of the pod that failed first; the others fail in its wake.

    Only pods that no newer one has replaced count, as long as one of them has failed.
    """
    newest = {_rank(pod): pod for pod in sorted(pods, key=age)}.values()
    ended = _failed(newest) or _failed(pods)
    if not ended:
        return ""
    pod = min(ended, key=lambda p: end_time(p, NODE) or "~")
    return f"rank {_rank(pod)}: {failure(pod, NODE, taken_away='the pod was taken away')}"


def _failed(pods: Iterable[Json]) -> list[Json]:
    return [pod for pod in pods if failed(pod, NODE)]


def _rank(pod: Json) -> str:
    return str(pod["metadata"]["labels"].get(RANK, ""))


def _events(job: Json) -> tuple[str, ...]:
    """Those of the TrainJob, and of the Jobs whose pods train: the nodes', or MPI's launcher's."""
    name = job["metadata"]["name"]
    of_the_jobs = (f"involvedObject.kind=Job,involvedObject.name={name}-{step}-0" for step in STEPS)
    return (*own_events(job), *of_the_jobs)


TRAIN_JOB_ENGINE = Engine(
    field="train_job",
    type=TRAIN_JOB,
    watches=(
        Watch(TRAIN_JOB, kept=("suspend",), verbs=(*READ, "create", "delete")),
        Watch(JOB_SET_POD, selector=JOB_SET, verbs=READ, slim=rank_pod),
    ),
    problem=problem,
    manifest=train_job,
    state=train_job_state,
    run_labels={JOB_SET_POD.kind: JOB_SET},
    events=_events,
    refusals=("FailedCreate", "TrainJobResourcesCreationFailed"),
    integration="trainJob",
)
