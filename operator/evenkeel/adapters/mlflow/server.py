"""A server of MLflow 3 by its REST API (2.0), whoever answers.

https://mlflow.org/docs/latest/api_reference/rest-api.html. An alias that is not set is a 400, a
model or a version that there is not a 404; proxies before the server answer in text or HTML.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from evenkeel.adapters.access import Access
from evenkeel.adapters.body import parsed
from evenkeel.adapters.source import AccessDenied, NotUnderstood, SourceError
from evenkeel.adapters.web import ANSWER, Reply, Web, refusal, words
from evenkeel.outside.mlflow import Missing

API = "/api/2.0/mlflow"
WORKSPACE = "X-MLFLOW-WORKSPACE"
NO_ALIAS = "AliasNotFound"
NO_VERSION = "RegisteredVersionNotFound"
NO_MODEL = "RegisteredModelNotFound"
INVALID = "INVALID_PARAMETER_VALUE"
EXISTS = "RESOURCE_ALREADY_EXISTS"
ABSENT = "RESOURCE_DOES_NOT_EXIST"
COMMIT = "mlflow.source.git.commit"
"""A tag of runs."""
STRANGE = "Invalid Host header"
"""What a server says that does not know the name by which it is asked."""
LONGEST = 2048
"""Characters of a text that is taken."""

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Server:
    """As a question reaches it. workspace: empty for the default."""

    web: Web
    access: Access
    workspace: str

    async def get(self, path: str, /, **query: str) -> Reply:
        """What is at a path below the API's, or at one that begins with /."""
        return await self.web.request(
            self.access, "GET", _whole(path), params=query, headers=self._headers()
        )

    async def send(
        self,
        path: str,
        told: Mapping[str, Any],
        *,
        method: str = "POST",
        repeatable: bool = True,
        limit: int = ANSWER,
    ) -> Reply:
        """What it answers to a JSON object."""
        return await self.web.request(
            self.access,
            method,
            _whole(path),
            headers={**self._headers(), "Content-Type": "application/json"},
            data=json.dumps(told).encode(),
            limit=limit,
            repeatable=repeatable,
        )

    def read(self, reply: Reply) -> JSON:
        """The object of a success. Raises SourceError for any other answer."""
        if reply.status != 200:
            raise self.fault(reply)
        try:
            found = parsed(reply.body)
        except ValueError:
            said = self.said(reply)
            raise NotUnderstood(f"{reply.url} answered 200 without JSON: {said}") from None
        if not isinstance(found, dict):
            raise NotUnderstood(f"{reply.url}: the answer is none of MLflow's")
        return found

    def missing(self, reply: Reply, reason: str) -> Missing:
        """What it does not have. Raises SourceError for any other answer.

        reason: of what was asked for.
        """
        code, said = error_code(reply), self.said(reply)
        if code == INVALID and reply.status == 400:
            return Missing(reason, said)
        if code == ABSENT and reply.status == 404:
            return Missing(NO_MODEL if reason == NO_ALIAS else reason, said)
        raise self.fault(reply)

    def fault(self, reply: Reply) -> SourceError:
        """What an answer stands for which tells of no thing that is missing."""
        if reply.status == 404 and not error_code(reply):
            return NotUnderstood(
                f"{reply.url} answered 404 as no MLflow server does; write the server's base URL"
            )
        if reply.status == 403 and (said := self.said(reply)).startswith(STRANGE):
            host = urlsplit(self.access.url).netloc
            message = f"{reply.url} answered 403: {said}"
            return AccessDenied(f"{message}; start the server with {host} in its --allowed-hosts")
        return refusal(reply, self.access)

    def said(self, reply: Reply) -> str:
        """Its own words."""
        return words(reply, self.access.confidential)

    def _headers(self) -> dict[str, str]:
        accepted = {"Accept": "application/json, */*"}
        return {**accepted, WORKSPACE: self.workspace} if self.workspace else accepted


def _whole(path: str) -> str:
    return path if path.startswith("/") else f"{API}/{path}"


def error_code(reply: Reply) -> str:
    """The error code of MLflow's own answers, empty for others'."""
    with suppress(ValueError, AttributeError):
        return str(parsed(reply.body).get("error_code") or "")
    return ""


def text(found: JSON, name: str, reply: Reply) -> str:
    """A text of an answer. Raises NotUnderstood where it has none that can be used."""
    told = found.get(name)
    if not isinstance(told, str) or not 0 < len(told) <= LONGEST or not told.isprintable():
        raise NotUnderstood(f"{reply.url}: the answer has no {name} that can be used")
    return told


def tags_of(found: object) -> dict[object, object]:
    """The tags of a version or a run, as far as they are any."""
    with suppress(AttributeError, TypeError, KeyError):
        return {tag["key"]: tag["value"] for tag in found.get("tags", ())}  # type: ignore[attr-defined]
    return {}
