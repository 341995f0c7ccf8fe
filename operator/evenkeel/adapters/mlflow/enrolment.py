"""Registers a version once, whoever else registers it, and wherever a try before was cut off.

MLflow makes another version of whatever it is sent again, so that it is asked first, and once more
afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from evenkeel.adapters.mlflow.resolution import number
from evenkeel.adapters.mlflow.server import (
    ABSENT,
    EXISTS,
    INVALID,
    JSON,
    Server,
    error_code,
    tags_of,
)
from evenkeel.adapters.source import NotUnderstood, SourceError
from evenkeel.adapters.web import Reply
from evenkeel.outside.mlflow import Enrolled, Enrolment

LOGGED = "models:/"
"""Before the ID of a model that was logged; the server takes it as a source only with that ID."""
MOST = 100
"""Versions of one artefact that are looked at."""


class RegistrationRefused(SourceError):
    """The registry does not take the version as it is."""

    reason = "RegistrationRefused"


async def enrol(server: Server, question: Enrolment) -> Enrolled:
    """The version, made if need be. Raises SourceError."""
    known = await _known(server, question) or await _adopted(server, question)
    if known:
        return Enrolled(known)
    made = await _made(server, question)
    # Another leader may have made one meanwhile: the first one stays.
    first = await _known(server, question) or made
    if first != made:
        which = {"name": question.name, "version": made}
        await server.send("model-versions/delete", which, method="DELETE")
    return Enrolled(first)


async def _known(server: Server, question: Enrolment) -> str:
    """The first version that has the mark; empty if there is none."""
    key, value = question.mark
    found = await _search(server, f"name='{question.name}' and tag.`{key}`={_quoted(value)}")
    # A cluster of the same names may have marked one of its own.
    return _first(v for v in found if v.get("source") in question.sources)


async def _adopted(server: Server, question: Enrolment) -> str:
    """The first version that somebody registered of the same artefacts, marked now."""
    key, value = question.mark
    for source in question.sources:
        found = await _search(server, f"name='{question.name}' and source_path={_quoted(source)}")
        if version := _first(v for v in found if key not in tags_of(v)):
            told = {"name": question.name, "version": version, "key": key, "value": value}
            server.read(await server.send("model-versions/set-tag", told))
            return version
    return ""


async def _search(server: Server, condition: str) -> list[JSON]:
    reply = await server.get("model-versions/search", filter=condition, max_results=str(MOST))
    found = server.read(reply).get("model_versions", [])
    if not isinstance(found, list) or not all(isinstance(v, dict) for v in found):
        raise NotUnderstood(f"{reply.url}: the answer is none of MLflow's")
    return [{**v, "version": number(v, reply)} for v in found]


def _first(versions: Iterable[JSON]) -> str:
    return min((str(v["version"]) for v in versions), key=int, default="")


async def _made(server: Server, question: Enrolment) -> str:
    """The number of a new version, of a new model if there is none."""
    reply = await _create(server, question)
    if _modelless(reply):
        made = await server.send("registered-models/create", {"name": question.name})
        if made.status != 403 and error_code(made) != EXISTS:
            _taken(server, made)
        if made.status != 403:
            reply = await _create(server, question)
    return number(_taken(server, reply).get("model_version"), reply)


def _modelless(reply: Reply) -> bool:
    """Whether there may be no such model; a server that asks for rights says of none 403 to all but
    its administrators."""
    return reply.status == 403 or (reply.status == 404 and error_code(reply) == ABSENT)


async def _create(server: Server, question: Enrolment) -> Reply:
    source = question.sources[0]
    told: JSON = {
        "name": question.name,
        "source": source,
        "tags": [{"key": k, "value": v} for k, v in _tags(question)],
        "description": question.description,
    }
    if question.run_id:
        told["run_id"] = question.run_id
    if source.startswith(LOGGED):
        told["model_id"] = source.removeprefix(LOGGED)
    # Sent again after a broken connection it would make a second one.
    return await server.send("model-versions/create", told, repeatable=False)


def _tags(question: Enrolment) -> Iterator[tuple[str, str]]:
    yield question.mark
    yield from question.tags


def _taken(server: Server, reply: Reply) -> JSON:
    """The object of a success. Raises SourceError, for what the registry will never take too."""
    if reply.status == 400 and error_code(reply) == INVALID:
        raise RegistrationRefused(f"the registry refuses the version: {server.said(reply)}")
    return server.read(reply)


def _quoted(value: str) -> str:
    """As a filter has it; MLflow's has no way to write a quote within quotes of its kind."""
    quote = '"' if "'" in value else "'"
    return f"{quote}{value}{quote}"
