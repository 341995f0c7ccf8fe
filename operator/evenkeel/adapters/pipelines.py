"""Runs of Kubeflow Pipelines by its REST API (v2beta1), whoever answers.

https://www.kubeflow.org/docs/components/pipelines/reference/api/kubeflow-pipeline-api-spec/.
Nothing makes creating a run idempotent there, so that each question searches first: answers get
lost, processes end at any time, and two of them may ask at once.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import quote

from evenkeel.adapters import pipeline_answers as answers
from evenkeel.adapters.access import Access
from evenkeel.adapters.pipeline_answers import Invalid, Json
from evenkeel.adapters.pipeline_parameters import Untyped, typed
from evenkeel.adapters.readers import Readers
from evenkeel.adapters.source import NotFound, SourceError, Unavailable
from evenkeel.adapters.web import Reply, Web
from evenkeel.outside.pipelines import (
    ENDED,
    Begin,
    Follow,
    Gone,
    Pipeline,
    Place,
    Refused,
    Run,
    Stands,
    Stop,
)

API = "/apis/v2beta1"
RUNS = f"{API}/runs"
PAGE = "100"
ENDING = "CANCELING"


class Pipelines:
    """Asks servers of Kubeflow Pipelines."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._readers = Readers("pipelines")

    async def __call__(self, question: Any, access: Access, last: Any) -> Hashable:
        """The answer to a question of outside/pipelines.py. Raises SourceError."""
        server = _Server(self._web, self._readers, access)
        try:
            match question:
                case Begin():
                    return await server.begin(question, last)
                case Follow():
                    return await server.follow(question)
                case Stop():
                    return await server.stop(question)
        except Invalid as error:
            if isinstance(question, Begin):
                return Refused(str(error))
            raise Unavailable(f"{access.url}: {error}") from None
        raise TypeError(f"no question for Kubeflow Pipelines: {type(question).__name__}")


class _Server:
    """One server, as one question reaches it. Everything here raises SourceError and Invalid."""

    def __init__(self, web: Web, readers: Readers, access: Access) -> None:
        self._web = web
        self._readers = readers
        self._access = access

    async def begin(self, question: Begin, last: object) -> Hashable:
        """last: what was answered before; a run that was there once is not made again."""
        experiment = await self._experiment(question.place)
        found = await self._search(question.name, question.place, experiment)
        if found:
            kept, *others = found
            await self._end(others)
            return kept
        if isinstance(last, Stands | Gone):
            return Gone()
        made = await self._made(question.run)
        made |= {"display_name": question.name, "experiment_id": experiment}
        told = await self._post(RUNS, {k: v for k, v in made.items() if v}, repeatable=False)
        return answers.stands(told, self._access)

    async def follow(self, question: Follow) -> Hashable:
        run = await self._run(question.run_id)
        if isinstance(run, Stands) and run.state not in ENDED:
            # What a late request made beside it; how the run stands is known without.
            with suppress(SourceError, Invalid):
                same = await self._named(question.name, question.place)
                await self._end(one for one in same if one.run_id != run.run_id)
        return run

    async def stop(self, question: Stop) -> Hashable:
        if question.run_id:
            run = await self._run(question.run_id)
            await self._end([run] if isinstance(run, Stands) else ())
        await self._end(await self._named(question.name, question.place))
        left = await self._named(question.name, question.place)
        return min(left, key=lambda run: run.state in ENDED, default=Gone())

    async def _run(self, run_id: str) -> Stands | Gone:
        try:
            run = await self._get(f"{RUNS}/{quote(run_id, safe='')}")
        except NotFound:
            return Gone()
        return answers.stands(run, self._access)

    async def _named(self, name: str, place: Place) -> list[Stands]:
        return await self._search(name, place, await self._experiment(place))

    async def _search(self, name: str, place: Place, experiment: str) -> list[Stands]:
        """The runs of the display name, the oldest first, so that all who ask choose the same."""
        asked = {"experiment_id": experiment} if experiment else _namespaced(place.namespace)
        found = await self._listed(RUNS, "runs", name, asked)
        found.sort(key=lambda run: (str(run.get("created_at")), str(run.get("run_id"))))
        return [answers.stands(run, self._access) for run in found]

    async def _end(self, runs: Iterable[Stands]) -> None:
        """Ends those that go on. One that has ended meanwhile is none that can be ended."""
        for run in runs:
            if run.state not in (*ENDED, ENDING):
                with suppress(Invalid, NotFound):
                    await self._post(f"{RUNS}/{quote(run.run_id, safe='')}:terminate", {})

    async def _experiment(self, place: Place) -> str:
        """Its ID, empty for the default one."""
        if not place.experiment_name:
            return place.experiment_id
        asked = _namespaced(place.namespace)
        found = await self._only(f"{API}/experiments", "experiments", place.experiment_name, asked)
        return answers.identifier(found, "experiment_id", self._access.url)

    async def _made(self, run: Run) -> Json:
        """The body that makes the run, with the parameters as the pipeline's version types them."""
        version = await self._version(run.pipeline)
        url = self._access.url
        declared = answers.declared(version, url)
        facts = {k: v for k, v in run.facts if k in declared}
        try:
            parameters = typed({**facts, **dict(run.parameters)}, declared)
        except Untyped as error:
            raise Invalid(str(error)) from None
        return {
            "description": run.description,
            "pipeline_version_reference": {
                "pipeline_id": answers.identifier(version, "pipeline_id", url),
                "pipeline_version_id": answers.identifier(version, "pipeline_version_id", url),
            },
            "runtime_config": {"parameters": parameters, "pipeline_root": run.root},
            "service_account": run.service_account,
        }

    async def _version(self, wanted: Pipeline) -> Json:
        """The pipeline's version, which is what its parameters are declared by."""
        pipeline = wanted.id
        if not pipeline:
            asked = _namespaced(wanted.namespace)
            found = await self._only(f"{API}/pipelines", "pipelines", wanted.name, asked)
            pipeline = answers.identifier(found, "pipeline_id", self._access.url)
        path = f"{API}/pipelines/{quote(pipeline, safe='')}/versions"
        if wanted.version_id:
            return await self._get(f"{path}/{quote(wanted.version_id, safe='')}")
        if wanted.version_name:
            return await self._only(path, "pipeline_versions", wanted.version_name, {})
        newest = {"sort_by": "created_at desc", "page_size": "1"}
        every = answers.items(await self._get(path, newest), "pipeline_versions", self._access.url)
        if not every:
            raise NotFound(f"{self._access.url}: pipeline {pipeline} has no version; upload one")
        return every[0]

    async def _only(self, path: str, field: str, name: str, asked: Mapping[str, str]) -> Json:
        """The one thing of this display name."""
        found = await self._listed(path, field, name, asked)
        if len(found) != 1:
            many = f"{len(found)} {field.replace('_', ' ')} are named {name!r}"
            raise NotFound(f"{self._access.url}: {many}; write the ID of the one that is meant")
        return found[0]

    async def _listed(
        self, path: str, field: str, name: str, asked: Mapping[str, str]
    ) -> list[Json]:
        """What has this display name, in case and all: databases compare otherwise."""
        predicate = {"key": "display_name", "operation": "EQUALS", "string_value": name}
        query = {"filter": json.dumps({"predicates": [predicate]}), "page_size": PAGE, **asked}
        found = answers.items(await self._get(path, query), field, self._access.url)
        return [one for one in found if one.get("display_name") == name]

    async def _get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        reply = await self._web.request(
            self._access,
            "GET",
            path,
            params=query,
            headers={"Accept": "application/json"},
            limit=answers.MOST,
        )
        return await self._read(reply)

    async def _post(self, path: str, body: Json, *, repeatable: bool = True) -> Json:
        reply = await self._web.request(
            self._access,
            "POST",
            path,
            headers={"Accept": "application/json", "Content-Type": "application/json"},
            data=json.dumps(body).encode(),
            limit=answers.MOST,
            repeatable=repeatable,
        )
        return await self._read(reply)

    async def _read(self, reply: Reply) -> Json:
        read = partial(answers.read, reply, self._access)
        return await self._readers.of(self._access.owner).read(read, reply.body)


def _namespaced(namespace: str) -> dict[str, str]:
    return {"namespace": namespace} if namespace else {}
