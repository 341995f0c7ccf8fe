"""Plans a TrainingRun: its engine's object, then the ModelVersion that comes out of it.

A run trains at most once. The object is created before the status says so; when it is later gone
without a result, the run fails instead of training a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from math import inf
from typing import Any

from evenkeel.api.base import API_VERSION
from evenkeel.api.labels import RUN
from evenkeel.api.trainingrun import TrainingResult, TrainingRunStatus
from evenkeel.meta.conditions import refused
from evenkeel.meta.objects import Event, Manifest, Ref
from evenkeel.meta.owners import left_behind
from evenkeel.meta.plan import Plan
from evenkeel.meta.times import parse, sooner, timestamp
from evenkeel.training import awaiting, status, template
from evenkeel.training.asking import question
from evenkeel.training.awaiting import Missing, Wait
from evenkeel.training.engine import Engine, State
from evenkeel.training.engines import engine_of
from evenkeel.training.main_object import LOOK_AGAIN
from evenkeel.training.record import version_name, version_record
from evenkeel.training.restored import record, restored
from evenkeel.training.result import InvalidResult, parse_result
from evenkeel.training.results import source_of
from evenkeel.training.run_state import REPLACED, ended, finished, replaced
from evenkeel.training.snapshot import RunSnapshot

UNSEEN_SECONDS = 60
"""For so long an object that was just created may be missing from the snapshot."""

_FAILURES = {
    "TimedOut": "TimedOut",
    "Failed": "TrainerFailed",
    "InvalidTemplate": "InvalidTemplate",
    "ReportLost": "ReportLost",
}
"""Reasons of a run, by the phase of the engine in which it fails."""


def plan_run(snapshot: RunSnapshot) -> Plan:
    """The next step of the run; the same snapshot gives the same plan. Never raises for bad input.

    An unfinished run without an object gets one; a finished object becomes a ModelVersion or a
    failure. What must outlive the status goes to the run's record.
    """
    plan = _next(snapshot)
    assert isinstance(plan.status, TrainingRunStatus)
    if plan.status.start_time is None and not finished(snapshot.run):
        return plan
    return replace(plan, annotations=record(plan.status))


def _next(snapshot: RunSnapshot) -> Plan:
    """The step; each one below answers None where it does not apply."""
    run, engine = snapshot.run, engine_of(snapshot.run.spec.training)
    if finished(run):
        return _afterwards(snapshot, engine)
    if run.metadata.deletion_timestamp is not None:
        return Plan(status=run.status)
    if run.status.trained_time is not None and not restored(run):
        trained = State("Succeeded", "", completed=run.status.trained_time)
        return _kept(snapshot) or _awaited(snapshot, engine, trained)
    if engine is not None and snapshot.switched_off:
        return _kept(snapshot) or _replaced(snapshot, engine) or _switched_off(snapshot, engine)
    if restored(run) and not snapshot.owned:
        return _restored(snapshot, engine)
    fault = template.problem(run.spec.training)
    if engine is None or fault is not None:
        return _failure(snapshot, "InvalidTemplate", str(fault))
    if engine.asks is not None:
        return _outside(snapshot, engine)
    if snapshot.observed.main is None:
        return (
            _kept(snapshot)
            or _replaced(snapshot, engine)
            or _rejected(snapshot, engine)
            or _created(snapshot, engine)
            or _unseen(snapshot, engine)
            or _lost(snapshot, engine)
        )
    if not snapshot.owned:
        return _conflict(snapshot, engine)
    state = engine.state(run, snapshot.observed, snapshot.now)
    if state.data:
        # Whatever comes next: the pod that tells of them may be gone by then.
        known = run.status.model_copy(update={"data": state.data})
        snapshot = replace(snapshot, run=run.model_copy(update={"status": known}))
    return (
        _outcome(snapshot, engine, state)
        or _replaced(snapshot, engine)
        or _progress(snapshot, state)
    )


def _outside(snapshot: RunSnapshot, engine: Engine) -> Plan:
    """The step of a training that is no object in the cluster: it is asked for once the status
    says so, by asking.py, and stands as the last answer says."""
    if snapshot.run.status.start_time is None:
        return _replaced(snapshot, engine) or _begun(snapshot, engine)
    state = engine.state(snapshot.run, snapshot.observed, snapshot.now)
    return (
        _outcome(snapshot, engine, state)
        or _replaced(snapshot, engine)
        or _told(snapshot, engine, state)
    )


def _begun(snapshot: RunSnapshot, engine: Engine) -> Plan:
    """The question follows at once."""
    message = f"the {engine.kind} is being asked for"
    return Plan(status=status.unfinished(snapshot, "Pending", message), requeue_after=0.0)


def _told(snapshot: RunSnapshot, engine: Engine, state: State) -> Plan:
    plan, known = _progress(snapshot, state), snapshot.known_as
    if known is None or snapshot.run.status.run is not None:
        return plan
    event = Event("Normal", f"{engine.kind}Created", f"{engine.kind} {known.name}: {known.url}")
    # From now on that one is followed, and none made in its place.
    return replace(plan, events=(event,), requeue_after=0.0)


def _kept(snapshot: RunSnapshot) -> Plan | None:
    """A report that was read counts, whatever has become of the object since."""
    if snapshot.run.status.result is None:
        return None
    trained = snapshot.run.status.trained_time
    return _reported(snapshot, State("Succeeded", "", completed=trained), ())


def _switched_off(snapshot: RunSnapshot, engine: Engine) -> Plan:
    """Nothing is made or judged: whether its object is there is not known."""
    kind, name = engine.kind, engine.integration
    message = (
        f"{engine.path} needs the integration {name}, which is switched off: set "
        f"integrations.{name}.enabled to true in the chart's values, or add {name} to "
        "EVENKEEL_INTEGRATIONS and give the operator the rights; the run goes on by itself then"
    )
    if snapshot.run.status.start_time is not None:
        message += f"; {kind} {snapshot.run.metadata.name} may train meanwhile"
    return Plan(status=status.held(snapshot, "EngineOff", message))


def _restored(snapshot: RunSnapshot, engine: Engine | None) -> Plan:
    """An object of its that was restored as well would train again."""
    run, main = snapshot.run, snapshot.observed.main
    deletes: tuple[Ref, ...] = ()
    if engine is not None and main is not None:
        meta = main["metadata"]
        own = (meta.get("labels") or {}).get(RUN) == run.metadata.name
        if own and left_behind(meta, API_VERSION, run.kind, run.metadata.name, run.metadata.uid):
            deletes = (_ref(snapshot, engine, meta),)
    found = status.restored(snapshot)
    ready = found.conditions[0]
    return Plan(
        status=found, deletes=deletes, events=(Event("Normal", ready.reason, ready.message),)
    )


def _replaced(snapshot: RunSnapshot, engine: Engine | None) -> Plan | None:
    if snapshot.replaced_by is None:
        return None
    message = f"TrainingRun {snapshot.replaced_by} replaced this run"
    return _failure(snapshot, REPLACED, message, deletes=_deletion(snapshot, engine))


def _rejected(snapshot: RunSnapshot, engine: Engine) -> Plan | None:
    if snapshot.rejection is None:
        return None
    return _failure(
        snapshot,
        "InvalidTemplate",
        f"the API server refused the {engine.kind}: {snapshot.rejection}; correct {engine.path}",
    )


def _created(snapshot: RunSnapshot, engine: Engine) -> Plan | None:
    if snapshot.run.status.start_time is not None:
        return None
    kind, name = engine.kind, snapshot.run.metadata.name
    return Plan(
        status=status.begun(snapshot, f"{kind} {name} is being created"),
        creates=(_main_object(snapshot, engine),),
        events=(Event("Normal", f"{kind}Created", f"{kind} {name}"),),
    )


def _main_object(snapshot: RunSnapshot, engine: Engine) -> Manifest:
    assert engine.manifest is not None
    made = engine.manifest(snapshot.run, snapshot.champion)
    if engine.with_data is None or not snapshot.run.spec.training.data:
        return made
    return engine.with_data(made, snapshot.run, snapshot.data_image)


def _unseen(snapshot: RunSnapshot, engine: Engine) -> Plan | None:
    run = snapshot.run
    seen_by = parse(str(run.status.start_time)) + timedelta(seconds=UNSEEN_SECONDS)
    if snapshot.now >= seen_by:
        return None
    message = f"{engine.kind} {run.metadata.name} was created"
    return Plan(
        status=status.unfinished(snapshot, "Pending", message),
        requeue_after=(seen_by - snapshot.now).total_seconds(),
    )


def _lost(snapshot: RunSnapshot, engine: Engine) -> Plan:
    return _failure(
        snapshot,
        f"{engine.kind}Lost",
        f"{engine.kind} {snapshot.run.metadata.name} was deleted before its result was read; "
        "create another TrainingRun, or let the schedule's next trigger do so",
    )


def _conflict(snapshot: RunSnapshot, engine: Engine) -> Plan:
    kind, name = engine.kind, snapshot.run.metadata.name
    return _failure(
        snapshot,
        f"{kind}Conflict",
        f"a {kind} {name} of another owner exists; delete it, and create another TrainingRun",
    )


def _outcome(snapshot: RunSnapshot, engine: Engine, state: State) -> Plan | None:
    deletes = _deletion(snapshot, engine) if state.stop else ()
    if snapshot.run.status.result is not None:
        return _reported(snapshot, state, deletes)
    if state.phase == "Succeeded" and source_of(snapshot.run.spec.training) is not None:
        return _awaited(snapshot, engine, state)
    if state.report is not None:
        return _reported(snapshot, state, deletes)
    if state.phase not in _FAILURES:
        return None
    message = state.message
    if state.phase == "TimedOut":
        limit = snapshot.run.spec.training.timeout_seconds
        text = f"the training took longer than timeoutSeconds {limit}"
        message = f"{text}: {message}" if message else text
    reason = state.reason or _FAILURES[state.phase]
    return _failure(snapshot, reason, message, deletes=deletes)


def _awaited(snapshot: RunSnapshot, engine: Engine | None, state: State) -> Plan:
    """The report is elsewhere. What the object leaves behind is stopped meanwhile."""
    source = source_of(snapshot.run.spec.training)
    assert source is not None
    left = _until_stopped(snapshot, engine)
    deletes = _deletion(snapshot, engine) if left <= 0 else ()
    try:
        found = awaiting.outcome(snapshot, source)
    except InvalidResult as problem:
        return _failure(snapshot, "InvalidResult", str(problem), deletes=deletes)
    match found:
        case Missing():
            return _failure(snapshot, "ResultMissing", found.message, deletes=deletes)
        case Wait():
            moments = [s for s in (found.requeue_after, left) if s is not None and 0 < s < inf]
            completed = state.completed or timestamp(snapshot.now)
            return _replaced(snapshot, engine) or Plan(
                status=status.awaiting(snapshot, found.message, completed, found.absent),
                deletes=deletes,
                requeue_after=min(moments, default=None),
            )
    return _made(snapshot, found, state, deletes)


def _reported(snapshot: RunSnapshot, state: State, deletes: tuple[Ref, ...]) -> Plan:
    try:
        report = snapshot.run.status.result or parse_result(state.report or "", state.place)
    except InvalidResult as problem:
        failed = _failure(snapshot, "InvalidResult", str(problem), deletes=deletes)
        return replace(failed, requeue_after=_life(snapshot, state))
    return _made(snapshot, report, state, deletes)


def _made(
    snapshot: RunSnapshot, report: TrainingResult, state: State, deletes: tuple[Ref, ...]
) -> Plan:
    """The ModelVersion that a report becomes."""
    run = snapshot.run
    if run.status.result is None and refused(run.status.conditions):
        # The version may be refused for longer than pods and Job live.
        return Plan(status=status.reported(snapshot, report), requeue_after=0.0)
    name = version_name(run)
    made = version_record(snapshot, report, state.completed or timestamp(snapshot.now))
    return Plan(
        status=status.succeeded(snapshot, report, name),
        creates=() if snapshot.version_exists else (made,),
        deletes=deletes,
        events=(Event("Normal", "Succeeded", f"ModelVersion {name} from {report.uri}"),),
        requeue_after=_life(snapshot, state),
    )


def _life(snapshot: RunSnapshot, state: State) -> float | None:
    """Seconds that the object of a finished run is kept, or until it has to be stopped."""
    life = float(snapshot.run.spec.training.ttl_seconds_after_finished)
    return sooner(life, state.requeue_after)


def _progress(snapshot: RunSnapshot, state: State) -> Plan:
    patches = tuple((ref, state.patch) for ref in _main(snapshot) if state.patch is not None)
    return Plan(
        status=status.progress(snapshot, state),
        patches=patches,
        requeue_after=state.requeue_after,
    )


def _failure(
    snapshot: RunSnapshot, reason: str, message: str, *, deletes: tuple[Ref, ...] = ()
) -> Plan:
    """A final failure; the object stays for its time to live, unless it is among `deletes`."""
    return Plan(
        status=status.failed(snapshot, reason, message),
        deletes=deletes,
        events=(Event("Normal" if reason == REPLACED else "Warning", reason, message),),
        requeue_after=float(snapshot.run.spec.training.ttl_seconds_after_finished),
    )


def _afterwards(snapshot: RunSnapshot, engine: Engine | None) -> Plan:
    """The object of a finished run is deleted in the end, or at once if it would still go on."""
    run = snapshot.run
    left = 0.0
    if not replaced(run):
        life = timedelta(seconds=run.spec.training.ttl_seconds_after_finished)
        left = (ended(run) + life - snapshot.now).total_seconds()
        left = min(left, _until_stopped(snapshot, engine))
    if question(run, None, snapshot.now) is not None:
        return Plan(status=status.afterwards(snapshot), requeue_after=LOOK_AGAIN)
    over = left <= 0
    return Plan(
        status=status.afterwards(snapshot),
        deletes=_deletion(snapshot, engine) if over else (),
        requeue_after=None if over or snapshot.observed.main is None else left,
    )


def _until_stopped(snapshot: RunSnapshot, engine: Engine | None) -> float:
    """Seconds until the object has to be stopped; infinite if it ends by itself."""
    if engine is None or not snapshot.owned:
        return inf
    state = engine.state(snapshot.run, snapshot.observed, snapshot.now)
    if state.stop:
        return 0.0
    return inf if state.requeue_after is None else state.requeue_after


def _deletion(snapshot: RunSnapshot, engine: Engine | None) -> tuple[Ref, ...]:
    main = snapshot.observed.main
    if engine is None or main is None or main["metadata"].get("deletionTimestamp"):
        return ()
    return _main(snapshot)


def _main(snapshot: RunSnapshot) -> tuple[Ref, ...]:
    """The run's own object, if it is there."""
    main, engine = snapshot.observed.main, engine_of(snapshot.run.spec.training)
    if engine is None or main is None or not snapshot.owned:
        return ()
    return (_ref(snapshot, engine, main["metadata"]),)


def _ref(snapshot: RunSnapshot, engine: Engine, meta: Mapping[str, Any]) -> Ref:
    type_, namespace = engine.type, snapshot.run.metadata.namespace
    assert type_ is not None
    return Ref(type_.api_version, type_.kind, namespace, meta["name"], meta["uid"])
