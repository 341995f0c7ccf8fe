"""The decision: a new run that takes all that waits, or what becomes of the alerts without one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from evenkeel.api.cause import Cause, cause_text
from evenkeel.api.cloudevent import CloudEvent
from evenkeel.api.retrainschedule import LastRun
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.times import parse, timestamp
from evenkeel.retraining.accounts import KEPT_ALERTS, Book
from evenkeel.retraining.admission import Blocked, Request
from evenkeel.retraining.runs import NewRun, alert_run_name, occurrence_run_name
from evenkeel.retraining.triggers import Matched, received_type
from evenkeel.retraining.triggers.kind import Occurrence
from evenkeel.training.restored import created


def decide(
    book: Book,
    request: Request,
    blocked: Blocked | None,
    due: Sequence[Occurrence],
    alerts: Sequence[Matched],
    runs: Sequence[TrainingRun],
) -> NewRun | None:
    """The new run, which takes everything that waits; or None, with each alert put to the active
    run, to those that wait or to the suppressed ones.

    Events wait under every policy: nobody sends them again.
    """
    if blocked is not None and blocked.but_for:
        due = tuple(o for o in due if o.revision is not None and o.trigger == blocked.but_for)
        blocked = None if due else blocked
    last = book.last
    running = last if last is not None and last.name in request.active else None
    fresh = alerts
    if running is not None:
        began = _created(running, runs)
        fresh = tuple(
            a for a in alerts if not (a.record.repeats and answered_by(a.record.began, began))
        )
    if blocked is None and (due or book.pending or fresh):
        return _new_run(book, request, due[0] if due else None, alerts, runs)
    queues = request.spec.concurrency_policy == "Queue"
    wait = blocked is None or blocked.alerts_wait
    waiting = tuple(a for a in fresh if wait and (queues or not a.record.repeats))
    book.wait(waiting, request.now)
    if running is not None:
        book.count_on_last(len(alerts) - len(waiting))
    else:
        book.suppressed += len(alerts) - len(waiting)
    return None


def answered_by(starts_at: str, run_created: datetime) -> bool:
    """Whether a run that is still active already answers an alert that began at `starts_at`.

    It does if the alert began before the run: the training then saw what the alert is about. So
    Alertmanager's repeats and retries neither queue another run nor replace the active one. A time
    that cannot be read counts as answered, for the same reason.
    """
    try:
        return parse(starts_at) <= run_created
    except ValueError:
        return True


def _created(running: LastRun, runs: Sequence[TrainingRun]) -> datetime:
    """When the run was created, rounded up, since the API server cuts fractions off."""
    times = [created(r) for r in runs if r.metadata.name == running.name]
    return max([*times, parse(running.time)]) + timedelta(seconds=1)


def _new_run(
    book: Book,
    request: Request,
    due: Occurrence | None,
    alerts: Sequence[Matched],
    runs: Sequence[TrainingRun],
) -> NewRun:
    schedule = request.schedule
    if due is None:
        name = alert_run_name(schedule, book.last.name if book.last else "")
    else:
        name = occurrence_run_name(schedule, due.kind.field, due.trigger, due.identity)
    cause = _cause(book, request, due, alerts)
    # Nobody sends the events again that the stopped runs were to answer.
    events = {(e.source, e.id): e for e in (*_stopped_events(request, runs), *cause.events)}
    cause = cause.model_copy(update={"events": tuple(events.values())[:KEPT_ALERTS]})
    summary = cause.alerts[0].summary if cause.alerts else ""
    text = cause_text(cause) + (f": {summary}" if summary else "")
    return NewRun(name, cause.model_copy(update={"message": text[:1024]}), due)


def _stopped_events(request: Request, runs: Sequence[TrainingRun]) -> Iterator[CloudEvent]:
    if request.spec.concurrency_policy == "Replace":
        for run in runs:
            if run.metadata.name in request.active:
                yield from run.spec.cause.events


def _cause(
    book: Book, request: Request, due: Occurrence | None, alerts: Sequence[Matched]
) -> Cause:
    gathered = replace(book)
    gathered.wait(alerts, request.now)
    waiting = gathered.pending
    if due is not None:
        cause = Cause(
            type=due.kind.cause_type, trigger=due.trigger, time=timestamp(due.time), **due.facts
        )
    elif waiting is not None:
        event = not waiting.alerts
        type_ = received_type(request.spec.triggers, waiting.trigger, event=event)
        cause = Cause(type=type_, trigger=waiting.trigger, time=waiting.since)
    else:
        raise ValueError("a run needs an occurrence or alerts")
    if waiting is not None:
        answered = {
            "alert_count": waiting.alert_count,
            "alerts": waiting.alerts,
            "events": waiting.events,
        }
        cause = cause.model_copy(update=answered)
    return cause
