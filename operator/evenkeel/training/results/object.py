"""A report in an object of a store that speaks S3."""

from __future__ import annotations

from collections.abc import Mapping

from evenkeel.api.objectstore import RUN
from evenkeel.api.resultfrom import ResultObject
from evenkeel.api.trainingrun import TrainingResult, TrainingRun
from evenkeel.meta.times import parse
from evenkeel.outside import s3
from evenkeel.outside.poll import Poll
from evenkeel.outside.s3 import Content, Read, TooLarge
from evenkeel.training.restored import CREATION
from evenkeel.training.result import InvalidResult, Place, parse_result
from evenkeel.training.results.kind import INTERVAL, Absent, Named, ResultSource

ADDRESS = "EVENKEEL_RESULT_URI"
LIMIT = 2**16
"""Bytes of a report."""


def uri(run: TrainingRun) -> str:
    """The object's address."""
    return _spec(run).uri.replace(RUN, run.metadata.name)


def poll(run: TrainingRun, named: Named) -> Poll:
    """The question what it holds."""
    spec = _spec(run)
    bucket, key = s3.split(uri(run))
    virtual_host = spec.addressing == "VirtualHost"
    url, where = s3.address(bucket, spec.endpoint or "", spec.region, virtual_host=virtual_host)
    return Poll(s3.KIND, url, Read(where, key, LIMIT), INTERVAL, spec.secret_name or "")


def read(run: TrainingRun, answer: Content | s3.Absent | TooLarge) -> TrainingResult | Absent:
    """The report. Raises InvalidResult."""
    match answer:
        case TooLarge():
            raise InvalidResult(
                f"the report at {uri(run)} is larger than {LIMIT // 1024} KiB; write it alone there"
            )
        case s3.Absent():
            return Absent(answer.words)
    if _older(run, answer.modified):
        return Absent(f"what is there was written at {answer.modified}, before this run began")
    place = Place(f"report at {uri(run)}", "write one JSON object there")
    return parse_result(answer.text, place)


def given(run: TrainingRun) -> Mapping[str, str]:
    """Where the trainer writes it."""
    return {ADDRESS: uri(run)}


def _older(run: TrainingRun, modified: str) -> bool:
    """Whether it is of an earlier run of that name, whatever the clocks of both sides say."""
    begun = run.status.start_time
    return bool(modified and begun) and parse(modified) + CREATION < parse(str(begun))


def _spec(run: TrainingRun) -> ResultObject:
    found = run.spec.training.result_from
    assert found is not None
    assert found.object is not None
    return found.object


OBJECT = ResultSource("object", uri, poll, read, (ADDRESS,), given)
