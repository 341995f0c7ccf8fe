"""Data come into the pod at one commit, and what came is told of the run and its version."""

from __future__ import annotations

import json
from typing import Any

import pytest
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.pods.slim import slim
from evenkeel.training.engine import Observed
from evenkeel.training.plan import plan_run
from evenkeel.training.snapshot import RunSnapshot

from tests.support.retraining import TRAINING
from tests.training.test_trainingrun import (
    COMPLETE,
    NOW,
    REPORT,
    after,
    finished_pod,
    job,
    ready,
    run,
)

Json = dict[str, Any]
REPO = "https://git.example/ml/elec"
CAUSE = {
    "type": "Data",
    "trigger": "data",
    "data": {
        "repo": f"{REPO}.git",
        "rev": "c" * 40,
        "path": "data/train",
        "digest": "md5:abc.dir",
        "size": 100,
        "files": 3,
    },
}
DVC = {"repo": REPO, "path": "data/train"}


def data(dvc: Json | None = None, **more: Any) -> Json:
    source = {} if "s3" in more else {"dvc": {**DVC, **(dvc or {})}}
    return {"name": "train", "mountPath": "/data/train", **source, **more}


def with_data(*items: Json, cause: Json = CAUSE, template: Json | None = None) -> TrainingRun:
    training: Json = {**TRAINING, "data": list(items)}
    if template is not None:
        training["podTemplate"] = {"spec": template}
    return run(training=training, cause=cause)


def made(subject: TrainingRun) -> Json:
    """The pod of the Job that the plan creates."""
    (job,) = plan_run(RunSnapshot(run=subject, now=NOW, data_image="data:1")).creates
    spec: Json = job["spec"]["template"]["spec"]
    return spec


def env(container: Json) -> dict[str, str]:
    return {e["name"]: e["value"] for e in container["env"] if "value" in e}


def test_an_init_container_brings_them_read_only() -> None:
    secrets = {"secretName": "git", "remoteSecretName": "store", "remote": "prod"}
    pod = made(with_data(data(secrets, waitSeconds=30)))
    (bringer,) = pod["initContainers"]
    assert (bringer["name"], bringer["image"]) == ("evenkeel-data-train", "data:1")
    assert env(bringer) == {
        "DATA_FOLDER": "/evenkeel/data",
        "DATA_WAIT_SECONDS": "30",
        "DATA_REPO": REPO,
        "DATA_PATH": "data/train",
        "DATA_REV": "c" * 40,
        "DATA_REMOTE": "prod",
        "DATA_GIT_FROM": "git",
    }
    shown = {e["name"]: e["valueFrom"]["secretKeyRef"] for e in bringer["env"] if "valueFrom" in e}
    assert shown["DATA_GIT_TOKEN"] == {"name": "git", "key": "token", "optional": True}
    assert (shown["DATA_GIT_CA"]["name"], shown["DATA_GIT_CA"]["key"]) == ("git", "ca.crt")
    assert (shown["DATA_STORE_CA"]["name"], shown["DATA_STORE_CA"]["key"]) == ("store", "ca.crt")
    assert bringer["envFrom"] == [{"secretRef": {"name": "store"}}]
    assert bringer["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["securityContext"]["runAsNonRoot"] is True
    (trainer,) = pod["containers"]
    assert trainer["volumeMounts"] == [
        {
            "name": "evenkeel-data-train",
            "mountPath": "/data/train",
            "subPath": "content",
            "readOnly": True,
        }
    ]
    assert pod["volumes"] == [{"name": "evenkeel-data-train", "emptyDir": {}}]


def test_what_the_pod_has_itself_stays() -> None:
    template = {
        "containers": [
            {"name": "trainer", "image": "t", "volumeMounts": [{"name": "x", "mountPath": "/x"}]},
            {"name": "shipper", "image": "s"},
        ],
        "initContainers": [{"name": "own", "image": "o"}],
        "volumes": [{"name": "x", "emptyDir": {}}],
    }
    pod = made(with_data(data(), template=template))
    assert [c["name"] for c in pod["initContainers"]] == ["evenkeel-data-train", "own"]
    assert [v["name"] for v in pod["volumes"]] == ["x", "evenkeel-data-train"]
    trainer, shipper = pod["containers"]
    assert [m["name"] for m in trainer["volumeMounts"]] == ["x", "evenkeel-data-train"]
    assert "volumeMounts" not in shipper


def test_objects_of_a_store() -> None:
    s3 = {
        "uri": "s3://b/$(HOME)",
        "endpoint": "http://s3:9000",
        "addressing": "VirtualHost",
        "secretName": "store",
    }
    (bringer,) = made(with_data(data(s3=s3)))["initContainers"]
    assert env(bringer) == {
        "DATA_FOLDER": "/evenkeel/data",
        "DATA_WAIT_SECONDS": "600",
        "DATA_S3_URI": "s3://b/$$(HOME)",
        "DATA_S3_ENDPOINT": "http://s3:9000",
        "DATA_S3_ADDRESSING": "VirtualHost",
        "DATA_S3_REGION": "us-east-1",
    }
    shown = {e["name"]: e["valueFrom"]["secretKeyRef"] for e in bringer["env"] if "valueFrom" in e}
    assert {name: (one["name"], one["key"]) for name, one in shown.items()} == {
        "DATA_STORE_CA": ("store", "ca.crt"),
        "DATA_STORE_CERTIFICATE": ("store", "tls.crt"),
        "DATA_STORE_KEY": ("store", "tls.key"),
    }
    assert bringer["envFrom"] == [{"secretRef": {"name": "store"}}]


@pytest.mark.parametrize(
    ("dvc", "cause", "rev"),
    [
        ({}, CAUSE, "c" * 40),
        ({"repo": f"{REPO}.git/"}, CAUSE, "c" * 40),
        ({"rev": "main"}, CAUSE, "c" * 40),
        ({"path": "data/test"}, CAUSE, "c" * 40),
        ({"path": "data/test", "rev": "v1"}, CAUSE, "v1"),
        ({"repo": "https://git.example/ml/other"}, CAUSE, ""),
        ({"repo": "https://git.example/ml/other", "rev": "v1"}, CAUSE, "v1"),
        ({"rev": "v1"}, {"type": "Cron", "trigger": "nightly"}, "v1"),
        ({}, {"type": "Manual"}, ""),
    ],
)
def test_the_cause_says_which_commit_if_it_is_about_these_data(
    dvc: Json, cause: Json, rev: str
) -> None:
    (bringer,) = made(with_data(data(dvc), cause=cause))["initContainers"]
    assert env(bringer)["DATA_REV"] == rev


def test_without_data_nothing_is_added() -> None:
    pod = made(with_data())
    assert pod.keys().isdisjoint({"initContainers", "volumes"})


@pytest.mark.parametrize(
    ("training", "says"),
    [
        (
            {"trainJob": {"runtimeRef": {"name": "r"}}},
            "training.data goes with podTemplate; bring the data of training.trainJob by its own",
        ),
        (
            {
                "podTemplate": {
                    "spec": {"containers": [{"name": "t", "volumeMounts": {}}], "volumes": {"a": 1}}
                }
            },
            "volumes and the trainer's volumeMounts must be lists",
        ),
    ],
)
def test_what_cannot_bring_them_is_told(training: Json, says: str) -> None:
    subject = run(training={**training, "data": [data()]})
    failed = plan_run(RunSnapshot(run=subject, now=NOW))
    assert (ready(failed).reason, failed.creates) == ("InvalidTemplate", ())
    assert says in ready(failed).message


def bringing(name: str = "train", **state: Any) -> Json:
    return {"name": f"evenkeel-data-{name}", "ready": "terminated" in state, "state": state}


def looked(subject: TrainingRun, status: Json, *pods: Json) -> Any:
    return plan_run(RunSnapshot(run=subject, now=NOW, observed=Observed(status, {"Pod": pods})))


def pod(phase: str, *initializers: Json, base: Json | None = None) -> Json:
    """As it is kept."""
    found = base or {
        "metadata": {"name": "p1", "namespace": "ml", "creationTimestamp": "1"},
        "status": {"phase": phase, "containerStatuses": []},
    }
    found["status"]["initContainerStatuses"] = list(initializers)
    return slim(found)


def started(subject: TrainingRun) -> TrainingRun:
    return after(subject, plan_run(RunSnapshot(run=subject, now=NOW, data_image="data:1")))


def test_it_is_told_that_they_are_being_brought() -> None:
    subject = started(with_data(data()))
    going = looked(subject, job(active=1), pod("Pending", bringing(running={"startedAt": "1"})))
    assert (ready(going).status, ready(going).reason) == ("Unknown", "Pending")
    assert ready(going).message == (
        "attempt 1 of 3: data train are being brought or waited for; the log of container "
        "evenkeel-data-train tells more"
    )


def test_why_they_could_not_be_brought_is_told_while_it_is_tried_again_and_at_the_end() -> None:
    subject = started(with_data(data()))
    ended = {"exitCode": 1, "message": "data/train at ccc cannot be had: no such key"}
    broken = pod("Failed", bringing(terminated=ended))
    again = looked(subject, job(failed=1), broken)
    says = (
        "container evenkeel-data-train: exit code 1: data/train at ccc cannot be had: no such key"
    )
    assert says in ready(again).message
    over = looked(after(subject, again), job(("Failed", "BackoffLimitExceeded"), failed=3), broken)
    assert ready(over).reason == "TrainerFailed"
    assert says in ready(over).message


TOLD = {"rev": "d" * 40, "digest": "md5:def.dir", "size": 7, "files": 2}


def brought(words: str = json.dumps(TOLD)) -> Json:
    return bringing(terminated={"exitCode": 0, "message": words})


def version(done: Any) -> Json:
    (made,) = done.creates
    spec: Json = made["spec"]
    return spec


def test_what_was_brought_is_told_of_the_run_and_of_its_version() -> None:
    subject = started(with_data(data({"rev": "main"}), cause={"type": "Manual"}))
    running = pod("Running", brought())
    going = looked(subject, job(active=1), running)
    used = {"name": "train", "repo": REPO, "path": "data/train", **TOLD}
    assert [one.wire() for one in going.status.data] == [used]
    done = looked(after(subject, going), job(COMPLETE), pod("", brought(), base=finished_pod()))
    assert version(done)["data"] == [used]
    assert version(done)["dataRevision"] == "d" * 40
    assert [one.wire() for one in done.status.data] == [used]


def test_the_data_are_those_of_the_attempt_that_succeeded() -> None:
    subject = started(with_data(data({"rev": "main"}), cause={"type": "Manual"}))
    newer = json.dumps({**TOLD, "rev": "e" * 40})
    late = pod("Running", brought(newer))
    late["metadata"]["creationTimestamp"] = "2"
    done = looked(subject, job(COMPLETE), late, pod("", brought(), base=finished_pod()))
    assert version(done)["data"][0]["rev"] == "d" * 40


@pytest.mark.parametrize("words", ["", "nonsense", "[1]", '{"size": -1}', '{"rev": 7}'])
def test_without_words_the_version_tells_what_the_run_knows(words: str) -> None:
    subject = started(with_data(data()))
    done = looked(subject, job(COMPLETE), pod("", brought(words), base=finished_pod()))
    assert version(done)["data"] == [{**CAUSE["data"], "name": "train", "repo": REPO}]  # type: ignore[dict-item]
    assert version(done)["dataRevision"] == "c" * 40


def test_what_is_known_stays_when_the_pod_is_gone() -> None:
    subject = started(with_data(data({"rev": "main"}), cause={"type": "Manual"}))
    going = looked(subject, job(active=1), pod("Running", brought()))
    kept = looked(after(subject, going), job(active=1))
    assert kept.status.data == going.status.data


def test_data_that_the_trainer_brings_itself_are_those_of_the_cause() -> None:
    subject = started(run(cause=CAUSE))
    done = looked(subject, job(COMPLETE), finished_pod(REPORT))
    assert version(done)["data"] == [{**CAUSE["data"], "name": "data"}]  # type: ignore[dict-item]


def test_objects_are_told_by_their_address() -> None:
    subject = started(with_data(data(s3={"uri": "s3://b/train"})))
    words = json.dumps({"digest": "sha256:1", "size": 7, "files": 2})
    done = looked(subject, job(COMPLETE), pod("", brought(words), base=finished_pod()))
    first, cause = version(done)["data"]
    assert first == {
        "name": "train",
        "uri": "s3://b/train",
        "digest": "sha256:1",
        "size": 7,
        "files": 2,
    }
    assert cause["name"] == "data"


def test_a_version_has_room_for_all_data_that_a_run_may_be_about() -> None:
    many = [data(s3={"uri": f"s3://b/{n}"}, name=f"d{n}", mountPath=f"/d{n}") for n in range(8)]
    objects = {"uri": "s3://b/days/", "time": "2026-01-31T09:00:00Z", "digest": "sha256:2"}
    subject = started(with_data(*many, cause={**CAUSE, "objects": objects}))
    done = looked(subject, job(COMPLETE), pod("", brought("{}"), base=finished_pod()))
    assert len(version(done)["data"]) == 10
