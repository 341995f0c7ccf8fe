"""The champion, and the line that tells a version's story."""

from __future__ import annotations

from typing import Any

from evenkeel.api.modelversion import GateResult, ModelVersion, Rollout
from evenkeel.api.registration import RegisteredVersion
from evenkeel.versions.champion import champion
from evenkeel.versions.lineage import lineage


def version(name: str, *rollouts: tuple[str, str, str], model: str = "elec") -> ModelVersion:
    return ModelVersion.model_validate(
        {
            "metadata": {"name": name},
            "spec": {"model": model, "uri": "s3://m/1", "format": {"name": "sklearn"}},
            "status": {
                "rollouts": [
                    {"deployment": d, "revision": "r", "outcome": o, "time": t}
                    for d, o, t in rollouts
                ]
            },
        }
    )


def test_the_champion_is_the_newest_promoted_version_of_the_model() -> None:
    versions = [
        version("old", ("prod", "Promoted", "2026-01-01T00:00:00Z")),
        version("best", ("prod", "Promoted", "2026-01-03T00:00:00Z")),
        version("bad", ("prod", "RolledBack", "2026-01-04T00:00:00Z")),
        version("next", ("prod", "Progressing", "2026-01-05T00:00:00Z")),
        version("other", ("prod", "Promoted", "2026-01-06T00:00:00Z"), model="gas"),
        version("new"),
    ]
    found = champion(versions, "elec")
    assert found is not None
    assert found.metadata.name == "best"
    assert champion(versions[2:4], "elec") is None


SPEC: dict[str, Any] = {
    "model": "elec",
    "uri": "s3://m/1",
    "format": {"name": "sklearn"},
    "trainingRun": "elec-1a",
    "cause": {
        "type": "Alert",
        "trigger": "drift",
        "time": "2026-01-31T08:55:00Z",
        "alertCount": 10000,
        "alerts": [{"fingerprint": "1", "startsAt": "", "labels": {"alertname": "ElecDrift"}}],
    },
}


def story(
    gates: list[GateResult],
    *rollouts: Rollout,
    approval: str = "",
    registered: RegisteredVersion | None = None,
    **spec: Any,
) -> str:
    parsed = ModelVersion.model_validate({"metadata": {"name": "x"}, "spec": {**SPEC, **spec}})
    return lineage("elec-2b", parsed.spec, gates, approval, registered, rollouts)


def test_the_whole_chain() -> None:
    promoted = Rollout(
        deployment="prod",
        revision="r2",
        outcome="Promoted",
        time="2026-01-31T10:00:00Z",
        message="canary 3/900 bad, stable 9/2700",
        alias="champion",
    )
    assert story(
        [GateResult(name="good", passed=True, message="accuracy 0.9 >= min 0.8")],
        promoted,
        approval="approved by ada",
        registered=RegisteredVersion(registry="mlflow", name="power", version="7"),
        mlflow={"registry": "mlflow", "runID": "r1", "url": "http://mlflow/#/runs/r1"},
    ) == (
        "alert ElecDrift (10000 alerts since 2026-01-31T08:55:00Z) -> TrainingRun elec-1a "
        "-> MLflow run http://mlflow/#/runs/r1 "
        "-> ModelVersion elec-2b -> gates 1/1 passed -> approved by ada "
        "-> ModelRegistry mlflow: version 7 of power "
        "-> ModelDeployment prod: Promoted (canary 3/900 bad, stable 9/2700), alias champion"
    )


def test_failed_gates_are_named() -> None:
    failed = GateResult(name="good", passed=False, message="accuracy 0.7 < min 0.8")
    assert story([failed]).endswith("-> gates failed: good (accuracy 0.7 < min 0.8)")


def test_other_causes() -> None:
    cron = {"type": "Cron", "trigger": "nightly", "time": "2026-01-31T03:00:00Z"}
    assert story([], cause=cron).startswith("cron nightly (2026-01-31T03:00:00Z) -> TrainingRun")
    assert story([], cause={**cron, "alertCount": 1}).startswith(
        "cron nightly (2026-01-31T03:00:00Z, 1 alert) ->"
    )
    assert story([], cause={"message": "new labels"}).startswith("manual (new labels) ->")
    assert story([], cause=None, trainingRun="") == "ModelVersion elec-2b"


def test_the_engine_s_own_run_is_named_with_its_page() -> None:
    page = "https://kubeflow.example/#/runs/details/r1"
    run = {"engine": "pipelineRun", "name": "r1", "url": page}
    assert f"-> TrainingRun elec-1a (pipelineRun r1 {page}) -> ModelVersion" in story([], run=run)


def test_a_long_story_fits_the_status() -> None:
    long = [GateResult(name=f"g{i}", passed=False, message="x" * 1000) for i in range(9)]
    assert len(story(long)) == 4096


def test_it_begins_with_the_data() -> None:
    commit = {"repo": "https://git.example/elec", "rev": "c" * 40, "path": "data/train"}
    used = {**commit, "digest": "md5:abc.dir", "size": 100, "files": 3}
    objects = {"name": "labels", "uri": "s3://labels/2026", "digest": "sha256:1"}
    told = story([], data=[{**used, "name": "train"}, objects])
    assert told.startswith(
        "data train: data/train at cccccccccccc (md5:abc.dir, 100 bytes in 3 files) -> "
        "data labels: s3://labels/2026 (sha256:1) -> alert ElecDrift"
    )
    caused = {"type": "Data", "trigger": "new", "data": used}
    told = story([], data=[{**used, "name": "train"}], cause=caused)
    assert told.startswith(
        "data new: data/train at cccccccccccc (md5:abc.dir, 100 bytes in 3 files) -> TrainingRun"
    )
