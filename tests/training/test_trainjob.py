"""A TrainJob trains for a run: what is made of it, and how it stands by conditions and pods."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from evenkeel.api.common import TrainingTemplate
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.controllers import kinds
from evenkeel.kube.store import Store
from evenkeel.meta.conditions import Condition
from evenkeel.meta.objects import Key, Ref
from evenkeel.meta.plan import Plan
from evenkeel.meta.times import timestamp
from evenkeel.training.engine import Observed
from evenkeel.training.engines import ENGINES
from evenkeel.training.engines.trainjob import TRAIN_JOB_ENGINE, problem, rank_pod
from evenkeel.training.plan import plan_run
from evenkeel.training.snapshot import RunSnapshot

Json = dict[str, Any]
NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
NAME = "elec-1a"
REPORT = json.dumps({"uri": "s3://m/1", "format": {"name": "sklearn"}})
TRAIN_JOB = {"runtimeRef": {"name": "torch"}, "trainer": {"image": "trainer:1", "numNodes": 2}}
DELETED = (Ref("trainer.kubeflow.org/v1alpha1", "TrainJob", "ml", NAME, "j1"),)


def run(train_job: Json | None = None, **training: Any) -> TrainingRun:
    return TrainingRun.model_validate(
        {
            "metadata": {
                "name": NAME,
                "namespace": "ml",
                "uid": "u1",
                "generation": 1,
                "creationTimestamp": timestamp(NOW),
            },
            "spec": {"model": "elec", "training": {"trainJob": train_job or TRAIN_JOB, **training}},
        }
    )


def plan(
    subject: TrainingRun,
    job: Json | None = None,
    *pods: Json,
    now: datetime = NOW,
    refusal: str = "",
) -> Plan:
    observed = Observed(job, {"JobSetPod": tuple(filter(None, map(rank_pod, pods)))}, refusal)
    return plan_run(RunSnapshot(run=subject, now=now, observed=observed))


def after(subject: TrainingRun, done: Plan) -> TrainingRun:
    return TrainingRun.model_validate({**subject.wire(), "status": done.status.wire()})


def started(subject: TrainingRun | None = None) -> TrainingRun:
    return after(subject or run(), plan(subject or run()))


def ready(done: Plan) -> Condition:
    return done.status.conditions[0]  # type: ignore[attr-defined, no-any-return]


def said(done: Plan) -> tuple[str, str]:
    return ready(done).reason, ready(done).message


def condition(type_: str, status: str = "True", *, at: datetime = NOW, **words: str) -> Json:
    return {"type": type_, "status": status, "lastTransitionTime": timestamp(at), **words}


def job(*told: Json, suspend: bool = False, **meta: Any) -> Json:
    """The TrainJob as the store keeps it."""
    known = {
        "name": NAME,
        "namespace": "ml",
        "uid": "j1",
        "ownerReferences": [{"uid": "u1"}],
        "creationTimestamp": timestamp(NOW),
    }
    status = {"conditions": list(told)} if told else {}
    return {"metadata": {**known, **meta}, "spec": {"suspend": suspend}, "status": status}


def pod(
    rank: int,
    phase: str = "Running",
    state: Json | None = None,
    *,
    at: int = 0,
    name: str = "",
    owner: str = NAME,
    **status: Any,
) -> Json:
    """A pod of the step that trains, created so many seconds after the TrainJob."""
    environment = [{"name": "PET_NNODES", "value": "2"}, {"name": "EVENKEEL_RUN", "value": owner}]
    ended = state or ({"running": {}} if phase == "Running" else {})
    return {
        "metadata": {
            "name": name or f"{owner}-node-0-{rank}-{at:05}",
            "namespace": "ml",
            "creationTimestamp": timestamp(NOW + timedelta(seconds=at)),
            "labels": {
                "jobset.sigs.k8s.io/jobset-name": owner,
                "batch.kubernetes.io/job-completion-index": str(rank),
            },
        },
        "spec": {"containers": [{"name": "proxy"}, {"name": "node", "env": environment}]},
        "status": {
            "phase": phase,
            "containerStatuses": [{"name": "proxy", "state": {}}, {"name": "node", "state": ended}],
            **status,
        },
    }


def ended(code: int, message: str = "", *, at: int = 60) -> Json:
    finished = timestamp(NOW + timedelta(seconds=at))
    return {"terminated": {"exitCode": code, "message": message, "finishedAt": finished}}


COMPLETE = condition("Complete", reason="AllJobsCompleted")
REACHED = condition(
    "Failed",
    reason="ReachedMaxRestarts",
    message="jobset failed (first failed job: elec-1a-node-0)",
)
LATE = NOW + timedelta(days=1)

# What is made.


def test_it_has_what_every_release_of_trainer_knows_and_no_more() -> None:
    (made,) = plan(run()).creates
    assert (made["apiVersion"], made["kind"]) == ("trainer.kubeflow.org/v1alpha1", "TrainJob")
    assert set(made["spec"]) == {"runtimeRef", "trainer", "suspend"}
    assert made["spec"]["runtimeRef"] == {
        "name": "torch",
        "kind": "ClusterTrainingRuntime",
        "apiGroup": "trainer.kubeflow.org",
    }
    assert made["spec"]["suspend"] is False
    trainer = made["spec"]["trainer"]
    # An empty command would take the runtime's away.
    assert {k: v for k, v in trainer.items() if k != "env"} == {"image": "trainer:1", "numNodes": 2}
    assert made["metadata"]["labels"]["evenkeel.dev/run"] == NAME
    assert made["metadata"]["ownerReferences"][0]["uid"] == "u1"


def test_what_is_asked_for_is_in_it() -> None:
    trainer = {
        "command": ["torchrun"],
        "args": [],
        "numProcPerNode": "auto",
        "resourcesPerNode": {"requests": {"cpu": "1"}},
    }
    given = {
        "runtimeRef": {"name": "own", "kind": "TrainingRuntime"},
        "trainer": trainer,
        "initializer": {"dataset": {"storageUri": "hf://a/b"}},
    }
    labels = {"kueue.x-k8s.io/queue-name": "gpus"}
    (made,) = plan(run(given, suspend=True, metadata={"labels": labels})).creates
    spec = made["spec"]
    assert spec["runtimeRef"]["kind"] == "TrainingRuntime"
    assert {k: v for k, v in spec["trainer"].items() if k != "env"} == trainer
    assert spec["initializer"] == {"dataset": {"storageUri": "hf://a/b"}}
    assert spec["suspend"] is True
    assert made["metadata"]["labels"] | labels == made["metadata"]["labels"]


def test_the_trainer_gets_the_environment_of_the_run_before_its_own() -> None:
    own = [
        {"name": "OUT", "value": "s3://m/$(EVENKEEL_RUN)"},
        {"name": "EVENKEEL_RUN", "value": "x"},
    ]
    subject = run({**TRAIN_JOB, "trainer": {"env": own}}, parameters={"EPOCHS": "3"})
    champion = ModelVersion.model_validate(
        {
            "metadata": {"name": "elec-0"},
            "spec": {"model": "elec", "uri": "s3://m/0", "format": {"name": "sklearn"}},
        }
    )
    (made,) = plan_run(RunSnapshot(run=subject, now=NOW, champion=champion)).creates
    env = made["spec"]["trainer"]["env"]
    values = {e["name"]: e["value"] for e in env}
    assert len(values) == len(env)
    assert (values["EVENKEEL_RUN"], values["EPOCHS"]) == (NAME, "3")
    assert values["EVENKEEL_CHAMPION_URI"] == "s3://m/0"
    assert env[-1] == own[0]


def test_environment_that_cannot_be_extended_is_told() -> None:
    given = {**TRAIN_JOB, "trainer": {"env": [{"name": 1}]}}
    assert problem(run(given).spec.training) is not None
    assert problem(run().spec.training) is None
    assert said(plan(run(given)))[0] == "InvalidTemplate"


def test_a_template_is_that_of_one_engine_and_every_engine_has_its_field() -> None:
    assert TrainingTemplate.engines() == tuple(engine.field for engine in ENGINES)
    both = run(podTemplate={"spec": {"containers": [{"name": "a"}]}})
    assert said(plan(both)) == (
        "InvalidTemplate",
        "training needs exactly one of training.podTemplate, training.trainJob, "
        "training.workflow, training.rayJob, training.pipelineRun",
    )


# Which pods are known.


def test_only_pods_that_train_for_a_run_are_kept() -> None:
    store = Store(indexed=kinds.indexed(), slims=kinds.slims())
    mine = pod(0)
    others = (
        pod(0, owner="somebody-elses"),
        {**pod(1), "spec": {"containers": [{"name": "dataset-initializer"}]}},
    )
    others[0]["spec"]["containers"][1]["env"] = []
    for number, obj in enumerate((mine, *others)):
        obj["metadata"] |= {"uid": f"p{number}", "resourceVersion": "1", "name": f"p{number}"}
        store.put("JobSetPod", obj)
    assert store.keys("JobSetPod") == [Key("JobSetPod", "ml", "p0")]
    (kept,) = store.labelled("JobSetPod", "ml", TRAIN_JOB_ENGINE.run_label("JobSetPod"), NAME)
    assert "spec" not in kept
    assert len(kept["metadata"]["labels"]) == 2


def test_pods_of_an_earlier_train_job_of_the_name_are_not_asked() -> None:
    stale = pod(0, "Succeeded", ended(0, REPORT), at=-60)
    assert said(plan(started(), job(COMPLETE), stale)) == (
        "Running",
        "the TrainJob is complete; waiting for its pod's report",
    )


# How it stands.


def test_progress_by_the_pods() -> None:
    assert said(plan(started(), job()))[1].startswith("no pod yet; if that lasts, Events of the")
    pulling = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    stuck = plan(started(), job(), pod(0), pod(1, "Pending", pulling))
    assert said(stuck) == ("Pending", "ImagePullBackOff: no such image")
    half = plan(started(), job(), pod(0), pod(1, "Pending"))
    assert said(half) == ("Running", "1 of 2 pods run")
    assert said(plan(started(), job(), pod(0, "Pending")))[1] == "waiting for the pods to start"


def test_the_report_of_rank_0_counts_once_all_have_succeeded() -> None:
    first, second = (pod(r, "Succeeded", ended(0, REPORT if r == 0 else "{}")) for r in (0, 1))
    assert said(plan(started(), job(), first, pod(1)))[0] == "Running"
    done = plan(started(), job(COMPLETE), second, first)
    assert said(done)[0] == "Succeeded"
    (version,) = done.creates
    assert version["spec"]["uri"] == "s3://m/1"
    assert version["spec"]["trainedTime"] == timestamp(NOW)
    assert done.deletes == ()


def test_a_report_is_taken_though_the_time_was_over_while_the_operator_was_away() -> None:
    done = plan(started(), job(COMPLETE), pod(0, "Succeeded", ended(0, REPORT)), now=LATE)
    assert said(done)[0] == "Succeeded"


def test_rank_0_without_a_report() -> None:
    none = plan(started(), job(COMPLETE), pod(0, "Succeeded", ended(0)))
    assert said(none)[0] == "InvalidResult"
    lost = plan(started(), job(COMPLETE), pod(1, "Succeeded", ended(0, REPORT)), now=LATE)
    assert said(lost)[0] == "ReportLost"


def test_the_failure_is_told_of_the_rank_that_failed_first() -> None:
    oom = pod(1, "Failed", ended(137, "out of memory", at=50))
    wake = pod(0, "Failed", ended(1, "NCCL: peer is gone", at=55))
    failed = plan(started(), job(REACHED), wake, oom)
    words = "ReachedMaxRestarts: rank 1: exit code 137: out of memory"
    assert said(failed) == ("TrainerFailed", words)
    assert failed.deletes == ()


def test_a_failure_without_pods_has_trainer_s_own_words() -> None:
    assert said(plan(started(), job(REACHED)))[1] == (
        "ReachedMaxRestarts: jobset failed (first failed job: elec-1a-node-0)"
    )


def test_the_words_of_an_attempt_outlive_its_pods() -> None:
    failing = pod(1, "Failed", ended(3, "no data"))
    going = plan(started(), job(), pod(0), failing, pod(1, at=70))
    assert said(going) == (
        "Running",
        "2 of 2 pods run; the one before: rank 1: exit code 3: no data",
    )
    later = plan(after(started(), going), job(REACHED))
    assert said(later)[1] == "ReachedMaxRestarts: rank 1: exit code 3: no data"


def test_between_the_end_of_the_pods_and_what_follows() -> None:
    failing = pod(1, "Failed", ended(3, "no data"))
    assert said(plan(started(), job(), failing)) == (
        "Pending",
        "the pods have ended; the TrainJob tries again or ends; the one before: rank 1: exit code 3"
        ": no data",
    )


def test_a_newer_failure_replaces_the_words_of_a_rank_that_was_tried_again() -> None:
    failing = pod(1, "Failed", ended(3, "no data", at=10))
    newer = pod(0, "Failed", ended(4, "no disk", at=80))
    assert "rank 0: exit code 4" in said(plan(started(), job(), failing, pod(1, at=20), newer))[1]


def test_a_pod_that_was_taken_away_is_told_as_such() -> None:
    why = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
    taken = pod(1, "Failed", ended(143), conditions=[why])
    told = said(plan(started(), job(), pod(0), taken))[1]
    assert told.endswith("rank 1: the pod was taken away (PreemptionByScheduler)")


def test_what_the_controllers_are_refused_is_told() -> None:
    refused = plan(started(), job(), refusal='pods "x" is forbidden: exceeded quota: q')
    assert said(refused)[0] == "Pending"
    assert "no pod can be created: pods" in said(refused)[1]
    assert "have it raised; it is tried again by itself" in said(refused)[1]
    assert refused.requeue_after == 15
    over = plan(started(), job(), now=LATE, refusal="exceeded quota: q")
    assert "no pod could be created: exceeded quota" in said(over)[1]


def test_events_of_the_train_job_and_of_its_jobs_are_asked_for() -> None:
    assert TRAIN_JOB_ENGINE.events(job()) == (
        "involvedObject.uid=j1",
        "involvedObject.kind=Job,involvedObject.name=elec-1a-node-0",
        "involvedObject.kind=Job,involvedObject.name=elec-1a-launcher-0",
    )


# Suspension and time.


def test_suspended_by_a_queue_or_a_person() -> None:
    queue = {"labels": {"kueue.x-k8s.io/queue-name": "gpus"}}
    waits = plan(started(), job(suspend=True, **queue))
    assert said(waits) == ("Suspended", "the TrainJob waits in Kueue's queue gpus")
    asked = plan(started(run(suspend=True)), job(suspend=True))
    assert "as training.suspend asks" in said(asked)[1]


def test_a_column_that_lies_after_resumption_is_not_believed() -> None:
    resumed = job(condition("Suspended", "False", reason="Resumed"))
    assert said(plan(started(), resumed, pod(0), pod(1)))[0] == "Running"


def test_its_time_is_the_run_s_and_it_is_deleted_when_that_is_over() -> None:
    going = plan(started(), job(), pod(0), now=NOW + timedelta(minutes=50))
    assert (said(going)[0], going.requeue_after, going.deletes) == ("Running", 600, ())
    hour = NOW + timedelta(hours=1)
    over = plan(started(), job(), pod(0), now=hour)
    assert said(over) == ("TimedOut", "the training took longer than timeoutSeconds 3600")
    assert over.deletes == DELETED
    assert plan(after(started(), over), job(), pod(0), now=hour).deletes == DELETED, "a crash"


def test_its_time_stands_still_while_suspended_and_begins_anew_then() -> None:
    waits = plan(started(), job(suspend=True), now=LATE)
    assert said(waits)[0] == "Suspended"
    held = after(started(), waits)
    resumed = job(condition("Suspended", "False", at=LATE, reason="Resumed"))
    going = after(held, plan(held, resumed, now=LATE))
    left = plan(going, resumed, pod(0), now=LATE + timedelta(minutes=59))
    assert (said(left)[0], left.requeue_after) == ("Running", 60)
    assert plan(going, resumed, now=LATE + timedelta(hours=1)).deletes == DELETED


def test_it_begins_anew_too_if_the_operator_was_away_meanwhile() -> None:
    resumed = job(condition("Suspended", "False", at=LATE, reason="Resumed"))
    left = plan(started(), resumed, pod(0), now=LATE + timedelta(minutes=59))
    assert (said(left)[0], left.requeue_after) == ("Running", 60)


def test_its_time_goes_on_though_trainer_never_takes_the_resumption_up() -> None:
    held = after(started(run(suspend=True)), plan(started(run(suspend=True)), job(suspend=True)))
    ignored = job(condition("Suspended", reason="Suspended"))
    going = plan(held, ignored, now=LATE)
    assert (said(going)[0], going.deletes) == ("Pending", ())
    over = plan(after(held, going), ignored, now=LATE + timedelta(hours=1))
    assert (said(over)[0], over.deletes) == ("TimedOut", DELETED)


def test_a_crash_before_the_status_leaves_it_its_time() -> None:
    assert said(plan(run(), job(), pod(0)))[0] == "Running"


@pytest.mark.parametrize("told", [COMPLETE, REACHED])
def test_a_finished_one_is_deleted_in_the_end(told: Json) -> None:
    done = after(started(), plan(started(), job(told), pod(0, "Succeeded", ended(0, REPORT))))
    assert plan(done, job(told), now=NOW + timedelta(hours=2)).deletes == ()
    assert plan(done, job(told), now=LATE).deletes == DELETED
