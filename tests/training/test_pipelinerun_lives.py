"""Random lives of a run of Kubeflow Pipelines: whatever gets lost, one is made, and none is left.

The plan, its questions and the adapter are the real ones; the wire to the server, the status and
the process's memory lose what hypothesis says.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from evenkeel.adapters.access import Access
from evenkeel.adapters.pipelines import Pipelines
from evenkeel.adapters.source import SourceError, Unavailable
from evenkeel.adapters.web import Reply
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.times import timestamp
from evenkeel.outside.poll import Failure, Poll, Sighting
from evenkeel.training.asking import question
from evenkeel.training.engine import Observed
from evenkeel.training.plan import plan_run
from evenkeel.training.run_state import finished, result
from evenkeel.training.snapshot import RunSnapshot
from hypothesis import given
from hypothesis import strategies as st

from tests.support.pipelines_server import ENDED, Problem, spec
from tests.support.pipelines_server import Pipelines as Server

BEGAN = datetime(2026, 1, 31, 9, tzinfo=UTC)
FATES = ("arrives", "arrives", "arrives", "lost on the way back", "lost on the way there")


@dataclass
class Wire:
    """Requests to a server in the same process, of which the next may get lost."""

    server: Server
    fate: str = "arrives"

    async def request(self, access: Access, method: str, path: str, **more: Any) -> Reply:
        if self.fate == "lost on the way there":
            raise Unavailable("it did not arrive")

        async def body() -> Any:
            return json.loads(more["data"])

        asked = SimpleNamespace(method=method, path=path, query=more.get("params") or {}, json=body)
        status = 200
        try:
            told = await self.server._answer(asked, set())  # type: ignore[arg-type]
        except Problem as problem:
            told, status = problem.body, problem.status
        if self.fate == "lost on the way back" and method == "POST":
            raise Unavailable("its answer did not arrive")
        return Reply(access.url, status, "", {}, json.dumps(told).encode())


@dataclass
class Life:
    """A run, the process that leads, and Kubeflow. memory: by question what was answered."""

    now: datetime = BEGAN
    server: Server = field(default_factory=Server)
    memory: dict[Poll, Sighting[Any]] = field(default_factory=dict)
    replaced_by: str | None = None

    def __post_init__(self) -> None:
        self.server.upload("elec", spec())
        self.wire = Wire(self.server)
        self.asked = Pipelines(self.wire)  # type: ignore[arg-type]
        meta = {"name": "elec-1", "namespace": "ml", "uid": "u1", "generation": 1}
        meta["creationTimestamp"] = timestamp(BEGAN)
        training = {
            "pipelineRun": {"url": "http://kfp", "pipelineName": "elec"},
            "resultFrom": {"object": {"uri": "s3://results/$(EVENKEEL_RUN).json"}},
        }
        spec_ = {"model": "elec", "training": training}
        self.run = TrainingRun.model_validate({"metadata": meta, "spec": spec_})

    @property
    def alive(self) -> list[str]:
        """The runs in Kubeflow that go on."""
        gone = (*ENDED, "CANCELING")
        return [r["run_id"] for r in self.server.runs.values() if r["state"] not in gone]

    def reconcile(self, *, written: bool = True) -> None:
        """written: whether status and record are; a process may end before."""
        poll = question(self.run, None, self.now)
        seen = self.memory.get(poll, Sighting()) if poll is not None else Sighting()
        done = plan_run(
            RunSnapshot(
                run=self.run,
                now=self.now,
                observed=Observed(outside=seen),
                replaced_by=self.replaced_by,
            )
        )
        if written:
            annotations = dict(done.annotations) or self.run.metadata.annotations
            metadata = self.run.metadata.model_copy(update={"annotations": annotations})
            wire = self.run.model_copy(update={"metadata": metadata, "status": done.status}).wire()
            self.run = TrainingRun.model_validate(wire)

    def ask(self, fate: str = "arrives") -> None:
        """The question of now is put; one that is new is asked anew."""
        poll, self.wire.fate = question(self.run, None, self.now), fate
        if poll is None:
            return
        before = self.memory.get(poll, Sighting())
        try:
            answer = asyncio.run(
                self.asked(poll.question, Access("http://kfp"), before.answer)  # type: ignore[arg-type]
            )
        except SourceError as error:
            failure = Failure(error.reason, str(error), self.now)
            self.memory = {poll: Sighting(before.answer, before.since, before.asked, failure)}
        else:
            self.memory = {poll: Sighting(answer, self.now, self.now)}

    def does(self, action: str, fate: str) -> None:
        match action:
            case "reconciles":
                self.reconcile()
            case "ends before it writes":
                self.reconcile(written=False)
                self.memory.clear()
            case "asks":
                self.ask(fate)
            case "another leads":
                self.memory.clear()
            case "goes on":
                for run_id in self.alive:
                    self.server.becomes(run_id, "RUNNING")
            case "ends there":
                for run_id in self.alive:
                    self.server.becomes(run_id, "FAILED")
            case "is replaced":
                self.replaced_by = "elec-2"
            case "is late":
                self.now += timedelta(hours=2)
            case "some time passes":
                self.now += timedelta(seconds=61)


ACTIONS = st.sampled_from(
    [
        *("reconciles",) * 4,
        *("asks",) * 4,
        "ends before it writes",
        "another leads",
        "goes on",
        "ends there",
        "is replaced",
        "is late",
        "some time passes",
    ]
)


@given(st.lists(st.tuples(ACTIONS, st.sampled_from(FATES)), max_size=30))
def test_one_is_made_and_none_is_left(steps: list[tuple[str, str]]) -> None:
    life = Life()
    known: set[str] = set()
    for action, fate in steps:
        life.does(action, fate)
        assert len(life.server.runs) <= 1, "whatever got lost, it is made once"
        assert not life.server.runs or life.run.status.start_time, "and not before that is written"
        if life.run.status.run is not None and life.run.status.run.name:
            known.add(life.run.status.run.name)
        assert known <= {*life.server.runs}
    # In the end everything can be reached; it ends there unless it was ended.
    for _ in range(6):
        life.reconcile()
        life.ask()
        life.now += timedelta(seconds=61)
        for run_id in life.alive:
            if not finished(life.run):
                life.server.becomes(run_id, "FAILED")
        for run in life.server.runs.values():
            if run["state"] == "CANCELING":
                life.server.becomes(run["run_id"], "CANCELED")
    life.reconcile()
    end = result(life.run)
    assert end is not None
    assert end.reason in ("TrainerFailed", "TimedOut", "Replaced")
    assert life.alive == []
    assert question(life.run, None, life.now) is None, "nothing more is asked"
    assert len(life.server.runs) <= 1
