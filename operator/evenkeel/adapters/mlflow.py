"""The registry of MLflow 3 by its REST API (2.0), whoever answers.

https://mlflow.org/docs/latest/api_reference/rest-api.html. An alias that is not set is a 400, a
model or a version that there is not a 404; proxies before the server answer in text or HTML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from contextlib import suppress
from typing import Any

from evenkeel.adapters.access import Access
from evenkeel.adapters.body import parsed
from evenkeel.adapters.mlmodel import MLmodel, mlmodel
from evenkeel.adapters.source import NotUnderstood
from evenkeel.adapters.web import Reply, Web, refusal, words
from evenkeel.adapters.words import one_line, without
from evenkeel.outside.mlflow import Missing, Reach, Reached, Registered, Tag, Tagged, Which

API = "/api/2.0/mlflow"
WORKSPACE = "X-MLFLOW-WORKSPACE"
COMMIT = "mlflow.source.git.commit"
"""A tag of runs."""
NO_ALIAS = "AliasNotFound"
NO_VERSION = "RegisteredVersionNotFound"
NO_MODEL = "RegisteredModelNotFound"
NO_FLAVORS = "FlavorsUnknown"
NOT_READY = "RegisteredVersionNotReady"
LONGEST = 2048
"""Characters of a text that a version has."""

_NUMBER = re.compile(r"^[0-9]{1,18}$")


class Mlflow:
    """Asks registries of MLflow."""

    def __init__(self, web: Web) -> None:
        self._web = web

    async def __call__(self, question: Any, access: Access, last: Any) -> Hashable:
        """The answer to a question of outside/mlflow.py. Raises SourceError."""
        match question:
            case Reach():
                return await self._reach(question, access)
            case Which():
                return await self._which(question, access, last)
            case Tag():
                return await self._tag(question, access)
            case _:
                raise TypeError(f"no question for a registry: {type(question).__name__}")

    async def _reach(self, question: Reach, access: Access) -> Reached:
        """Searching needs credentials where anything does, and no permission of its own."""
        path = f"{API}/registered-models/search"
        reply = await self._get(access, question.workspace, path, {"max_results": "1"})
        if reply.status != 200:
            raise _fault(reply, access)
        _json(reply, access)
        return Reached()

    async def _which(self, question: Which, access: Access, last: object) -> Registered | Missing:
        reply = await self._version(question, access)
        if reply.status != 200:
            return _missing(reply, access, NO_ALIAS if question.alias else NO_VERSION)
        version = _registered(reply, access)
        if isinstance(version, Missing):
            return version
        if isinstance(last, Registered) and _same(last, version):
            return last
        return await self._described(question, access, version)

    async def _tag(self, question: Tag, access: Access) -> Tagged | Missing:
        """Written only where it is not there yet, so that asking again costs one request."""
        asked = {"name": question.name, "version": question.version}
        path = f"{API}/model-versions/get"
        reply = await self._get(access, question.workspace, path, asked)
        if reply.status != 200:
            return _missing(reply, access, NO_VERSION)
        if _tags(_json(reply, access)).get(question.key) == question.value:
            return Tagged()
        tag = {**asked, "key": question.key, "value": question.value}
        reply = await self._web.request(
            access,
            "POST",
            f"{API}/model-versions/set-tag",
            headers={**_headers(question.workspace), "Content-Type": "application/json"},
            data=json.dumps(tag).encode(),
        )
        if reply.status != 200:
            return _missing(reply, access, NO_VERSION)
        _json(reply, access)
        return Tagged()

    async def _version(self, question: Which, access: Access) -> Reply:
        path, asked = f"{API}/model-versions/get", {"version": question.version}
        if question.alias:
            path, asked = f"{API}/registered-models/alias", {"alias": question.alias}
        return await self._get(access, question.workspace, path, {"name": question.name, **asked})

    async def _described(
        self, question: Which, access: Access, version: Registered
    ) -> Registered | Missing:
        """The version with where its artefacts are, and what they are."""
        asked = {"name": question.name, "version": version.version}
        workspace = question.workspace
        path = f"{API}/model-versions/get-download-uri"
        reply = await self._get(access, workspace, path, asked)
        if reply.status != 200:
            return _missing(reply, access, NO_VERSION)
        uri = _text(_json(reply, access), "artifact_uri", reply)
        commit = await self._commit(question, access, version.run_id)
        found = MLmodel((), False)
        if question.flavors:
            # The server reads it from wherever its artefacts are.
            path = "/model-versions/get-artifact"
            reply = await self._get(access, workspace, path, {**asked, "path": "MLmodel"})
            read = _mlmodel(reply, access)
            if isinstance(read, Missing):
                return read
            found = read
        return Registered(version.version, version.source, uri, version.run_id, *found, commit)

    async def _commit(self, question: Which, access: Access, run_id: str) -> str:
        """Empty where it cannot be had: a run that is deleted, or too large, is still served."""
        if not run_id:
            return ""
        try:
            path = f"{API}/runs/get"
            reply = await self._get(access, question.workspace, path, {"run_id": run_id})
            tags = _json(reply, access)["run"]["data"]["tags"] if reply.status == 200 else ()
            told = [tag["value"] for tag in tags if tag["key"] == COMMIT]
        except (NotUnderstood, AttributeError, TypeError, KeyError):
            return ""
        return one_line(str(told[0]), 64) if told else ""

    async def _get(
        self, access: Access, workspace: str, path: str, query: Mapping[str, str]
    ) -> Reply:
        headers = _headers(workspace)
        return await self._web.request(access, "GET", path, params=query, headers=headers)


def _headers(workspace: str) -> dict[str, str]:
    accepted = {"Accept": "application/json, */*"}
    return {**accepted, WORKSPACE: workspace} if workspace else accepted


def _tags(found: dict[str, Any]) -> dict[object, object]:
    """The tags of a version's answer, as far as they are any."""
    with suppress(AttributeError, TypeError, KeyError):
        return {tag["key"]: tag["value"] for tag in found["model_version"].get("tags", ())}
    return {}


def _same(last: Registered, version: Registered) -> bool:
    """Whether it is the version that was described before: a number is given again where the
    newest version was deleted."""
    return (last.version, last.source, last.run_id) == (
        version.version,
        version.source,
        version.run_id,
    )


def _registered(reply: Reply, access: Access) -> Registered | Missing:
    """The version, not yet with where its artefacts are."""
    found = _json(reply, access).get("model_version")
    if not isinstance(found, dict):
        raise NotUnderstood(f"{reply.url}: the answer is none of MLflow's")
    version = _text(found, "version", reply)
    if not _NUMBER.match(version):
        raise NotUnderstood(f"{reply.url}: {one_line(version, 20)!r} is no number of a version")
    status = found.get("status", "READY")
    if status != "READY":
        why = str(found.get("status_message") or status)
        said = one_line(without(access.confidential, why))
        return Missing(NOT_READY, f"version {version}: {said}")
    run_id = _text(found, "run_id", reply) if found.get("run_id") else ""
    source = _text(found, "source", reply) if found.get("source") else ""
    return Registered(version, source, "", run_id)


def _mlmodel(reply: Reply, access: Access) -> MLmodel | Missing:
    """Raises SourceError where a server cannot read its own artefacts."""
    if reply.status == 404:
        return Missing(NO_FLAVORS, words(reply, access.confidential))
    if reply.status != 200:
        error = _fault(reply, access)
        raise type(error)(f"{error}; with spec.model.format the MLmodel is not needed")
    try:
        return mlmodel(reply.body)
    except ValueError as error:
        return Missing(NO_FLAVORS, f"the MLmodel cannot be read: {error}")


def _missing(reply: Reply, access: Access, reason: str) -> Missing:
    """What the registry does not have. Raises SourceError for any other answer.

    reason: of what was asked for.
    """
    code = _code(reply)
    said = words(reply, access.confidential)
    if code == "INVALID_PARAMETER_VALUE" and reply.status == 400:
        return Missing(reason, said)
    if code == "RESOURCE_DOES_NOT_EXIST" and reply.status == 404:
        return Missing(NO_MODEL if reason == NO_ALIAS else reason, said)
    raise _fault(reply, access)


def _fault(reply: Reply, access: Access) -> Exception:
    """The SourceError that an answer stands for which tells of no thing that is missing."""
    if reply.status == 404 and not _code(reply):
        return NotUnderstood(
            f"{reply.url} answered 404 as no MLflow server does; write the server's base URL"
        )
    return refusal(reply, access)


def _code(reply: Reply) -> str:
    """The error code of MLflow's own answers, empty for others'."""
    with suppress(ValueError, AttributeError):
        return str(parsed(reply.body).get("error_code") or "")
    return ""


def _json(reply: Reply, access: Access) -> dict[str, Any]:
    try:
        found = parsed(reply.body)
    except ValueError:
        said = words(reply, access.confidential)
        raise NotUnderstood(f"{reply.url} answered 200 without JSON: {said}") from None
    if not isinstance(found, dict):
        raise NotUnderstood(f"{reply.url}: the answer is none of MLflow's")
    return found


def _text(found: dict[str, Any], name: str, reply: Reply) -> str:
    text = found.get(name)
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST:
        raise NotUnderstood(f"{reply.url}: the answer has no {name} that can be used")
    return text
