"""A training engine outside the cluster is one file: this one, a made-up service that trains.

What asks the service is an adapter of its own, as of any source that is polled.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
from evenkeel.api.engine import EngineTemplate
from evenkeel.api.enginerun import ObservedRun
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.controllers import kinds
from evenkeel.meta.plan import Plan
from evenkeel.outside.poll import Poll, Sighting
from evenkeel.training import engines
from evenkeel.training.asking import parting, question
from evenkeel.training.engine import GONE, Engine, Observed, State, Wish
from evenkeel.training.plan import plan_run
from evenkeel.training.snapshot import RunSnapshot
from pydantic import Field

from tests.support.extended import extended

Json = dict[str, Any]

# The engine.


class ExampleService(EngineTemplate):
    """A service that trains the model."""

    url: Annotated[str, Field(max_length=63, description="Its address.")]


def asks(run: TrainingRun, champion: ModelVersion | None, wish: Wish) -> Poll:
    url = run.spec.training.example_service.url  # type: ignore[attr-defined]
    return Poll("example", url, (wish, run.metadata.uid), 10.0)


def known_as(run: TrainingRun, observed: Observed) -> ObservedRun | None:
    told: Any = observed.outside.answer
    if told is None:
        return run.status.run
    return ObservedRun(engine="exampleService", name="7", url="http://s/7", last_seen=told)


def state(run: TrainingRun, observed: Observed, now: datetime) -> State:
    known = known_as(run, observed)
    if known is None:
        return State("Pending", "the service is asked")
    if known.last_seen == "done":
        return State("Succeeded", "", '{"uri": "s3://m/1", "format": {"name": "sklearn"}}')
    return State("Running", f"the service says {known.last_seen}")


EXAMPLE = Engine(
    field="example_service",
    problem=lambda training: None,
    state=state,
    asks=asks,
    known_as=known_as,
    ends=frozenset(("done",)),
)

# The proof.

Run = extended(TrainingRun, "spec.training.exampleService", ExampleService)
NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of engines with one more row."""
    monkeypatch.setattr(engines, "ENGINES", (*engines.ENGINES, EXAMPLE))


def run(**status: Any) -> TrainingRun:
    meta = {"name": "elec-1a", "namespace": "ml", "uid": "u1", "generation": 1}
    meta["creationTimestamp"] = NOW.isoformat()
    training = {"exampleService": {"url": "http://s"}}
    spec = {"model": "elec", "training": training}
    return Run.model_validate({"metadata": meta, "spec": spec, "status": status})


def plan(subject: TrainingRun, told: str | None = None, **more: Any) -> Plan:
    observed = Observed(outside=Sighting(told, NOW, NOW) if told else Sighting())
    return plan_run(RunSnapshot(run=subject, now=NOW, observed=observed, **more))


def after(subject: TrainingRun, done: Plan) -> TrainingRun:
    return Run.model_validate({**subject.wire(), "status": done.status.wire()})


def said(done: Plan) -> tuple[str, str]:
    ready = done.status.conditions[0]  # type: ignore[attr-defined]
    return ready.reason, ready.message


def wish(subject: TrainingRun) -> Any:
    found = question(subject, None, NOW)
    return None if found is None else found.question


def test_it_is_asked_once_the_status_says_so() -> None:
    first = plan(run())
    assert said(first) == ("Pending", "the ExampleService is being asked for")
    assert wish(run()) is None
    assert wish(after(run(), first)) == ("Train", "u1")


def test_its_answers_are_the_run_s_course_up_to_the_version() -> None:
    begun = after(run(), plan(run()))
    going = plan(begun, "halfway")
    assert said(going) == ("Running", "the service says halfway")
    assert [e.message for e in going.events] == ["ExampleService 7: http://s/7"]
    done = plan(after(begun, going), "done")
    assert wish(after(begun, done)) is None
    (version,) = done.creates
    assert version["spec"]["run"] == {
        "engine": "exampleService",
        "name": "7",
        "url": "http://s/7",
    }


def test_it_is_asked_to_end_what_is_not_wanted_any_more() -> None:
    begun = after(run(), plan(run()))
    last = parting(begun)
    assert last is not None
    assert last.question == ("End", "u1")
    replaced = after(begun, plan(begun, "halfway", replaced_by="elec-2b"))
    assert wish(replaced) == ("End", "u1")
    assert wish(after(replaced, plan(replaced, GONE))) is None


def test_it_is_no_object_of_the_cluster() -> None:
    assert "ExampleService" not in {watch.type.kind for watch in kinds.watches()}
    assert "exampleService" not in kinds.integrations()
