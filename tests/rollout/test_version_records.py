"""What a ModelDeployment writes on ModelVersions about their rollouts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from evenkeel.api import ModelDeployment, ModelVersion
from evenkeel.api.modeldeploymentstatus import (
    ModelDeploymentStatus,
    RevisionStatus,
    ServedAliasStatus,
)
from evenkeel.api.modelversion import ApprovalDecision
from evenkeel.controllers.modeldeployment.plan import plan_deployment
from evenkeel.controllers.modeldeployment.snapshot import DeploymentSnapshot
from evenkeel.meta.objects import Ref
from evenkeel.meta.refusal import Refused
from evenkeel.rollout.state import present
from evenkeel.rollout.version_records import version_records
from evenkeel.serving.model_source import Target
from evenkeel.serving.observed import Child, Pods
from evenkeel.serving.revision import revision_name
from evenkeel.serving.runtime_selection import Selected

from tests.support.serving_examples import SETTINGS, runtime_spec

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)


def version(name: str, *rollouts: dict[str, Any]) -> ModelVersion:
    return ModelVersion.model_validate(
        {
            "metadata": {
                "name": name,
                "namespace": "shop",
                "creationTimestamp": "2026-01-31T09:00:00Z",
            },
            "spec": {"model": "fraud", "uri": f"pvc://m/{name}", "format": {"name": "sklearn"}},
            "status": {"rollouts": list(rollouts)},
        }
    )


def records(status: dict[str, Any], *versions: ModelVersion, env: str = "") -> dict[str, str]:
    """Outcome by version, of what the plan writes. The stable revision serves v1."""
    runtime = Selected("ClusterServingRuntime", "sk", runtime_spec())
    spec: dict[str, Any] = {"model": {"version": "v1"}}
    if env:
        spec["env"] = [{"name": "X", "value": env}]
    md = ModelDeployment.model_validate(
        {"metadata": {"name": "fraud", "namespace": "shop", "uid": "u"}, "spec": spec}
    )
    target = Target("pvc://m/v1", "v1", None, "", "fraud")
    revision = revision_name("fraud", target, runtime.spec, md.spec)
    status = {"stable": {"revision": revision, "version": "v1", "uri": target.uri}, **status}
    md = ModelDeployment.model_validate(md.wire() | {"status": status})
    ref = Ref("apps/v1", "Deployment", "shop", revision, "d")
    snapshot = DeploymentSnapshot(
        deployment=md,
        target=target,
        runtime=runtime,
        children=(Child(ref, revision, Pods(1, 1)),),
        versions=versions,
        seen={},
        settings=SETTINGS,
        now=NOW,
    )
    return {
        p.manifest["metadata"]["name"]: p.manifest["status"]["rollouts"][0]["outcome"]
        for p in plan_deployment(snapshot).status_patches
    }


def outcome(name: str, what: str) -> dict[str, Any]:
    return {
        "revision": f"fraud-{name}-{what.lower()}",
        "version": name,
        "outcome": what,
        "time": "2026-01-31T08:00:00Z",
    }


def test_the_first_version_counts_as_promoted_once_it_serves() -> None:
    assert records({}, version("v1")) == {"v1": "Promoted"}


def test_a_rolled_back_version_says_so() -> None:
    history = [outcome("v2", "RolledBack")]
    found = records({"history": history}, version("v1"), version("v2"))
    assert found == {"v1": "Promoted", "v2": "RolledBack"}


def test_a_rolled_back_setting_says_nothing_of_the_version_that_serves() -> None:
    """The champion would be lost if a change of resources could mark it as rolled back."""
    history = [outcome("v1", "RolledBack"), outcome("v1", "Promoted")]
    assert records({"history": history}, version("v1")) == {"v1": "Promoted"}


def test_what_stands_there_already_is_not_written_again() -> None:
    entry = {
        "deployment": "fraud",
        "revision": "fraud-v2-rolledback",
        "outcome": "RolledBack",
        "time": "2026-01-31T08:00:00Z",
    }
    history = [outcome("v2", "RolledBack")]
    assert records({"history": history}, version("v2", entry)) == {}


def test_the_version_that_the_alias_means_says_so() -> None:
    registered = {"registry": "mlflow", "name": "fraud", "version": "1"}
    time = {"time": "2026-01-31T08:00:00Z"}
    told = version("v1").wire()
    told["status"]["registered"] = {**registered, **time}
    subject = ModelVersion.model_validate(told)
    alias = ServedAliasStatus.model_validate({**registered, **time, "alias": "champion"})
    for known, expected in ((alias, "champion"), (None, "")):
        status = ModelDeploymentStatus(
            stable=RevisionStatus(revision="r1", version="v1"), served_alias=known
        )
        md = ModelDeployment.model_validate(
            {"metadata": {"name": "fraud", "namespace": "shop", "uid": "u"}}
            | {"spec": {"model": {"version": "v1"}}}
        )
        (patch,) = version_records(md, [subject], present(status), True, NOW, known)
        assert patch.manifest["status"]["rollouts"][0]["alias"] == expected


def test_a_version_denied_during_its_trial_goes_back() -> None:
    runtime = Selected("ClusterServingRuntime", "sk", runtime_spec())
    md = ModelDeployment.model_validate(
        {
            "metadata": {"name": "fraud", "namespace": "shop", "uid": "u"},
            "spec": {"model": {"version": "v2"}},
            "status": {
                "observedGeneration": 1,
                "stable": {"revision": "fraud-1", "version": "v1", "uri": "pvc://m/v1"},
                "canary": {
                    "revision": "fraud-2",
                    "version": "v2",
                    "uri": "pvc://m/v2",
                    "startTime": "2026-01-31T08:00:00Z",
                    "stageTime": "2026-01-31T08:00:00Z",
                },
            },
        }
    )
    denied = version("v2").model_copy(
        update={
            "spec": version("v2").spec.model_copy(
                update={"approval": ApprovalDecision(decision="Denied")}
            )
        }
    )
    snapshot = DeploymentSnapshot(
        deployment=md,
        target=Refused("VersionNotApproved", "denied"),
        runtime=runtime,
        children=tuple(
            Child(Ref("apps/v1", "Deployment", "shop", name, name), name, Pods(1, 1))
            for name in ("fraud-1", "fraud-2")
        ),
        versions=(denied,),
        seen={},
        settings=SETTINGS,
        now=NOW,
    )
    plan = plan_deployment(snapshot)
    assert isinstance(plan.status, ModelDeploymentStatus)
    assert plan.status.canary is None
    assert plan.status.stable is not None
    assert plan.status.stable.revision == "fraud-1"
    assert plan.status.history[0].outcome == "Superseded"
    assert [d.name for d in plan.deletes] == ["fraud-2"]
