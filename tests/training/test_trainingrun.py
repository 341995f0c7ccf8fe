"""A run trains once, and its report becomes a model version or a clear failure."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from evenkeel.api.retrainschedule import LastRun, RetrainScheduleStatus
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.conditions import Condition, refused_write
from evenkeel.meta.plan import Plan
from evenkeel.meta.times import timestamp
from evenkeel.training.engine import Observed
from evenkeel.training.engines.job import training_job
from evenkeel.training.plan import plan_run
from evenkeel.training.record import version_name
from evenkeel.training.run_state import finished, succeeded
from evenkeel.training.snapshot import RunSnapshot
from hypothesis import given
from hypothesis import strategies as st

from tests.support.retraining import TRAINING, schedule

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
REPORT = json.dumps(
    {"uri": "s3://m/1", "format": {"name": "sklearn"}, "metrics": {"accuracy": 0.9}}
)
Json = dict[str, Any]


def run(**spec: Any) -> TrainingRun:
    return TrainingRun.model_validate(
        {
            "metadata": {
                "name": "elec-1a",
                "namespace": "ml",
                "uid": "u1",
                "generation": 1,
                "creationTimestamp": timestamp(NOW),
            },
            "spec": {
                "model": "elec",
                "schedule": "elec",
                "cause": {"type": "Alert", "trigger": "drift", "alertCount": 5},
                "training": TRAINING,
                "gates": [{"name": "good", "metric": "accuracy", "min": "0.8"}],
                "approval": "Manual",
                **spec,
            },
        }
    )


def started(subject: TrainingRun | None = None) -> TrainingRun:
    """The run after its first reconcile."""
    return after(subject or run(), plan(subject or run()))


def after(subject: TrainingRun, done: Plan) -> TrainingRun:
    return TrainingRun.model_validate({**subject.wire(), "status": done.status.wire()})


def job(*conditions: tuple[str, str], uid: str = "u1", **status: Any) -> Json:
    return {
        "metadata": {"name": "elec-1a", "uid": "j1", "ownerReferences": [{"uid": uid}]},
        "spec": {"backoffLimit": 2},
        "status": {
            "conditions": [
                {"type": t, "status": "True", "reason": r, "lastTransitionTime": timestamp(NOW)}
                for t, r in conditions
            ],
            **status,
        },
    }


def pod(phase: str, name: str = "p1", created: str = "1", **state: Any) -> Json:
    return {
        "metadata": {"name": name, "creationTimestamp": created},
        "status": {
            "phase": phase,
            "containerStatuses": [
                {"name": "sidecar", "state": {"terminated": {"message": "no", "exitCode": 9}}},
                {"name": "trainer", "state": state},
            ],
        },
    }


def finished_pod(message: str = REPORT) -> Json:
    return pod("Succeeded", terminated={"exitCode": 0, "message": message})


COMPLETE = ("Complete", "CompletionsReached")


def plan(subject: TrainingRun, job: Json | None = None, *pods: Json, **more: Any) -> Plan:
    snapshot = RunSnapshot(
        run=subject, observed=Observed(job, {"Pod": pods}), **{"now": NOW, **more}
    )
    first = plan_run(snapshot)
    assert plan_run(snapshot) == first
    return first


def ready(done: Plan) -> Condition:
    return done.status.conditions[0]  # type: ignore[attr-defined, no-any-return]


def env(subject: TrainingRun) -> dict[str, str]:
    trainer = training_job(subject)["spec"]["template"]["spec"]["containers"][0]
    return {e["name"]: e["value"] for e in trainer["env"]}


def test_a_new_run_gets_its_job() -> None:
    first = plan(run())
    (manifest,) = first.creates
    assert (manifest["kind"], manifest["metadata"]["name"]) == ("Job", "elec-1a")
    assert manifest["metadata"]["ownerReferences"][0]["uid"] == "u1"
    spec = manifest["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (2, 3600)
    assert "ttlSecondsAfterFinished" not in spec
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    labels = {
        "app.kubernetes.io/managed-by": "evenkeel",
        "evenkeel.dev/run": "elec-1a",
        "evenkeel.dev/model": "elec",
        "evenkeel.dev/schedule": "elec",
    }
    assert spec["template"]["metadata"]["labels"] == manifest["metadata"]["labels"] == labels
    assert (ready(first).status, ready(first).reason) == ("Unknown", "Pending")
    status = first.status.wire()
    assert (status["job"], status["startTime"]) == ("elec-1a", timestamp(NOW))


def test_a_crash_before_the_status_plans_the_same_job_again() -> None:
    again = plan(run(), now=NOW + timedelta(hours=1))
    assert again.creates == plan(run()).creates


def test_the_trainer_learns_its_run_cause_and_parameters() -> None:
    given = env(run())
    assert given["EVENKEEL_RUN"] == "elec-1a"
    assert (given["EVENKEEL_MODEL"], given["EVENKEEL_NAMESPACE"]) == ("elec", "ml")
    assert json.loads(given["EVENKEEL_PARAMETERS"]) == {"EPOCHS": "3"}
    assert json.loads(given["EVENKEEL_CAUSE"])["alertCount"] == 5
    assert given["EPOCHS"] == "3"


def test_the_container_s_own_variables_win_over_parameters_and_may_refer_to_ours() -> None:
    own = [
        {"name": "EPOCHS", "value": "9"},
        {"name": "EVENKEEL_RUN", "value": "fake"},
        {"name": "OUT", "value": "s3://m/$(EVENKEEL_RUN)"},
    ]
    container = {"name": "trainer", "image": "x", "env": own}
    subject = run(training={**TRAINING, "podTemplate": {"spec": {"containers": [container]}}})
    trainer = training_job(subject)["spec"]["template"]["spec"]["containers"][0]
    names = [e["name"] for e in trainer["env"]]
    assert len(names) == len(set(names))
    assert names.index("EVENKEEL_RUN") < names.index("OUT")
    assert (env(subject)["EPOCHS"], env(subject)["EVENKEEL_RUN"]) == ("9", "elec-1a")


def test_an_alert_s_labels_cannot_name_another_variable() -> None:
    alert = {"fingerprint": "1", "startsAt": "", "labels": {"x": "$(SECRET) $$(SECRET)"}}
    value = env(run(cause={"type": "Alert", "alerts": [alert]}))["EVENKEEL_CAUSE"]
    assert value.replace("$$", "").count("$") == 0
    assert json.loads(value.replace("$$", "$"))["alerts"][0]["labels"] == alert["labels"]


def test_a_cause_with_huge_alerts_is_cut_to_whole_alerts() -> None:
    labels = {f"l{i}": "é" * 1000 for i in range(4)}
    alerts = [{"fingerprint": str(i), "startsAt": "", "labels": labels} for i in range(10)]
    value = env(run(cause={"type": "Alert", "alertCount": 10, "alerts": alerts}))["EVENKEEL_CAUSE"]
    assert len(value.encode()) <= 16384
    assert json.loads(value)["alertCount"] == 10


def test_pods_meet_the_restricted_standard_unless_the_user_says_otherwise() -> None:
    spec = training_job(run())["spec"]["template"]["spec"]
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert spec["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    pod_spec = {
        "securityContext": {"runAsUser": 0},
        "containers": [
            {"name": "trainer", "securityContext": {"privileged": True}},
            {"name": "b", "securityContext": {"allowPrivilegeEscalation": True}},
        ],
    }
    subject = run(training={"podTemplate": {"spec": copy.deepcopy(pod_spec)}})
    spec = training_job(subject)["spec"]["template"]["spec"]
    assert "runAsNonRoot" not in spec["securityContext"]
    assert "allowPrivilegeEscalation" not in spec["containers"][0]["securityContext"]
    assert spec["containers"][1]["securityContext"]["allowPrivilegeEscalation"] is True
    assert subject.spec.training.pod_template.spec == pod_spec


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({**TRAINING, "parameters": {"1st": "x"}}, "'1st' cannot be an environment variable"),
        ({**TRAINING, "parameters": {"EVENKEEL_RUN": "x"}}, "which is reserved"),
        (
            {
                **TRAINING,
                "resultFrom": {"mlflow": {"registry": "mlflow"}},
                "parameters": {"MLFLOW_EXPERIMENT_NAME": "x"},
            },
            "'MLFLOW_EXPERIMENT_NAME' is what training.resultFrom gives the trainer",
        ),
        ({"podTemplate": {"spec": {"containers": []}}}, "needs the trainer"),
        (
            {"podTemplate": {"spec": {"containers": [{"name": "a"}], "restartPolicy": "Always"}}},
            "restartPolicy must be Never",
        ),
    ],
)
def test_an_unusable_template_fails_before_any_job(training: Json, message: str) -> None:
    failed = plan(run(training=training))
    assert failed.creates == ()
    assert (ready(failed).status, ready(failed).reason) == ("False", "InvalidTemplate")
    assert message in ready(failed).message


JUNK = st.recursive(
    st.none() | st.integers() | st.sampled_from(["", "trainer", "Never"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["containers", "initContainers", "env", "name", "securityContext"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
ENV = st.lists(st.fixed_dictionaries({"name": JUNK}) | JUNK, min_size=1, max_size=2)
CONTAINERS = st.lists(
    st.fixed_dictionaries({"name": JUNK}, optional={"env": ENV | JUNK}), min_size=1, max_size=2
)


@given(
    st.fixed_dictionaries(
        {"containers": CONTAINERS},
        optional={"initContainers": CONTAINERS | JUNK, "securityContext": JUNK},
    )
    | st.fixed_dictionaries({"containers": JUNK, "restartPolicy": JUNK})
)
def test_any_pod_gives_a_job_or_a_reason(pod_spec: Json) -> None:
    done = plan(run(training={"podTemplate": {"spec": pod_spec}}))
    assert bool(done.creates) == (ready(done).reason == "Pending")
    assert done.creates or ready(done).reason == "InvalidTemplate"


def test_a_job_that_the_api_server_refuses_fails_the_run_with_its_words() -> None:
    failed = plan(run(), rejection="spec.template.spec.containers[0].image: Required value")
    assert ready(failed).reason == "InvalidTemplate"
    assert "containers[0].image: Required value" in ready(failed).message


@pytest.mark.parametrize(
    ("state", "pods", "reason", "message"),
    [
        ({"active": 1}, [pod("Running", running={})], "Running", "attempt 1 of 3"),
        ({"active": 1}, [], "Pending", "attempt 1 of 3: waiting for the pod to start"),
        (
            {"active": 1},
            [pod("Pending", waiting={"reason": "ImagePullBackOff", "message": "no such image"})],
            "Pending",
            "attempt 1 of 3: ImagePullBackOff: no such image",
        ),
        (
            {"active": 1, "failed": 1},
            [
                pod("Failed", terminated={"exitCode": 1, "message": "no data\n"}),
                pod("Running", "p2", "2", running={}),
            ],
            "Running",
            "attempt 2 of 3; the one before: exit code 1: no data",
        ),
    ],
)
def test_progress_says_where_the_training_is(
    state: Json, pods: list[Json], reason: str, message: str
) -> None:
    now = plan(started(), job(**state), *pods)
    assert now.creates == ()
    assert (ready(now).status, ready(now).reason, ready(now).message) == (
        "Unknown",
        reason,
        message,
    )
    assert now.status.conditions[1].type == "Reconciling"  # type: ignore[attr-defined]


def test_an_unschedulable_pod_and_a_suspended_job_are_told() -> None:
    waiting = pod("Pending")
    waiting["status"]["conditions"] = [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no GPU"}
    ]
    assert "Unschedulable: no GPU" in ready(plan(started(), job(active=1), waiting)).message
    assert ready(plan(started(), job(("Suspended", "JobSuspended")))).reason == "Suspended"


def test_a_report_becomes_a_model_version_that_nothing_owns() -> None:
    done = plan(started(), job(COMPLETE), finished_pod())
    (manifest,) = done.creates
    assert manifest["kind"] == "ModelVersion"
    assert (
        manifest["metadata"]["name"]
        == version_name(run())
        != version_name(
            TrainingRun.model_validate(
                {**run().wire(), "metadata": {"name": "elec-1a", "uid": "u2"}}
            )
        )
    )
    assert "ownerReferences" not in manifest["metadata"]
    assert manifest["metadata"]["labels"]["evenkeel.dev/run"] == "elec-1a"
    spec = manifest["spec"]
    assert (spec["uri"], spec["trainingRun"]) == ("s3://m/1", "elec-1a")
    assert spec["metrics"] == [{"name": "accuracy", "value": "0.9"}]
    assert (spec["parameters"], spec["approval"]) == (
        {"EPOCHS": "3"},
        {
            "mode": "Manual",
            "by": "",
            "comment": "",
        },
    )
    assert spec["gates"][0]["name"] == "good"
    assert (ready(done).status, ready(done).reason) == ("True", "Succeeded")
    status = done.status.wire()
    assert status["modelVersion"] == manifest["metadata"]["name"]
    assert status["result"]["uri"] == "s3://m/1"
    assert status["completionTime"] == timestamp(NOW)


@pytest.mark.parametrize(("reported", "kept"), [("", "c2"), ("2026-01-30", "2026-01-30")])
def test_a_version_knows_its_data_by_the_trainer_else_by_the_cause(
    reported: str, kept: str
) -> None:
    data = {"repo": "https://git.example/r", "rev": "c2", "path": "train", "digest": "md5:b"}
    subject = started(run(cause={"type": "Data", "trigger": "data", "data": data, "change": 1}))
    report = json.dumps({**json.loads(REPORT), "dataRevision": reported})
    (manifest,) = plan(subject, job(COMPLETE), finished_pod(report)).creates
    assert manifest["spec"]["dataRevision"] == kept
    assert manifest["spec"]["cause"]["data"] == data


def test_a_version_that_exists_is_not_created_again() -> None:
    done = plan(started(), job(COMPLETE), finished_pod(), version_exists=True)
    assert (done.creates, ready(done).reason) == ((), "Succeeded")


def test_alerts_counted_since_go_into_run_and_version() -> None:
    owner = schedule()
    last = LastRun(name="elec-1a", time=timestamp(NOW), alert_count=42)
    owner = owner.model_copy(update={"status": RetrainScheduleStatus(last_run=last)})
    done = plan(started(), job(COMPLETE), finished_pod(), schedule=owner)
    assert done.status.wire()["alertCount"] == 42
    assert done.creates[0]["spec"]["cause"]["alertCount"] == 42
    other = owner.status.model_copy(update={"last_run": last.model_copy(update={"name": "x"})})
    owner = owner.model_copy(update={"status": other})
    assert plan(started(), None, schedule=owner).status.wire()["alertCount"] == 5


def test_a_complete_job_waits_a_minute_for_its_pod_then_fails() -> None:
    early = plan(started(), job(COMPLETE), now=NOW + timedelta(seconds=30))
    assert (ready(early).status, early.requeue_after) == ("Unknown", 60)
    late = plan(started(), job(COMPLETE), now=NOW + timedelta(seconds=61))
    assert (ready(late).status, ready(late).reason) == ("False", "ReportLost")


@pytest.mark.parametrize(
    ("message", "words"),
    [("", "left no termination message"), ("ok", "is not JSON"), ("{}", "uri: Field required")],
)
def test_an_unusable_report_fails_the_run_and_makes_no_version(message: str, words: str) -> None:
    failed = plan(started(), job(COMPLETE), finished_pod(message))
    assert (failed.creates, ready(failed).reason) == ((), "InvalidResult")
    assert words in ready(failed).message


@pytest.mark.parametrize(
    ("why", "pods", "reason", "message"),
    [
        (
            "BackoffLimitExceeded",
            [
                pod("Failed", "p1", "1", terminated={"exitCode": 1, "message": "first"}),
                pod(
                    "Failed",
                    "p2",
                    "2",
                    terminated={"exitCode": 137, "reason": "OOMKilled", "message": "a\nlast"},
                ),
            ],
            "TrainerFailed",
            "BackoffLimitExceeded: exit code 137 (OOMKilled): a\nlast",
        ),
        ("BackoffLimitExceeded", [], "TrainerFailed", "BackoffLimitExceeded: no pod is left"),
        (
            "DeadlineExceeded",
            [],
            "TimedOut",
            "the training took longer than timeoutSeconds 3600",
        ),
    ],
)
def test_a_failed_job_fails_the_run(why: str, pods: list[Json], reason: str, message: str) -> None:
    failed = plan(started(), job(("Failed", why)), *pods)
    assert (ready(failed).status, ready(failed).reason) == ("False", reason)
    assert ready(failed).message == message
    assert failed.status.conditions[1].type == "Stalled"  # type: ignore[attr-defined]
    assert failed.events[0].type == "Warning"
    assert failed.deletes == ()


def test_an_evicted_pod_is_told_by_its_own_reason() -> None:
    evicted = pod("Failed")
    evicted["status"].update(reason="Evicted", message="low on memory")
    failed = plan(started(), job(("Failed", "BackoffLimitExceeded")), evicted)
    assert ready(failed).message == "BackoffLimitExceeded: low on memory"


def test_a_replaced_run_stops_its_job_but_a_result_is_not_thrown_away() -> None:
    stopped = plan(started(), job(active=1), replaced_by="elec-2b")
    assert (ready(stopped).reason, stopped.deletes[0].uid) == ("Replaced", "j1")
    assert "elec-2b" in ready(stopped).message
    crashed = plan(after(started(), stopped), job(active=1), replaced_by="elec-2b")
    assert [d.name for d in crashed.deletes] == ["elec-1a"]
    done = plan(started(), job(COMPLETE), finished_pod(), replaced_by="elec-2b")
    assert ready(done).reason == "Succeeded"
    unborn = plan(run(), replaced_by="elec-2b")
    assert (ready(unborn).reason, unborn.creates) == ("Replaced", ())
    assert "job" not in unborn.status.wire()


def test_a_lost_job_fails_the_run_instead_of_training_twice() -> None:
    soon = plan(started(), None, now=NOW + timedelta(seconds=20))
    assert (ready(soon).status, soon.creates, soon.requeue_after) == ("Unknown", (), 40)
    lost = plan(started(), None, now=NOW + timedelta(seconds=60))
    assert (ready(lost).reason, lost.creates) == ("JobLost", ())


@pytest.mark.parametrize("message", [REPORT, "no report"])
def test_a_refused_write_does_not_change_how_the_run_ended(message: str) -> None:
    done = plan(started(), job(COMPLETE), finished_pod(message))
    ended = after(started(), done)
    conditions = refused_write(ended.status.conditions, ended.status.conditions, "403", 1, NOW)
    status = ended.status.model_copy(update={"conditions": conditions})
    told = ended.model_copy(update={"status": status})
    assert (finished(told), succeeded(told)) == (True, message == REPORT)
    assert plan(told).status == done.status


@pytest.mark.parametrize("now", [NOW, NOW + timedelta(minutes=5)])
def test_a_refused_write_does_not_end_the_run(now: datetime) -> None:
    running = started()
    conditions = refused_write(running.status.conditions, running.status.conditions, "403", 1, NOW)
    status = running.status.model_copy(update={"conditions": conditions})
    told = running.model_copy(update={"status": status})
    assert not finished(told)
    assert ready(plan(told, job(active=1), now=now)).reason == "Pending"


def test_a_run_that_is_being_deleted_starts_nothing() -> None:
    meta = run().metadata.model_copy(update={"deletion_timestamp": timestamp(NOW)})
    leaving = run().model_copy(update={"metadata": meta})
    assert plan(leaving) == Plan(status=leaving.status)


def test_a_job_of_another_owner_is_left_alone() -> None:
    conflict = plan(run(), job(uid="stranger"))
    assert (ready(conflict).reason, conflict.deletes) == ("JobConflict", ())
    later = plan(after(run(), conflict), job(uid="stranger"), now=NOW + timedelta(days=9))
    assert later.deletes == ()


def test_a_finished_run_keeps_its_status_and_deletes_its_job_when_its_time_is_over() -> None:
    done = plan(started(), job(COMPLETE), finished_pod())
    ended = after(started(), done)
    kept = plan(ended, job(COMPLETE), finished_pod("changed"), now=NOW + timedelta(hours=1))
    assert kept.status == ended.status
    assert (kept.creates, kept.deletes, kept.events) == ((), (), ())
    assert kept.requeue_after == 82800
    over = plan(ended, job(COMPLETE), now=NOW + timedelta(days=1))
    assert [(d.kind, d.name, d.uid) for d in over.deletes] == [("Job", "elec-1a", "j1")]
    gone = plan(ended, None, now=NOW + timedelta(days=2))
    assert (gone.status, gone.deletes, gone.requeue_after) == (ended.status, (), None)
