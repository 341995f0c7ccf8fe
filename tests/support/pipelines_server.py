"""A server that answers as Kubeflow Pipelines 2.17 does (REST v2beta1), as far as it is asked here.

The real one cannot be built from the Go module proxy. These are facts of its published API and
source (github.com/kubeflow/pipelines, release 2.17); tests/integrations has the released client,
kfp, read what it answers:

- JSON has the names of the protocol buffers (`run_id`), without what is empty: an empty list of
  runs is `{}`. Unknown fields of a body are refused (400).
- An error is gRPC's status: `{"code": 5, "message": ..., "details": [{"@type":
  "type.googleapis.com/google.rpc.Status", "code": 5, "message": ...}]}`. The message is the chain
  of all causes, the detail's what is meant for people; of an internal error (13, so 500) that is
  "Internal Server Error". There is no `error_message`.
- `POST runs` is not idempotent: two of the same display name are two runs. `run_id` is the
  server's. Without an experiment the default one is taken; with several users one is demanded.
- **Parameters that the pipeline does not declare are refused**, as are missing ones without a
  default, and values of another JSON type than declared; nothing is converted.
- A reference without a version means the newest; the answer names the version that was taken.
- `GET runs?filter=` takes a JSON filter; EQUALS on display_name is exact but for the database's
  collation, which ignores case in MySQL. Archived runs are among them. 20 are told at once, or
  page_size, 200 at most. With several users a namespace or an experiment is demanded.
- `finished_at` of a run that goes on is the first second of 1970.
- `POST runs/ID:terminate` makes it CANCELING; a run that has ended or is CANCELING cannot be
  terminated (400). Whoever runs the pods makes it CANCELED later.
- State PAUSED is declared, and set by nothing in that release.
- 401 is code 16 and 403 code 7, by the user whom a header names or a token proves; proxies before
  it (Dex, IAP) answer a page to log in, or redirect to it.
- A run that cannot start for a quota of the cluster is an internal error (500) with its words.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

JSON = dict[str, Any]
API = "/apis/v2beta1"
ENDED = ("SUCCEEDED", "SKIPPED", "FAILED", "CANCELED")
STATUS = {3: 400, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 13: 500, 14: 503, 16: 401}
"""HTTP's status by gRPC's code."""
RUN_FIELDS = {
    *("experiment_id", "run_id", "display_name", "storage_state", "description"),
    *("pipeline_version_id", "pipeline_spec", "pipeline_version_reference", "runtime_config"),
    *("service_account", "created_at", "scheduled_at", "finished_at", "state", "error"),
    *("run_details", "recurring_run_id", "state_history", "plugins_input", "plugins_output"),
}
JSON_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "NUMBER_DOUBLE": (
        (int, float),
        "type double or integer, but the parameter value is not of number value type",
    ),
    "NUMBER_INTEGER": (
        (int, float),
        "type double or integer, but the parameter value is not of number value type",
    ),
    "STRING": ((str,), "type string, but the input parameter is not of string value type"),
    "BOOLEAN": ((bool,), "type bool, but the input parameter is not of bool value type"),
    "LIST": ((list,), "type list, but the input parameter is not of list value type"),
    "STRUCT": ((dict,), "type struct, but the input parameter is not of struct value type"),
}
EPOCH = "1970-01-01T00:00:00Z"


class Problem(Exception):
    """An error as the server answers it. people: the detail's message, the cause without it."""

    def __init__(self, code: int, message: str, people: str = "") -> None:
        super().__init__(message)
        detail = {
            "@type": "type.googleapis.com/google.rpc.Status",
            "code": code,
            "message": people or message.rpartition(" error: ")[2],
        }
        self.status = STATUS[code]
        self.body = {"code": code, "message": message, "details": [detail]}


def invalid(words: str, chain: str = "Failed to create a new run: ") -> Problem:
    return Problem(3, f"{chain}Invalid input error: {words}", words)


def internal(words: str) -> Problem:
    return Problem(13, f"InternalServerError: {words}", "Internal Server Error")


def not_found(kind: str, name: str) -> Problem:
    return Problem(5, f"ResourceNotFoundError: {kind} {name} not found", f"{kind} {name} not found")


def spec(named: str = "elec", /, **types: str | tuple[str, Any]) -> JSON:
    """A compiled pipeline, by its parameters' types; with a default it is (type, default)."""
    parameters: JSON = {}
    for parameter, kind in types.items():
        declared = (kind,) if isinstance(kind, str) else kind
        parameters[parameter] = {"parameterType": declared[0]}
        if len(declared) > 1:
            parameters[parameter] |= {"isOptional": True, "defaultValue": declared[1]}
    root: JSON = {"dag": {"tasks": {}}}
    if parameters:
        root["inputDefinitions"] = {"parameters": parameters}
    return {
        "pipelineInfo": {"name": named},
        "root": root,
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.3",
    }


@dataclass
class Pipelines:
    """Pipelines with their versions, experiments and runs, as the server tells them.

    users: by token the namespaces that its user may touch, where there are several users. fault: an
    answer instead of the right one. lose: whether an answer is lost once all is done. quota: words
    of a refusal by the cluster. bodies: what runs were to be made of.
    """

    users: dict[str, set[str]] | None = None
    fault: Callable[[web.Request], web.StreamResponse | None] = lambda request: None
    lose: Callable[[web.Request], bool] = lambda request: False
    quota: str = ""
    pipelines: dict[str, JSON] = field(default_factory=dict)
    versions: dict[str, JSON] = field(default_factory=dict)
    experiments: dict[str, JSON] = field(default_factory=dict)
    runs: dict[str, JSON] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    bodies: list[JSON] = field(default_factory=list)
    terminated: list[str] = field(default_factory=list)
    url: str = ""
    _seconds: int = 0

    # What a test does to it.

    def upload(self, name: str, compiled: JSON, version: str = "", namespace: str = "") -> JSON:
        """A pipeline of this name, or another version of it; tells the version."""
        found = [p for p in self.pipelines.values() if p["display_name"] == name]
        pipeline = found[0] if found else {"pipeline_id": str(uuid.uuid4()), "name": name}
        pipeline |= {"display_name": name, "created_at": pipeline.get("created_at", self._now())}
        if namespace:
            pipeline["namespace"] = namespace
        self.pipelines[pipeline["pipeline_id"]] = pipeline
        made = {
            "pipeline_id": pipeline["pipeline_id"],
            "pipeline_version_id": str(uuid.uuid4()),
            "name": version or name,
            "display_name": version or name,
            "created_at": self._now(),
            "pipeline_spec": compiled,
        }
        self.versions[made["pipeline_version_id"]] = made
        return made

    def experiment(self, name: str, namespace: str = "") -> str:
        """The experiment of this name; tells its ID."""
        for found in self.experiments.values():
            if found["display_name"] == name:
                return str(found["experiment_id"])
        made = {
            "experiment_id": str(uuid.uuid4()),
            "display_name": name,
            "created_at": self._now(),
            "last_run_created_at": EPOCH,
            "storage_state": "AVAILABLE",
        }
        if namespace:
            made["namespace"] = namespace
        self.experiments[made["experiment_id"]] = made
        return str(made["experiment_id"])

    def named(self, display_name: str = "") -> list[JSON]:
        """The runs of a display name, or all."""
        return [r for r in self.runs.values() if display_name in ("", r["display_name"])]

    def becomes(self, run_id: str, state: str, *failed_tasks: str) -> None:
        """The run gets into another state."""
        run = self.runs[run_id]
        run["state"] = state
        run["state_history"].append({"update_time": self._now(), "state": state})
        if state in ENDED:
            run["finished_at"] = self._now()
        tasks = [
            {
                "run_id": run_id,
                "task_id": str(uuid.uuid4()),
                "display_name": name,
                "state": "FAILED",
            }
            for name in failed_tasks
        ]
        if tasks:
            run["run_details"] = {"task_details": tasks}

    def _now(self) -> str:
        self._seconds += 1
        moment = datetime(2026, 1, 31, 9, tzinfo=UTC) + timedelta(seconds=self._seconds)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    # What it answers.

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path.removeprefix(API)}")
        if (wrong := self.fault(request)) is not None:
            return wrong
        try:
            user = self._user(request)
            answer = web.json_response(await self._answer(request, user))
        except Problem as problem:
            answer = web.json_response(problem.body, status=problem.status)
        if self.lose(request):
            assert request.transport is not None
            request.transport.close()
        return answer

    def _user(self, request: web.Request) -> set[str]:
        """The namespaces that whoever asks may touch."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.users is None or request.path.endswith("/healthz"):
            return set()
        if token not in self.users:
            words = "Failed to check authorization. User identity is empty in the request header"
            raise Problem(16, f"Failed to authorize with API: Unauthenticated: {words}", words)
        return self.users[token]

    async def _answer(self, request: web.Request, user: set[str]) -> JSON:
        query = dict(request.query)
        match request.method, request.path.removeprefix(API).strip("/").split("/"):
            case "GET", ["healthz"]:
                return {"multi_user": True} if self.users is not None else {}
            case "POST", ["runs"]:
                self.bodies.append(await request.json())
                return self._create(self.bodies[-1], user)
            case "GET", ["runs"]:
                return self._list_runs(query, user)
            case "GET", ["runs", run_id]:
                return self._run(run_id, user)
            case "POST", ["runs", action] if action.endswith(":terminate"):
                return self._terminate(self._run(action.removesuffix(":terminate"), user))
            case "DELETE", ["runs", run_id]:
                del self.runs[self._run(run_id, user)["run_id"]]
                return {}
            case "GET", ["experiments"]:
                self._may(user, query.get("namespace", ""))
                return self._page("experiments", self.experiments, query)
            case "POST", ["experiments"]:
                body = await request.json()
                made = self.experiment(body["display_name"], body.get("namespace", ""))
                return self.experiments[made]
            case "GET", ["experiments", one]:
                return self._one("Experiment", self.experiments, one)
            case "GET", ["pipelines"]:
                return self._page("pipelines", self.pipelines, query)
            case "POST", ["pipelines", "upload"]:
                made = self.upload(query["name"], await _uploaded(request))
                return self.pipelines[made["pipeline_id"]]
            case "POST", ["pipelines", "upload_version"]:
                pipeline = self._one("Pipeline", self.pipelines, query["pipelineid"])
                of = pipeline["display_name"]
                return self.upload(of, await _uploaded(request), query["name"])
            case "GET", ["pipelines", one]:
                return self._one("Pipeline", self.pipelines, one)
            case "GET", ["pipelines", one, "versions"]:
                of = {k: v for k, v in self.versions.items() if v["pipeline_id"] == one}
                return self._page("pipeline_versions", of, query)
            case "GET", ["pipelines", _, "versions", one]:
                return self._one("PipelineVersion", self.versions, one)
        raise Problem(5, "Not Found", "Not Found")

    def _may(self, user: set[str], namespace: str) -> None:
        if self.users is None:
            return
        if not namespace:
            raise invalid("A run cannot have an empty namespace in multi-user mode", "")
        if namespace not in user:
            words = f"User 'ada' is not authorized with reason:  (request: {namespace})"
            raise Problem(7, f"PermissionDenied: {words}: Unauthorized access", words)

    def _one(self, kind: str, found: dict[str, JSON], key: str) -> JSON:
        if key not in found:
            raise not_found(kind, key)
        return found[key]

    def _run(self, run_id: str, user: set[str]) -> JSON:
        run = self._one("Run", self.runs, run_id)
        self._may(user, self.experiments[run["experiment_id"]].get("namespace", ""))
        return run

    def _terminate(self, run: JSON) -> JSON:
        if run["state"] in (*ENDED, "CANCELING"):
            words = f"Failed to terminate a run {run['run_id']}. Row not found"
            raise invalid(words, f"Failed to terminate run {run['run_id']}: ")
        self.terminated.append(run["run_id"])
        run["state"] = "CANCELING"
        return {}

    def _list_runs(self, query: dict[str, str], user: set[str]) -> JSON:
        experiment, namespace = query.get("experiment_id", ""), query.get("namespace", "")
        if experiment:
            found = self._one("Experiment", self.experiments, experiment)
            namespace = found.get("namespace", "")
        self._may(user, namespace)
        runs = {
            run_id: run
            for run_id, run in self.runs.items()
            if not experiment or run["experiment_id"] == experiment
        }
        return self._page("runs", runs, query)

    def _page(self, name: str, every: dict[str, JSON], query: dict[str, str]) -> JSON:
        found = list(every.values())
        for predicate in json.loads(query.get("filter") or "{}").get("predicates", ()):
            value = predicate.get("string_value", predicate.get("stringValue"))
            if predicate["operation"] not in ("EQUALS", 1) or not isinstance(value, str):
                raise invalid(f"invalid predicate operation: {predicate['operation']}", "")
            key = predicate["key"]
            if key not in ("display_name", "name", "run_id", "state", "storage_state"):
                raise invalid(f"no support for filtering on unrecognized field {key!r}", "")
            found = [one for one in found if str(one.get(key, "")).lower() == value.lower()]
        by, _, order = (query.get("sort_by") or "created_at").partition(" ")
        found.sort(key=lambda one: str(one.get(by, "")), reverse=order == "desc")
        size = min(int(query.get("page_size") or 0) or 20, 200)
        token = query.get("page_token", "")
        first = int(base64.b64decode(token)) if token else 0
        told: JSON = {name: found[first : first + size], "total_size": len(found)}
        if first + size < len(found):
            told["next_page_token"] = base64.b64encode(str(first + size).encode()).decode()
        return {key: value for key, value in told.items() if value}

    def _create(self, body: JSON, user: set[str]) -> JSON:
        if unknown := sorted(set(body) - RUN_FIELDS):
            raise Problem(3, f'proto: (line 1:2): unknown field "{unknown[0]}"')
        if not body.get("display_name"):
            raise internal("Failed to convert a API run detail: Run name cannot be empty")
        experiment = body.get("experiment_id", "")
        if not experiment and self.users is not None:
            raise invalid("Experiment id can not be empty in multi-user mode")
        experiment = experiment or self.experiment("Default")
        namespace = self._one("Experiment", self.experiments, experiment).get("namespace", "")
        self._may(user, namespace)
        reference = body.get("pipeline_version_reference", {})
        version = self._version(reference)
        config = body.get("runtime_config", {})
        _check(version["pipeline_spec"], config.get("parameters", {}))
        if self.quota:
            raise internal(f"Failed to create a workflow for (): {self.quota}")
        return self._made(body, experiment, version)

    def _version(self, reference: JSON) -> JSON:
        if version_id := reference.get("pipeline_version_id"):
            version = self._one("PipelineVersion", self.versions, version_id)
            pipeline = reference.get("pipeline_id") or version["pipeline_id"]
            if version["pipeline_id"] != pipeline:
                of = version["pipeline_id"]
                words = f"Pipeline version {version_id} belongs to pipeline {of} (not {pipeline})"
                raise invalid(words)
            return version
        if not (pipeline := reference.get("pipeline_id")):
            raise internal("Failed to create a run due to error fetching manifest")
        of = [v for v in self.versions.values() if v["pipeline_id"] == pipeline]
        if not of:
            raise not_found("PipelineVersion", pipeline)
        return max(of, key=lambda v: str(v["created_at"]))

    def _made(self, body: JSON, experiment: str, version: JSON) -> JSON:
        run_id, now = str(uuid.uuid4()), self._now()
        run = {
            **body,
            "experiment_id": experiment,
            "run_id": run_id,
            "storage_state": "AVAILABLE",
            "pipeline_version_reference": {
                key: version[key] for key in ("pipeline_id", "pipeline_version_id")
            },
            "service_account": body.get("service_account") or "pipeline-runner",
            "created_at": now,
            "scheduled_at": now,
            "finished_at": EPOCH,
            "state": "PENDING",
            "state_history": [{"update_time": now, "state": "PENDING"}],
        }
        config = {key: value for key, value in body.get("runtime_config", {}).items() if value}
        if config:
            run["runtime_config"] = config
        else:
            run.pop("runtime_config", None)
        self.runs[run_id] = run
        return run


async def _uploaded(request: web.Request) -> JSON:
    """The compiled pipeline, as versions tell it: with settings for Kubernetes both are within."""
    file = (await request.post())["uploadfile"]
    assert isinstance(file, web.FileField)
    documents = [*yaml.safe_load_all(file.file.read())]
    if len(documents) == 1:
        return dict(documents[0])
    return {"pipeline_spec": documents[0], "platform_spec": documents[1]}


def _check(compiled: JSON, given: JSON) -> None:
    """What the server checks of parameters before it makes anything."""
    compiled = compiled.get("pipeline_spec", compiled)
    chain = "Failed to create a new run: Failed to generate the ExecutionSpec: "
    declared = compiled["root"].get("inputDefinitions", {}).get("parameters", {})
    for name, told in declared.items():
        if name not in given:
            if not told.get("isOptional") and "defaultValue" not in told:
                words = "is not optional, yet has neither default value nor user provided value"
                raise invalid(f"parameter {name} {words}", chain)
            continue
        shapes, words = JSON_TYPES[told["parameterType"]]
        is_bool = isinstance(given[name], bool)
        if not isinstance(given[name], shapes) or (is_bool and bool not in shapes):
            raise invalid(f"input parameter {name} requires {words}", chain)
    if extra := [name for name in given if name not in declared]:
        words = "parameter(s) provided are not required by pipeline"
        raise invalid(f"{words}: {', '.join(extra)}", chain)


@asynccontextmanager
async def pipelines_server(**more: Any) -> AsyncIterator[Pipelines]:
    """One at a free port, with nothing in it."""
    found = Pipelines(**more)
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", found.handle)
    async with TestServer(app) as server:
        found.url = f"http://127.0.0.1:{server.port}"
        yield found
