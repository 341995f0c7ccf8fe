"""Objects of a store as a trigger: another set of them fires, or another folder that is complete.

What there is is listed outside (adapters/s3); here it becomes a question and a cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evenkeel.api.cause import Cause
from evenkeel.api.data import DataObjects
from evenkeel.api.objectstore import ObjectsTrigger
from evenkeel.outside import s3
from evenkeel.outside.poll import Poll
from evenkeel.outside.s3 import Look, ObjectSet
from evenkeel.retraining.triggers.kind import InvalidTrigger, Poller, Revision, TriggerKind

NOTHING = Revision("none", "none")
"""That there are no objects, or none is complete: objects that come fire, and this never does."""


def check(spec: ObjectsTrigger) -> None:
    """Raises InvalidTrigger for an address that no store has."""
    if not spec.uri.startswith("s3://") or not s3.split(spec.uri)[0]:
        raise InvalidTrigger(f"uri {spec.uri!r} is not supported; write s3://BUCKET/PREFIX")
    if spec.marker and not spec.uri.endswith("/"):
        raise InvalidTrigger(f"uri {spec.uri!r} must end with / where a marker is looked for")


def poll(spec: ObjectsTrigger) -> Poll:
    """The question which objects there are."""
    bucket, prefix = s3.split(spec.uri)
    virtual_host = spec.addressing == "VirtualHost"
    url, where = s3.address(bucket, spec.endpoint or "", spec.region, virtual_host=virtual_host)
    question = Look(where, prefix, spec.marker or "")
    return Poll(s3.KIND, url, question, float(spec.interval_seconds), spec.secret_name or "")


def revision(answer: ObjectSet) -> Revision:
    """When the newest object was written, and the set's hash."""
    return Revision(answer.newest, answer.digest) if answer.digest else NOTHING


def news(spec: ObjectsTrigger, known: Revision, found: Revision) -> bool:
    """A marker that goes, as while its folder is written anew, leaves an older one behind."""
    if found == NOTHING:
        return False
    return not spec.marker or known == NOTHING or found.name >= known.name


def facts(spec: ObjectsTrigger, answer: ObjectSet) -> Mapping[str, Any]:
    """What the cause keeps."""
    return {
        "objects": DataObjects(
            uri=spec.uri,
            time=answer.newest,
            digest=answer.digest,
            partition=answer.folder,
            objects=answer.objects,
            size=answer.size,
        )
    }


def told(cause: Cause) -> Revision | None:
    """The revision that a cause is about."""
    found = cause.objects
    return Revision(found.time, found.digest) if found is not None else None


OBJECTS: TriggerKind[ObjectsTrigger, None] = TriggerKind(
    "objects", check=check, poller=Poller(poll, revision, facts, told, news)
)
