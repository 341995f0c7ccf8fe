"""What answers of Kubeflow Pipelines say: JSON of its messages, or errors as gRPC has them.

An error is {"code", "message", "details"}: code is gRPC's, message the server's whole chain of
causes, and the last detail has what is meant for people, unless that is "Internal Server Error".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from evenkeel.adapters.access import Access
from evenkeel.adapters.body import BodyTooLarge, check_objects, parsed
from evenkeel.adapters.source import NotFound, NotUnderstood, Unavailable
from evenkeel.adapters.web import Reply, refusal, words
from evenkeel.adapters.words import one_line, without
from evenkeel.meta.times import parse, timestamp
from evenkeel.outside.pipelines import Stands

Json = dict[str, Any]

MOST = 2**20
"""Bytes of an answer: a run is told with all its tasks, a version with all that it is made of."""
INTERNAL = 13
INVALID = (3, 9)
"""gRPC's INVALID_ARGUMENT and FAILED_PRECONDITION."""
NOT_FOUND = 5
FEW = 5
"""Failed tasks that are named."""
_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,190}$")


class Invalid(Exception):
    """The server will never do what it was asked; the message has its words."""


def read(reply: Reply, access: Access, body: bytes) -> Json:
    """The message of a success, whose body this is. Raises Invalid and SourceError."""
    if reply.status == 200:
        return _json(reply, access, body)
    code, said = _error(reply, access)
    if reply.status == 400 and code in INVALID:
        raise Invalid(said)
    if reply.status == 404:
        if code == NOT_FOUND:
            raise NotFound(f"{reply.url}: {said}")
        raise NotUnderstood(
            f"{reply.url} answered 404 as no Kubeflow Pipelines does; write the address before "
            "/apis/v2beta1"
        )
    if said and reply.status not in (401, 403):
        raise Unavailable(f"{reply.url} answered {reply.status}: {said}")
    raise refusal(reply, access)


def items(found: Json, field: str, url: str) -> list[Json]:
    """The list under a field, which an answer without entries leaves out. Raises NotUnderstood."""
    every = found.get(field, [])
    if not isinstance(every, list) or not all(isinstance(one, dict) for one in every):
        raise NotUnderstood(f"{url}: the answer is none of Kubeflow Pipelines'")
    return every


def identifier(found: Json, field: str, url: str) -> str:
    """An ID. Raises NotUnderstood."""
    value = found.get(field)
    if not isinstance(value, str) or not 0 < len(value) <= 191:
        raise NotUnderstood(f"{url}: the answer has no {field} that can be used")
    return value


def declared(version: Json, url: str) -> dict[str, str]:
    """The types of the parameters by name. Raises NotUnderstood.

    A pipeline with settings for Kubernetes is told as pipeline_spec and platform_spec within.
    """
    spec = version.get("pipeline_spec")
    spec = spec.get("pipeline_spec", spec) if isinstance(spec, dict) else {}
    try:
        named = spec.get("root", {}).get("inputDefinitions", {}).get("parameters", {})
        return {name: str(told.get("parameterType", "STRING")) for name, told in named.items()}
    except AttributeError:
        raise NotUnderstood(f"{url}: the pipeline's version is none of schema 2.1") from None


def stands(run: Json, access: Access) -> Stands:
    """How a run stands. Raises NotUnderstood."""
    run_id = str(run.get("run_id") or "")
    if not _ID.match(run_id):
        raise NotUnderstood(f"{access.url}: the answer has a run without an ID that can be used")
    reference = run.get("pipeline_version_reference")
    version = reference.get("pipeline_version_id") if isinstance(reference, dict) else ""
    return Stands(
        run_id,
        one_line(without(access.confidential, str(run.get("state") or "")), 32),
        without(access.confidential, _failure(run)),
        one_line(str(version or ""), 191),
        _end(str(run.get("finished_at") or "")),
    )


def _end(told: str) -> str:
    """Empty for one that has not come, which is told as the first second of 1970."""
    try:
        end = timestamp(parse(told))
    except (ValueError, OverflowError):
        return ""
    return "" if end.startswith("1970-") else end


def _failure(run: Json) -> str:
    """Why it failed, as far as that is told."""
    with suppress(AttributeError, TypeError):
        return one_line("; ".join(_failures(run)), 1000)
    return ""


def _failures(run: Json) -> Iterator[str]:
    if message := (run.get("error") or {}).get("message"):
        yield str(message)
    for entry in run.get("state_history") or ():
        if message := (entry.get("error") or {}).get("message"):
            yield str(message)
    tasks = (run.get("run_details") or {}).get("task_details") or ()
    # One with children fails as they do.
    failed = [t for t in tasks if t.get("state") == "FAILED" and not t.get("child_tasks")]
    for task in failed[:FEW]:
        said = (task.get("error") or {}).get("message")
        yield f"task {task.get('display_name')} failed" + (f": {said}" if said else "")


def _json(reply: Reply, access: Access, body: bytes) -> Json:
    try:
        check_objects(body, MOST)
        found = parsed(body)
    except BodyTooLarge as error:
        raise NotUnderstood(f"{reply.url}: the answer is {error}") from None
    except ValueError:
        said = words(reply, access.confidential) or reply.media_type
        raise NotUnderstood(
            f"{reply.url} answered 200 without JSON, as a page to log in does: {said}; name a "
            "Secret with what the server wants to be shown"
        ) from None
    if not isinstance(found, dict):
        raise NotUnderstood(f"{reply.url}: the answer is none of Kubeflow Pipelines'")
    return found


def _error(reply: Reply, access: Access) -> tuple[int, str]:
    """Code and words of an error of the server's own; 0 and none of others'."""
    try:
        found = parsed(reply.body)
        code, message = int(found["code"]), str(found["message"])
    except (ValueError, TypeError, KeyError):
        return 0, ""
    with suppress(AttributeError, TypeError, KeyError, IndexError):
        for_people = str(found["details"][-1]["message"])
        message = message if code == INTERNAL else for_people
    return code, one_line(without(access.confidential, message))
