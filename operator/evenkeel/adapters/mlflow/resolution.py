"""Which version of a registered model an alias means, and what a version is."""

from __future__ import annotations

import re

from evenkeel.adapters.mlflow.mlmodel import MLmodel, mlmodel
from evenkeel.adapters.mlflow.server import (
    COMMIT,
    NO_ALIAS,
    NO_VERSION,
    Server,
    tags_of,
    text,
)
from evenkeel.adapters.source import NotUnderstood
from evenkeel.adapters.web import Reply
from evenkeel.adapters.words import one_line, without
from evenkeel.outside.mlflow import Missing, Registered, Which

NO_FLAVORS = "FlavorsUnknown"
NOT_READY = "RegisteredVersionNotReady"

_NUMBER = re.compile(r"^[0-9]{1,18}$")


async def which(server: Server, question: Which, last: object) -> Registered | Missing:
    """The version. Raises SourceError."""
    reply = await _version(server, question)
    if reply.status != 200:
        return server.missing(reply, NO_ALIAS if question.alias else NO_VERSION)
    version = _registered(server, reply)
    if isinstance(version, Missing):
        return version
    if isinstance(last, Registered) and _same(last, version):
        return last
    return await _described(server, question, version)


def number(found: object, reply: Reply) -> str:
    """The number of a version in an answer. Raises NotUnderstood."""
    if not isinstance(found, dict):
        raise NotUnderstood(f"{reply.url}: the answer is none of MLflow's")
    version = text(found, "version", reply)
    if not _NUMBER.match(version):
        raise NotUnderstood(f"{reply.url}: {one_line(version, 20)!r} is no number of a version")
    return version


async def _version(server: Server, question: Which) -> Reply:
    if question.alias:
        path = "registered-models/alias"
        return await server.get(path, name=question.name, alias=question.alias)
    return await server.get("model-versions/get", name=question.name, version=question.version)


async def _described(server: Server, question: Which, version: Registered) -> Registered | Missing:
    """The version with where its artefacts are, and what they are."""
    asked = {"name": question.name, "version": version.version}
    reply = await server.get("model-versions/get-download-uri", **asked)
    if reply.status != 200:
        return server.missing(reply, NO_VERSION)
    uri = text(server.read(reply), "artifact_uri", reply)
    commit = await _commit(server, version.run_id)
    found = MLmodel((), False)
    if question.flavors:
        # The server reads it from wherever its artefacts are.
        reply = await server.get("/model-versions/get-artifact", **asked, path="MLmodel")
        read = _mlmodel(server, reply)
        if isinstance(read, Missing):
            return read
        found = read
    return Registered(version.version, version.source, uri, version.run_id, *found, commit)


async def _commit(server: Server, run_id: str) -> str:
    """Empty where it cannot be had: a run that is deleted, or too large, is still served."""
    if not run_id:
        return ""
    try:
        reply = await server.get("runs/get", run_id=run_id)
        told = tags_of(server.read(reply)["run"]["data"]) if reply.status == 200 else {}
    except (NotUnderstood, TypeError, KeyError):
        return ""
    return one_line(str(told.get(COMMIT, "")), 64)


def _same(last: Registered, version: Registered) -> bool:
    """Whether it is the version that was described before: a number is given again where the
    newest version was deleted."""
    return (last.version, last.source, last.run_id) == (
        version.version,
        version.source,
        version.run_id,
    )


def _registered(server: Server, reply: Reply) -> Registered | Missing:
    """The version, not yet with where its artefacts are."""
    found = server.read(reply).get("model_version")
    version = number(found, reply)
    assert isinstance(found, dict)
    status = found.get("status", "READY")
    if status != "READY":
        why = str(found.get("status_message") or status)
        said = one_line(without(server.access.confidential, why))
        return Missing(NOT_READY, f"version {version}: {said}")
    run_id = text(found, "run_id", reply) if found.get("run_id") else ""
    source = text(found, "source", reply) if found.get("source") else ""
    return Registered(version, source, "", run_id)


def _mlmodel(server: Server, reply: Reply) -> MLmodel | Missing:
    """Raises SourceError where a server cannot read its own artefacts."""
    if reply.status == 404:
        return Missing(NO_FLAVORS, server.said(reply))
    if reply.status != 200:
        error = server.fault(reply)
        raise type(error)(f"{error}; with spec.model.format the MLmodel is not needed")
    try:
        return mlmodel(reply.body)
    except ValueError as error:
        return Missing(NO_FLAVORS, f"the MLmodel cannot be read: {error}")
