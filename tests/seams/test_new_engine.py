"""A training engine is one file: this one, a made-up ExampleJob whose status carries its report.

Clusters may lack its types, so that it works only once it is switched on.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pytest
from evenkeel.api.common import TrainingTemplate
from evenkeel.api.crd import definition
from evenkeel.api.engine import EngineTemplate
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.controllers import kinds, rights
from evenkeel.kube.store import Store
from evenkeel.meta.conditions import Condition
from evenkeel.meta.objects import Key, Manifest, Ref
from evenkeel.meta.plan import Plan
from evenkeel.meta.resources import JOB, OWNED, READ, ResourceType, Watch
from evenkeel.meta.times import parse, timestamp
from evenkeel.training import engine_of, engines, watches
from evenkeel.training.engine import Engine, Observed, State, manifest_of
from evenkeel.training.engines import run_of
from evenkeel.training.plan import plan_run
from evenkeel.training.snapshot import RunSnapshot
from pydantic import Field

from tests.support.extended import extended
from tests.support.retraining import TRAINING

Json = dict[str, Any]

# The engine.

EXAMPLE_JOB = ResourceType("example.dev", "v1", "examplejobs", "ExampleJob")
EXAMPLE_NODE = ResourceType("example.dev", "v1", "examplenodes", "ExampleNode")
JOB_NAME = "example.dev/job-name"


class ExampleJob(EngineTemplate):
    """An ExampleJob that trains the model."""

    runtime: Annotated[str, Field(max_length=63, description="Name of the runtime.")]


def problem(training: TrainingTemplate) -> str | None:
    empty = not training.example_job.runtime  # type: ignore[attr-defined]
    return "training.exampleJob.runtime must not be empty" if empty else None


def manifest(run: TrainingRun, champion: ModelVersion | None) -> Manifest:
    spec = {
        "runtime": run.spec.training.example_job.runtime,  # type: ignore[attr-defined]
        "champion": champion.spec.uri if champion is not None else None,
    }
    return manifest_of(EXAMPLE_JOB, run, spec)


def state(run: TrainingRun, observed: Observed, now: datetime) -> State:
    """Unlike a Job an ExampleJob has no deadline, so that the run's own clock ends it."""
    status = (observed.main or {}).get("status", {})
    if status.get("phase") == "Done":
        return State("Succeeded", "", status["output"])
    if status.get("phase") == "Broken":
        return State("Failed", f"the ExampleJob broke: {status['error']}")
    end = parse(str(run.status.start_time)) + timedelta(seconds=run.spec.training.timeout_seconds)
    left = (end - now).total_seconds()
    if left <= 0:
        return State("TimedOut", "", stop=True)
    return State(
        "Running", f"{len(observed.of(EXAMPLE_NODE.kind))} nodes train", requeue_after=left
    )


EXAMPLE = Engine(
    field="example_job",
    type=EXAMPLE_JOB,
    watches=(
        Watch(EXAMPLE_JOB),
        Watch(EXAMPLE_NODE, kept=("role",), selector=JOB_NAME, verbs=READ),
    ),
    problem=problem,
    manifest=manifest,
    state=state,
    run_labels={EXAMPLE_NODE.kind: JOB_NAME},
    integration="exampleJob",
)

# The proof.

Run = extended(TrainingRun, "spec.training.exampleJob", ExampleJob)
NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
REPORT = {"uri": "s3://m/1", "format": {"name": "sklearn"}, "metrics": {"accuracy": 0.9}}


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of engines with one more row."""
    monkeypatch.setattr(engines, "ENGINES", (*engines.ENGINES, EXAMPLE))


def run(training: Json | None = None) -> TrainingRun:
    return Run.model_validate(
        {
            "metadata": {
                "name": "elec-1a",
                "namespace": "ml",
                "uid": "u1",
                "generation": 1,
                "creationTimestamp": NOW.isoformat(),
            },
            "spec": {"model": "elec", "training": training or {"exampleJob": {"runtime": "r"}}},
        }
    )


def after(subject: TrainingRun, done: Plan) -> TrainingRun:
    return Run.model_validate({**subject.wire(), "status": done.status.wire()})


def stored(uid: str = "u1", **status: Any) -> Json:
    """The ExampleJob in the cluster."""
    meta = {"name": "elec-1a", "uid": "e1", "ownerReferences": [{"uid": uid}]}
    return {"metadata": meta, "status": status}


def plan(
    subject: TrainingRun, main: Json | None = None, now: datetime = NOW, **others: tuple[Json, ...]
) -> Plan:
    return plan_run(RunSnapshot(run=subject, now=now, observed=Observed(main, others)))


def started() -> TrainingRun:
    return after(run(), plan(run()))


def ready(done: Plan) -> Condition:
    return done.status.conditions[0]  # type: ignore[attr-defined, no-any-return]


DELETED = (Ref("example.dev/v1", "ExampleJob", "ml", "elec-1a", "e1"),)


def test_the_crd_has_its_field() -> None:
    (version,) = definition(Run)["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    training = spec["properties"]["training"]
    assert training["properties"]["exampleJob"]["properties"]["runtime"]["maxLength"] == 63
    said = [rule["message"] for rule in training["x-kubernetes-validations"]]
    one = (
        "training needs exactly one of podTemplate, trainJob, workflow, rayJob, pipelineRun or "
        "exampleJob"
    )
    assert said[-1] == one


def test_its_object_is_created_for_the_run() -> None:
    first = plan(run())
    (made,) = first.creates
    assert (made["apiVersion"], made["kind"]) == ("example.dev/v1", "ExampleJob")
    assert made["spec"] == {"runtime": "r", "champion": None}
    assert made["metadata"]["name"] == "elec-1a"
    assert made["metadata"]["ownerReferences"][0]["uid"] == "u1"
    assert made["metadata"]["labels"]["evenkeel.dev/run"] == "elec-1a"
    assert [e.reason for e in first.events] == ["ExampleJobCreated"]
    assert ready(first).message == "ExampleJob elec-1a is being created"
    assert plan(started()).creates == ()


def test_progress_is_told_and_looked_at_again_at_its_end() -> None:
    going = plan(started(), stored(phase="Going"), ExampleNode=({}, {}))
    assert (ready(going).reason, ready(going).message) == ("Running", "2 nodes train")
    assert going.requeue_after == 3600


def test_its_report_becomes_a_model_version() -> None:
    done = plan(started(), stored(phase="Done", output=json.dumps(REPORT)))
    (version,) = done.creates
    assert (version["kind"], version["spec"]["uri"]) == ("ModelVersion", "s3://m/1")
    assert (ready(done).status, ready(done).reason) == ("True", "Succeeded")


def test_its_failure_is_the_run_s() -> None:
    failed = plan(started(), stored(phase="Broken", error="no GPU"))
    assert (ready(failed).status, ready(failed).reason) == ("False", "TrainerFailed")
    assert ready(failed).message == "the ExampleJob broke: no GPU"
    assert failed.deletes == ()


def test_its_object_is_deleted_when_its_time_is_over() -> None:
    main = stored(phase="Broken", error="no GPU")
    ended = after(started(), plan(started(), main))
    assert plan(ended, main, now=NOW + timedelta(hours=1)).deletes == ()
    assert plan(ended, main, now=NOW + timedelta(days=1)).deletes == DELETED


def test_what_would_run_on_after_the_end_is_stopped_at_once_also_after_a_crash() -> None:
    main, late = stored(phase="Going"), NOW + timedelta(hours=1)
    over = plan(started(), main, now=late)
    assert (ready(over).reason, over.deletes) == ("TimedOut", DELETED)
    assert plan(after(started(), over), main, now=late).deletes == DELETED


def test_an_object_of_another_owner_is_left_alone() -> None:
    conflict = plan(run(), stored(uid="stranger"))
    assert (ready(conflict).reason, conflict.deletes) == ("ExampleJobConflict", ())
    later = plan(after(run(), conflict), stored(uid="stranger"), now=NOW + timedelta(days=9))
    assert later.deletes == ()


def test_a_lost_object_fails_the_run() -> None:
    lost = plan(started(), now=NOW + timedelta(minutes=1))
    assert (ready(lost).reason, lost.creates) == ("ExampleJobLost", ())


def test_its_template_is_checked_before_anything_is_made_and_by_the_api_server() -> None:
    failed = plan(run({"exampleJob": {"runtime": ""}}))
    assert ready(failed).message == "training.exampleJob.runtime must not be empty"
    refused = plan_run(RunSnapshot(run=run(), now=NOW, rejection="spec.runtime: Not found"))
    assert ready(refused).message == (
        "the API server refused the ExampleJob: spec.runtime: Not found; "
        "correct training.exampleJob"
    )


@pytest.mark.parametrize("training", [{**TRAINING, "exampleJob": {"runtime": "r"}}, {"retries": 1}])
def test_a_run_has_exactly_one_engine(training: Json) -> None:
    failed = plan(run(training))
    assert (ready(failed).reason, failed.creates) == ("InvalidTemplate", ())
    assert (
        "exactly one of training.podTemplate, training.trainJob, training.workflow, "
        "training.rayJob, training.pipelineRun, training.exampleJob" in ready(failed).message
    )


def test_a_job_is_still_a_job() -> None:
    chosen = engine_of(run(TRAINING).spec.training)
    assert chosen is not None
    assert chosen.type == JOB
    assert plan(run(TRAINING)).creates[0]["kind"] == "Job"


def test_what_it_watches_is_watched_once_it_is_switched_on() -> None:
    assert {"Job", "Pod", "ExampleJob", "ExampleNode"} <= {w.type.kind for w in watches()}
    found = {w.type.kind: w for w in kinds.watches()}
    assert found["ExampleJob"].selector == kinds.MANAGED
    assert (found["ExampleNode"].kept, found["ExampleNode"].selector) == (("role",), JOB_NAME)
    assert kinds.types()["ExampleJob"] == EXAMPLE_JOB
    assert "exampleJob" in kinds.integrations()
    for kind in ("ExampleJob", "ExampleNode"):
        assert not found[kind].wanted(("other",))
        assert found[kind].wanted(("exampleJob",))
    assert found["Job"].wanted(())


def test_the_operator_has_the_rights_for_it_once_it_is_switched_on() -> None:
    always = {resource for rule in rights.namespaced() for resource in rule["resources"]}
    assert always.isdisjoint({"examplejobs", "examplenodes"})
    rules = {tuple(rule["resources"]): rule for rule in rights.of_integrations()["exampleJob"]}
    assert set(rules) == {("examplejobs",), ("examplenodes",)}
    assert rules[("examplejobs",)]["apiGroups"] == ["example.dev"]
    assert rules[("examplejobs",)]["verbs"] == list(OWNED)
    assert rules[("examplenodes",)]["verbs"] == list(READ)


def off(subject: TrainingRun, **more: Any) -> Plan:
    """The plan of an operator in which the engine is switched off, and so not watched."""
    return plan_run(RunSnapshot(run=subject, now=more.pop("now", NOW), switched_off=True, **more))


def test_nothing_is_trained_while_it_is_switched_off_and_it_goes_on_by_itself() -> None:
    held = off(run())
    assert (ready(held).status, ready(held).reason) == ("False", "EngineOff")
    assert "set integrations.exampleJob.enabled to true" in ready(held).message
    assert "add exampleJob to EVENKEEL_INTEGRATIONS" in ready(held).message
    assert (held.creates, held.annotations, held.requeue_after) == ((), {}, None)
    later = NOW + timedelta(days=2)
    again = off(after(run(), held), now=later)
    assert again.status == held.status
    on = plan(after(run(), held), now=later)
    assert [made["kind"] for made in on.creates] == ["ExampleJob"]
    assert on.status.start_time == timestamp(later)  # type: ignore[attr-defined]


def test_a_training_under_way_is_not_judged_while_it_is_switched_off() -> None:
    late = NOW + timedelta(days=1)
    held = off(started(), now=late)
    assert ready(held).reason == "EngineOff"
    assert "ExampleJob elec-1a may train meanwhile" in ready(held).message
    assert held.status.start_time == timestamp(NOW)  # type: ignore[attr-defined]
    done = plan(after(started(), held), stored(phase="Done", output=json.dumps(REPORT)), late)
    assert ready(done).reason == "Succeeded"


def test_a_run_that_is_replaced_while_it_is_switched_off_is_stopped_later() -> None:
    replaced = off(started(), replaced_by="elec-2")
    assert (ready(replaced).reason, replaced.deletes) == ("Replaced", ())
    ended = after(started(), replaced)
    assert off(ended).deletes == ()
    assert plan(ended, stored(phase="Going")).deletes == DELETED


def test_its_objects_name_their_run() -> None:
    node = {"metadata": {"labels": {JOB_NAME: "elec-1a", "evenkeel.dev/run": "other"}}}
    assert run_of("ExampleNode", node) == "elec-1a"
    assert run_of("ExampleJob", plan(run()).creates[0]) == "elec-1a"
    assert run_of("Service", node) is None
    node["metadata"] |= {"namespace": "shop", "name": "node-0"}
    found = [*kinds.concerned(kinds.by_name(), Store(), "ExampleNode", node)]
    assert found == [Key("TrainingRun", "shop", "elec-1a")]
    assert JOB_NAME in kinds.indexed()
