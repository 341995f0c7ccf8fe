"""Data in a Git repository as a trigger: another hash fires, another commit does not.

What a branch tells is read outside (adapters/git); here it becomes a question and a cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evenkeel.api.cause import Cause
from evenkeel.api.data import DataRevision
from evenkeel.api.trigger import GitDataTrigger
from evenkeel.outside.git import GitQuestion, TrackedData
from evenkeel.outside.poll import Poll
from evenkeel.retraining.triggers.kind import InvalidTrigger, Poller, Revision, TriggerKind


def check(spec: GitDataTrigger) -> None:
    """Raises InvalidTrigger for an address that no Git server over HTTP has."""
    if not spec.repo.startswith(("https://", "http://")):
        raise InvalidTrigger(
            f"repo {spec.repo!r} is not supported; write an https:// or http:// address, and name "
            "a Secret with a token or a password in secretName"
        )


def poll(spec: GitDataTrigger) -> Poll:
    """The question which revision of the data the branch has."""
    question = GitQuestion(spec.branch, spec.path)
    interval = float(spec.interval_seconds)
    return Poll("git", spec.repo, question, interval, spec.secret_name or "")


def revision(answer: TrackedData) -> Revision:
    """The commit and the data's hash."""
    return Revision(answer.rev, answer.digest)


def facts(spec: GitDataTrigger, answer: TrackedData) -> Mapping[str, Any]:
    """What the cause keeps."""
    return {
        "data": DataRevision(
            repo=spec.repo,
            rev=answer.rev,
            path=spec.path,
            digest=answer.digest,
            size=answer.size,
            files=answer.files,
        )
    }


def told(cause: Cause) -> Revision | None:
    """The revision that a cause is about."""
    return Revision(cause.data.rev, cause.data.digest) if cause.data is not None else None


GIT_DATA: TriggerKind[GitDataTrigger, None] = TriggerKind(
    "git_data", check=check, poller=Poller(poll, revision, facts, told)
)
