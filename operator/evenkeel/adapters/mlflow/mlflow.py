"""Servers of MLflow: which question is answered by what."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from evenkeel.adapters.access import Access
from evenkeel.adapters.mlflow.aliases import keep
from evenkeel.adapters.mlflow.enrolment import enrol
from evenkeel.adapters.mlflow.resolution import which
from evenkeel.adapters.mlflow.runs import logged
from evenkeel.adapters.mlflow.server import Server
from evenkeel.adapters.mlflow.tags import tag
from evenkeel.adapters.web import Web
from evenkeel.outside.mlflow import Enrolment, KeptAlias, LoggedBy, Reach, Reached, Tag, Which


class Mlflow:
    """Asks servers of MLflow."""

    def __init__(self, web: Web) -> None:
        self._web = web

    async def __call__(self, question: Any, access: Access, last: Any) -> Hashable:
        """The answer to a question of outside/mlflow.py. Raises SourceError."""
        server = Server(self._web, access, question.workspace)
        match question:
            case Reach():
                return await _reach(server)
            case Which():
                return await which(server, question, last)
            case Tag():
                return await tag(server, question)
            case Enrolment():
                return await enrol(server, question)
            case KeptAlias():
                return await keep(server, question)
            case LoggedBy():
                return await logged(server, question)
            case _:
                raise TypeError(f"no question for a registry: {type(question).__name__}")


async def _reach(server: Server) -> Reached:
    """Searching needs credentials where anything does, and no permission of its own."""
    server.read(await server.get("registered-models/search", max_results="1"))
    return Reached()
