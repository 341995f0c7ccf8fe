"""The PipelineRun engine: Kubeflow Pipelines trains, behind its REST API.

The run there bears the TrainingRun's name and UID, and is searched by them before it is made, so
that it is made once. There is no object in the cluster: what is known of it is what was last
answered, and the last state that was seen is kept in the status.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from evenkeel.api.cause import cause_text
from evenkeel.api.common import TrainingTemplate
from evenkeel.api.enginerun import ObservedRun
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.pipelinerun import PipelineRunTemplate
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.times import parse
from evenkeel.outside.pipelines import (
    ENDED,
    KIND,
    Begin,
    Follow,
    Gone,
    Pipeline,
    Place,
    Refused,
    Run,
    Stands,
    Stop,
)
from evenkeel.outside.poll import Poll, Sighting
from evenkeel.training.engine import GONE, LATE_SECONDS, Engine, Observed, State, Wish
from evenkeel.training.environment import facts_of
from evenkeel.training.main_object import LOOK_AGAIN
from evenkeel.training.results import source_of

NAME = "pipelineRun"
RESERVED = "evenkeel_"
SHOWN = 512
"""Characters of the cause in the run's description."""

UNSEEN: Sighting[object] = Sighting()
_ENDS = {
    "FAILED": "",
    "CANCELED": "it was terminated in Kubeflow Pipelines",
    "SKIPPED": "it was skipped, so that nothing was trained",
}
"""What states without a model say for themselves."""
_HALTS = {
    "PAUSED": "it is paused; resume it in Kubeflow Pipelines",
    "CANCELING": "it is being terminated",
}


def problem(training: TrainingTemplate) -> str | None:
    """What would keep the run from working; its pipeline is known to the server alone."""
    if training.result_from is None:
        return (
            "training.pipelineRun leaves no termination message; name in training.resultFrom where "
            "its last step writes the report"
        )
    source = source_of(training)
    given = source.variables if source is not None else ()
    for name in training.parameters:
        if name.startswith(RESERVED):
            return (
                f"training.parameters: {name!r} begins with {RESERVED}, by which a pipeline gets "
                "the facts of its run; leave it out"
            )
        if name.upper() in given:
            return (
                f"training.parameters: {name!r} is what training.resultFrom gives the pipeline, so "
                "that its report is found; leave it out"
            )
    return None


def asks(run: TrainingRun, champion: ModelVersion | None, wish: Wish) -> Poll:
    """What the server is asked of the run."""
    template = _template(run)
    known = run.status.run.name if run.status.run is not None else ""
    # Names of objects repeat, UIDs do not.
    name = f"{run.metadata.name} {run.metadata.uid}"
    place = Place(
        template.namespace or "", template.experiment_id or "", template.experiment_name or ""
    )
    question: Begin | Follow | Stop
    if wish == "End":
        question = Stop(name, place, known)
    elif known:
        question = Follow(name, place, known)
    else:
        question = Begin(name, place, _wanted(run, champion))
    interval = float(template.interval_seconds)
    return Poll(KIND, template.url, question, interval, template.secret_name or "")


def _wanted(run: TrainingRun, champion: ModelVersion | None) -> Run:
    template, meta = _template(run), run.metadata
    whose = f"{meta.namespace}/{meta.name}: {cause_text(run.spec.cause)[:SHOWN]}"
    return Run(
        Pipeline(
            template.pipeline_id or "",
            template.pipeline_version_id or "",
            template.pipeline_name or "",
            template.version_name or "",
            template.namespace or "",
        ),
        parameters=tuple(sorted(run.spec.training.parameters.items())),
        facts=tuple((name.lower(), value) for name, value in facts_of(run, champion).items()),
        root=template.pipeline_root or "",
        service_account=template.service_account or "",
        description=f"Trains {run.spec.model} for TrainingRun {whose}",
    )


def _template(run: TrainingRun) -> PipelineRunTemplate:
    template = run.spec.training.pipeline_run
    assert template is not None
    return template


def known_as(run: TrainingRun, observed: Observed) -> ObservedRun | None:
    """The run there as it was last seen.

    That there is none to end is believed once no late request can make one any more.
    """
    before, template = run.status.run, _template(run)
    match observed.outside.answer:
        case Stands() as seen:
            base = (template.ui_url or template.url).rstrip("/")
            return ObservedRun(
                engine=NAME,
                name=seen.run_id,
                url=f"{base}/#/runs/details/{seen.run_id}",
                last_seen=seen.state[:63],
            )
        case Gone() if before is not None or _late(run, observed):
            found = before or ObservedRun(engine=NAME)
            return found.model_copy(update={"last_seen": GONE})
    return before


def _late(run: TrainingRun, observed: Observed) -> bool:
    """Whether the answer was given long after the run had ended."""
    asked, end = observed.outside.asked, run.status.completion_time
    late = timedelta(seconds=LATE_SECONDS)
    return asked is not None and end is not None and asked >= parse(end) + late


def pipeline_run_state(run: TrainingRun, observed: Observed, now: datetime) -> State:
    """How the run stands, by the last answer, and by the TrainingRun's clock.

    A server that does not answer takes nothing away: the time-out alone ends what is not known,
    once it was asked for after that.
    """
    seen, known = observed.outside, known_as(run, observed)
    if isinstance(seen.answer, Refused):
        return State(
            "Failed",
            f"Kubeflow Pipelines refused the run: {seen.answer.words}; correct "
            "training.pipelineRun or training.parameters",
            reason="InvalidTemplate",
        )
    if isinstance(seen.answer, Gone) or (known is not None and known.last_seen == GONE):
        return State("Failed", _lost(known), reason="PipelineRunLost")
    told = seen.answer if isinstance(seen.answer, Stands) else None
    state = known.last_seen if known is not None else ""
    if state == "SUCCEEDED":
        return State("Succeeded", "", completed=told.finished or None if told else None)
    if known is not None and state in _ENDS:
        said = _ENDS[state] or (told.words if told else "") or "its page tells more"
        return State("Failed", f"run {known.name}: {state}: {said}", failure=said)
    limit = timedelta(seconds=run.spec.training.timeout_seconds)
    end = parse(str(run.status.start_time)) + limit
    left = (end - now).total_seconds()
    going = _going_on(observed, known)
    if left > 0:
        return going._replace(requeue_after=left)
    if _may_have_ended(run, seen, end, now):
        return going._replace(requeue_after=LOOK_AGAIN)
    return going._replace(phase="TimedOut", reason="")


def _may_have_ended(run: TrainingRun, seen: Sighting[object], end: datetime, now: datetime) -> bool:
    """Whether it may have succeeded before its time was over at `end`, unseen so far.

    An answer of after that tells, and so does one that never came though it was due twice.
    """
    if seen == UNSEEN:
        # Nobody has asked since this process began.
        return True
    if seen.asked is not None and seen.asked >= end:
        return False
    return now < end + timedelta(seconds=2 * _template(run).interval_seconds + LATE_SECONDS)


def _lost(known: ObservedRun | None) -> str:
    named = f"run {known.name}" if known is not None and known.name else "the run"
    return (
        f"{named} was deleted in Kubeflow Pipelines before its end was seen; it is not made again: "
        "create another TrainingRun, or let the schedule's next trigger do so"
    )


def _going_on(observed: Observed, known: ObservedRun | None) -> State:
    failure = observed.outside.failure
    reason, trouble = ("", "") if failure is None else (failure.reason, failure.message)
    if known is None:
        waits = "Kubeflow Pipelines is asked for the run"
        return State("Pending", f"{waits}; {trouble}" if trouble else waits, reason=reason)
    state = known.last_seen or "PENDING"
    words = f"run {known.name}: {state}"
    if state in _HALTS:
        words = f"{words}: {_HALTS[state]}"
    if trouble:
        words = f"{words} when last seen; {trouble}"
    return State("Pending" if state == "PENDING" else "Running", words, reason=reason)


PIPELINE_RUN_ENGINE = Engine(
    field="pipeline_run",
    problem=problem,
    state=pipeline_run_state,
    asks=asks,
    known_as=known_as,
    ends=ENDED,
)
