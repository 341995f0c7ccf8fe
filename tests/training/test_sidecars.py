"""A run is judged by its trainer's container, whatever runs beside it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.conditions import Condition
from evenkeel.meta.objects import Ref
from evenkeel.meta.plan import Plan
from evenkeel.meta.times import timestamp
from evenkeel.training.engine import Observed
from evenkeel.training.engines.job import LEFT_BEHIND_SECONDS
from evenkeel.training.plan import plan_run
from evenkeel.training.snapshot import RunSnapshot

Json = dict[str, Any]
NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
LATE = NOW + timedelta(seconds=LEFT_BEHIND_SECONDS)
REPORT = json.dumps({"uri": "s3://m/1", "format": {"name": "sklearn"}})
JOB = (Ref("batch/v1", "Job", "ml", "elec-1a", "j1"),)
DISRUPTED = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}


def run(**status: Any) -> TrainingRun:
    containers = [{"name": "trainer", "image": "x"}, {"name": "shipper", "image": "x"}]
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
                "training": {"podTemplate": {"spec": {"containers": containers}}},
            },
            "status": {"startTime": timestamp(NOW), "job": "elec-1a", **status},
        }
    )


def job(*conditions: tuple[str, str], **more: Any) -> Json:
    told = [
        {"type": t, "status": "True", "reason": r, "lastTransitionTime": timestamp(NOW)}
        for t, r in conditions
    ]
    return {
        "metadata": {"name": "elec-1a", "uid": "j1", "ownerReferences": [{"uid": "u1"}]},
        "spec": {"backoffLimit": 2, "suspend": False},
        "status": {"conditions": told, "active": 1, **more},
    }


def end(code: int, message: str = "") -> Json:
    return {
        "terminated": {"exitCode": code, "message": message, "finishedAt": timestamp(NOW)},
    }


def pod(trainer: Json, proxy: Json, phase: str = "Running", name: str = "p1", **meta: Any) -> Json:
    """The proxy is the first container, as injection may have it."""
    return {
        "metadata": {"name": name, "uid": name, "creationTimestamp": name, **meta},
        "status": {
            "phase": phase,
            "containerStatuses": [
                {"name": "proxy", "state": proxy},
                {"name": "trainer", "state": trainer},
            ],
        },
    }


GOES: Json = {"running": {}}
SUSPENDED, RESUMED = {"spec": {"suspend": True}}, {"spec": {"suspend": False}}


def plan(main: Json, *pods: Json, subject: TrainingRun | None = None, now: datetime = NOW) -> Plan:
    observed = Observed(main, {"Pod": pods})
    return plan_run(RunSnapshot(run=subject or run(), now=now, observed=observed))


def ready(done: Plan) -> Condition:
    return done.status.conditions[0]  # type: ignore[attr-defined, no-any-return]


def cut_short(done: Plan) -> tuple[int, str]:
    found = done.status.cut_short  # type: ignore[attr-defined]
    return found.attempts, found.pod


def after(done: Plan) -> TrainingRun:
    return TrainingRun.model_validate({**run().wire(), "status": done.status.wire()})


def test_a_report_counts_at_once_and_the_job_is_stopped_a_little_later() -> None:
    main, left = job(), pod(end(0, REPORT), GOES)
    done = plan(main, left)
    assert (ready(done).reason, done.deletes) == ("Succeeded", ())
    assert done.requeue_after == LEFT_BEHIND_SECONDS
    assert plan(main, left, subject=after(done)).deletes == ()
    assert plan(main, left, subject=after(done), now=LATE).deletes == JOB
    assert plan(main, left, now=LATE).deletes == JOB, "at once after a crash"


def test_a_sidecar_that_ends_in_time_leaves_the_job_its_life() -> None:
    done = plan(job(), pod(end(0, REPORT), GOES))
    ended = pod(end(0, REPORT), end(0), "Succeeded")
    later = plan(job(("Complete", "x")), ended, subject=after(done), now=LATE)
    assert later.deletes == ()


def test_a_report_is_taken_whatever_the_job_says() -> None:
    """The operator was away until the deadline had passed."""
    left = pod(end(0, REPORT), end(137), "Failed")
    assert ready(plan(job(("Failed", "DeadlineExceeded")), left)).reason == "Succeeded"
    assert plan(job(), left).deletes == JOB, "a sidecar's failure asks for no other attempt"


def test_no_report_is_a_failure_whoever_runs_on() -> None:
    done = plan(job(), pod(end(0), GOES), now=LATE)
    assert (ready(done).reason, done.deletes) == ("InvalidResult", JOB)


def test_a_trainer_that_is_stopped_with_0_has_not_finished() -> None:
    going = pod(end(0), GOES, deletionTimestamp="x")
    assert ready(plan(job(), going)).reason == "Pending"
    assert "pod p1 is ending; another follows" in ready(plan(job(), going)).message
    evicted = pod(end(0), end(0), "Failed")
    evicted["status"]["conditions"] = [DISRUPTED]
    assert ready(plan(job(), evicted)).reason == "Pending"
    told = pod(end(0, REPORT), GOES, deletionTimestamp="x")
    assert ready(plan(job(), told)).reason == "Succeeded"


def test_a_failed_attempt_is_ended_a_little_later_and_its_words_are_kept() -> None:
    main, left = job(), pod(end(3, "no data"), GOES)
    early = plan(main, left)
    assert (ready(early).reason, early.patches) == ("Running", ())
    assert early.requeue_after == LEFT_BEHIND_SECONDS
    words = "attempt 1 of 3 has failed: exit code 3: no data; container proxy still runs"
    assert ready(early).message.startswith(words)
    late = plan(main, left, now=LATE)
    assert late.patches == ((JOB[0], SUSPENDED),)
    again = plan(main, left, subject=after(late), now=LATE)
    assert again.patches == late.patches
    assert cut_short(again) == cut_short(late) == (1, "p1"), "counted once, however often seen"

    main["spec"]["suspend"] = True
    ending = pod(end(3, "no data"), GOES, deletionTimestamp="x")
    waits = plan(main, ending, subject=after(again))
    assert (ready(waits).reason, waits.patches) == ("Pending", ())
    goes_on = plan(main, subject=after(waits))
    assert goes_on.patches == ((JOB[0], RESUMED),)
    assert "attempt 2 of 3 begins; the one before: exit code 3: no data" in ready(goes_on).message

    second = plan(job(), pod(GOES, GOES, name="p2"), subject=after(goes_on))
    assert cut_short(second) == (1, "")
    assert ready(second).message == "attempt 2 of 3; the one before: exit code 3: no data"
    counted = plan(job(failed=1), pod(end(4, "no disk"), GOES, name="p3"), subject=after(second))
    assert "attempt 3 of 3 has failed" in ready(counted).message
    over = plan(
        job(failed=1), pod(end(4, "no disk"), GOES, name="p3"), subject=after(counted), now=LATE
    )
    assert ready(over).reason == "TrainerFailed"
    assert ready(over).message == "BackoffLimitExceeded: exit code 4: no disk"
    assert over.deletes == JOB


def test_a_queue_lets_a_job_go_on_by_itself() -> None:
    main = job()
    main["spec"]["suspend"] = True
    main["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "gpus"}
    done = plan(main, subject=run(cutShort={"attempts": 1, "pod": "p1"}))
    assert (ready(done).reason, done.patches) == ("Suspended", ())


def test_a_job_that_others_suspend_is_not_resumed() -> None:
    main = job()
    main["spec"]["suspend"] = True
    done = plan(main, subject=run(cutShort={"attempts": 1, "pod": ""}))
    assert (ready(done).reason, done.patches) == ("Suspended", ())


def test_last_words_outlive_the_pods() -> None:
    over = plan(job(("Failed", "BackoffLimitExceeded")), subject=run(lastFailure="exit code 3: no"))
    assert ready(over).message == "BackoffLimitExceeded: exit code 3: no"


def test_native_sidecars_are_the_kubelet_s() -> None:
    going = pod(end(3), end(0))
    going["status"]["initContainerStatuses"] = [{"name": "native", "state": GOES}]
    assert plan(job(), going, now=LATE).patches == ()
    done = pod(end(0, REPORT), end(0))
    done["status"]["initContainerStatuses"] = [{"name": "native", "state": GOES}]
    assert ready(plan(job(), done, now=LATE)).reason == "Succeeded"
    assert plan(job(), done, now=LATE).deletes == ()


def test_a_report_of_a_pod_that_is_taken_away_ends_the_job_at_once() -> None:
    taken = pod(end(0, REPORT), GOES, deletionTimestamp="x")
    assert plan(job(), taken).deletes == JOB


def test_a_job_that_is_ending_says_so() -> None:
    main = job(("FailureTarget", "DeadlineExceeded"))
    leaving = pod(GOES, GOES, deletionTimestamp="x")
    assert ready(plan(main, leaving)).message == "the Job is ending: DeadlineExceeded"


def test_a_pod_of_an_earlier_job_of_the_name_says_nothing() -> None:
    stale = pod(end(0, REPORT), end(0), "Succeeded", ownerReferences=[{"uid": "j0"}])
    assert ready(plan(job(), stale)).reason == "Pending"
    own = pod(end(0, REPORT), end(0), "Succeeded", ownerReferences=[{"uid": "j1"}])
    assert ready(plan(job(), own)).reason == "Succeeded"


@pytest.mark.parametrize("phase", ["Running", "Failed"])
def test_what_takes_a_pod_away_is_told_and_does_not_count(phase: str) -> None:
    lost = pod(end(143), end(0), phase, deletionTimestamp="x")
    lost["status"]["conditions"] = [{**DISRUPTED, "message": "drained"}]
    message = ready(plan(job(), lost)).message
    assert message.startswith("attempt 1 of 3; the one before: the pod was taken away")
    assert "EvictionByEvictionAPI: drained" in message


def test_a_suspended_job_s_stopped_pod_is_no_failure() -> None:
    main = job()
    main["spec"]["suspend"] = True
    stopped = pod(end(143, "stopped"), end(0), "Failed", deletionTimestamp="x")
    done = plan(main, stopped)
    assert (ready(done).reason, done.status.last_failure) == ("Suspended", "")  # type: ignore[attr-defined]


def test_a_resumed_job_is_no_longer_suspended() -> None:
    assert ready(plan(job(("Suspended", "JobSuspended")))).reason == "Pending"


def test_a_report_whose_version_is_refused_outlives_pod_and_job() -> None:
    main, done = job(("Complete", "x")), pod(end(0, REPORT), end(0), "Succeeded")
    refusal = {"type": "Ready", "status": "False", "reason": "ApplyFailed"}
    told = {"conditions": [{**refusal, "lastTransitionTime": timestamp(NOW)}]}
    kept = plan(main, done, subject=run(**told))
    assert (kept.creates, kept.requeue_after) == ((), 0)
    subject = after(kept)
    for later in (plan(main, done, subject=subject), plan_run(RunSnapshot(run=subject, now=LATE))):
        assert [made["kind"] for made in later.creates] == ["ModelVersion"]
        assert ready(later).reason == "Succeeded"
    failed = plan(job(("Failed", "DeadlineExceeded")), subject=subject)
    assert ready(failed).reason == "Succeeded"
