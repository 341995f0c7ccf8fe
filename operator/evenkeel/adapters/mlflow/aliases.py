"""Moves an alias to the version that it is to mean."""

from __future__ import annotations

from evenkeel.adapters.mlflow.resolution import number
from evenkeel.adapters.mlflow.server import NO_ALIAS, NO_VERSION, Server
from evenkeel.outside.mlflow import AliasMeans, KeptAlias, Missing


async def keep(server: Server, question: KeptAlias) -> AliasMeans | Missing:
    """What it means, afterwards. Raises SourceError."""
    of_model = {"name": question.name, "alias": question.alias}
    reply = await server.get("registered-models/alias", **of_model)
    if reply.status == 200:
        means = number(server.read(reply).get("model_version"), reply)
        if means == question.version or question.settled:
            return AliasMeans(means)
    elif (missing := server.missing(reply, NO_ALIAS)).reason != NO_ALIAS:
        return missing
    told = {**of_model, "version": question.version}
    reply = await server.send("registered-models/alias", told)
    if reply.status != 200:
        return server.missing(reply, NO_VERSION)
    server.read(reply)
    return AliasMeans(question.version)
