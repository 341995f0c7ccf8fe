"""A tag of a registered model's version."""

from __future__ import annotations

from evenkeel.adapters.mlflow.server import NO_VERSION, Server, tags_of
from evenkeel.outside.mlflow import Missing, Tag, Tagged


async def tag(server: Server, question: Tag) -> Tagged | Missing:
    """Written only where it is not there yet, so that asking again costs one request.

    Raises SourceError.
    """
    asked = {"name": question.name, "version": question.version}
    reply = await server.get("model-versions/get", **asked)
    if reply.status != 200:
        return server.missing(reply, NO_VERSION)
    if tags_of(server.read(reply).get("model_version")).get(question.key) == question.value:
        return Tagged()
    told = {**asked, "key": question.key, "value": question.value}
    reply = await server.send("model-versions/set-tag", told)
    if reply.status != 200:
        return server.missing(reply, NO_VERSION)
    server.read(reply)
    return Tagged()
