"""A registry that answers as MLflow 3.17 does, as far as the operator asks it.

tests/integrations proves against a real server that these are its answers.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

JSON = dict[str, Any]
API = "/api/2.0/mlflow"
MLMODEL = """\
artifact_path: mlflow-artifacts:/1/models/m-1/artifacts
flavors:
  python_function:
    env: {conda: conda.yaml, virtualenv: python_env.yaml}
    loader_module: mlflow.sklearn
    model_path: model.skops
  sklearn:
    pickled_model: model.skops
    serialization_format: skops
mlflow_version: 3.17.2
signature:
  inputs: '[{"type": "double", "name": "width", "required": true}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]'
  params: null
"""

UNAUTHENTICATED = (
    "You are not authenticated. Please see "
    "https://www.mlflow.org/docs/latest/auth/index.html#authenticating-to-mlflow "
    "on how to authenticate."
)


@dataclass
class Version:
    """One version. uri: where its artefacts are. mlmodel: None: there is none."""

    uri: str
    source: str = "models:/m-1"
    run_id: str = "48693ee5"
    status: str = "READY"
    message: str = ""
    mlmodel: str | None = MLMODEL
    tags: dict[str, str] = field(default_factory=dict)


def _pairs(found: dict[str, Any]) -> list[JSON]:
    return [{"key": key, "value": value} for key, value in found.items()]


def error(status: int, code: str, message: str) -> web.Response:
    """An error as MLflow writes it."""
    return web.json_response({"error_code": code, "message": message}, status=status)


class Registry:
    """versions: by name and number. aliases: by name and alias. commits: by run, of those
    that there are. authorization: the header that is
    demanded. fault: an answer instead of the right one. lost: one to what it was told, and has
    done. created: how many versions were. moves: of aliases, by requests.
    experiments: their IDs by name. models: by ID what is told of those that were logged."""

    def __init__(self) -> None:
        self.versions: dict[str, dict[str, Version]] = {}
        self.aliases: dict[str, dict[str, str]] = {}
        self.commits: dict[str, str] = {}
        self.authorization = ""
        self.fault: Callable[[web.Request], web.StreamResponse | None] = lambda request: None
        self.lost: Callable[[web.Request], web.StreamResponse | None] = lambda request: None
        self.experiments: dict[str, str] = {}
        self.runs: list[JSON] = []
        self.models: dict[str, JSON] = {}
        self.created = 0
        self.moves: list[str] = []
        self.requests: list[web.Request] = []
        self.url = ""

    @property
    def paths(self) -> list[str]:
        """The paths that were asked."""
        return [request.path for request in self.requests]

    def log(
        self,
        uid: str,
        *names: str,
        experiment: str = "fraud",
        status: str = "FINISHED",
        **more: Any,
    ) -> str:
        """A run as MLflow's clients log one, with models of these names; gives its ID.

        more: begin and end in milliseconds, metrics, params, tags, datasets.
        """
        number = len(self.runs) + 1
        run_id, here = f"{number:032x}", self.experiments.setdefault(experiment, "7")
        begin = more.get("begin", 1000 * number)
        ids = [f"m-{100 * number + i:032x}" for i in range(len(names))]
        for model_id, name in zip(ids, names, strict=True):
            uri = f"mlflow-artifacts:/{here}/models/{model_id}/artifacts"
            told = {"model_id": model_id, "name": name, "artifact_uri": uri}
            self.models[model_id] = {**told, "status": "LOGGED_MODEL_READY"}
        tags = {"evenkeel.dev/run-uid": uid, **more.get("tags", {})}
        self.runs.append(
            {
                "info": {
                    "run_id": run_id,
                    "experiment_id": here,
                    "status": status,
                    "start_time": begin,
                    **({} if status == "RUNNING" else {"end_time": more.get("end", begin + 500)}),
                },
                "data": {
                    "metrics": [
                        {"key": k, "value": v, "step": 0}
                        for k, v in more.get("metrics", {}).items()
                    ],
                    "params": [{"key": k, "value": v} for k, v in more.get("params", {}).items()],
                    "tags": [{"key": k, "value": v} for k, v in tags.items()],
                },
                "inputs": {
                    "dataset_inputs": [
                        {
                            "tags": [{"key": "mlflow.data.context", "value": context}],
                            "dataset": {"name": name, "digest": digest, "source": "{}"},
                        }
                        for name, digest, context in more.get("datasets", ())
                    ]
                },
                "outputs": {
                    "model_outputs": [{"model_id": one, "step": i} for i, one in enumerate(ids)]
                },
            }
        )
        return run_id

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answers."""
        self.requests.append(request)
        if (wrong := self.fault(request)) is not None:
            return wrong
        if self.authorization and request.headers.get("Authorization") != self.authorization:
            return web.Response(status=401, text=UNAUTHENTICATED, content_type="text/html")
        told = {
            ("POST", f"{API}/model-versions/set-tag"): self._set_tag,
            ("POST", f"{API}/model-versions/create"): self._create,
            ("DELETE", f"{API}/model-versions/delete"): self._delete,
            ("POST", f"{API}/registered-models/create"): self._create_model,
            ("POST", f"{API}/registered-models/alias"): self._set_alias,
            ("POST", f"{API}/runs/search"): self._search_runs,
        }.get((request.method, request.path))
        if told is not None:
            done = told(await request.json())
            # What it did stands, whether or not the answer arrives.
            return self.lost(request) or done
        if request.path.startswith(f"{API}/logged-models/"):
            return self._logged_model(request.path.rpartition("/")[2])
        asked = {
            f"{API}/experiments/get-by-name": self._experiment,
            f"{API}/registered-models/search": self._search,
            f"{API}/registered-models/alias": self._alias,
            f"{API}/model-versions/get": self._version,
            f"{API}/model-versions/search": self._search_versions,
            f"{API}/model-versions/get-download-uri": self._uri,
            f"{API}/runs/get": self._run,
            "/model-versions/get-artifact": self._artifact,
        }.get(request.path)
        if asked is None:
            text = "<!doctype html>\n<title>404 Not Found</title>\n"
            return web.Response(status=404, text=text, content_type="text/html")
        return asked(dict(request.query))

    def _experiment(self, query: dict[str, str]) -> web.Response:
        name = query["experiment_name"]
        if name not in self.experiments:
            missing = f"Could not find experiment with name '{name}'"
            return error(404, "RESOURCE_DOES_NOT_EXIST", missing)
        found = {"experiment_id": self.experiments[name], "name": name}
        return web.json_response({"experiment": found})

    def _search_runs(self, told: JSON) -> web.Response:
        asked = re.fullmatch(r"tags[.]`(?P<tag>[^`]+)` = '(?P<value>[^']*)'", told["filter"])
        assert asked is not None, told
        tag = {"key": asked["tag"], "value": asked["value"]}
        found = [
            run
            for run in self.runs
            if run["info"]["experiment_id"] in told["experiment_ids"] and tag in run["data"]["tags"]
        ]
        # MLflow leaves an empty list out.
        return web.json_response({"runs": found[: told["max_results"]]} if found else {})

    def _logged_model(self, model_id: str) -> web.Response:
        if model_id not in self.models:
            missing = f"Logged model with ID '{model_id}' not found."
            return error(404, "RESOURCE_DOES_NOT_EXIST", missing)
        return web.json_response({"model": {"info": self.models[model_id]}})

    def _create_model(self, told: JSON) -> web.Response:
        name = told["name"]
        if name in self.versions:
            return error(
                400, "RESOURCE_ALREADY_EXISTS", f"Registered Model (name={name}) already exists."
            )
        self.versions[name] = {}
        return web.json_response({"registered_model": {"name": name}})

    def _set_alias(self, told: JSON) -> web.Response:
        if self._found(told) is None:
            return self._gone(told)
        self.aliases.setdefault(told["name"], {})[told["alias"]] = told["version"]
        self.moves.append(f"{told['alias']} {told['version']}")
        return web.json_response({})

    def _create(self, told: JSON) -> web.Response:
        name, source = told["name"], told["source"]
        if name not in self.versions:
            missing = f"Registered Model with name={name} not found"
            return error(404, "RESOURCE_DOES_NOT_EXIST", missing)
        logged = source.startswith("models:/") and source != f"models:/{told.get('model_id')}"
        if logged or source.startswith("file:"):
            text = f"Invalid model version source: '{source}'."
            return error(400, "INVALID_PARAMETER_VALUE", text)
        known = self.versions[name]
        number = str(max(map(int, known), default=0) + 1)
        tags = {tag["key"]: tag["value"] for tag in told.get("tags", ())}
        known[number] = Version(source, source=source, run_id=told.get("run_id", ""), tags=tags)
        self.created += 1
        return self._version({"name": name, "version": number})

    def _delete(self, told: JSON) -> web.Response:
        if self._found(told) is None:
            return self._gone(told)
        del self.versions[told["name"]][told["version"]]
        return web.json_response({})

    def _search_versions(self, query: dict[str, str]) -> web.Response:
        """By the two filters that are asked."""
        asked = re.fullmatch(
            r"name='(?P<name>[^']*)' and (tag[.]`(?P<tag>[^`]+)`|source_path)"
            r"=(?P<quote>['\"])(?P<value>.*)(?P=quote)",
            query["filter"],
        )
        assert asked is not None, query
        found = []
        for number, version in self.versions.get(asked["name"], {}).items():
            told = version.tags.get(asked["tag"]) if asked["tag"] else version.source
            if told == asked["value"]:
                found.append(self._described({"name": asked["name"], "version": number}, version))
        newest = sorted(found, key=lambda v: -int(v["version"]))
        # MLflow leaves an empty list out.
        shown = newest[: int(query["max_results"])]
        return web.json_response({"model_versions": shown} if shown else {})

    def _set_tag(self, told: JSON) -> web.Response:
        found = self._found(told)
        if found is None:
            return self._gone(told)
        found.tags[told["key"]] = told["value"]
        return web.json_response({})

    def _search(self, query: dict[str, str]) -> web.Response:
        names = sorted(self.versions)[: int(query["max_results"])]
        return web.json_response({"registered_models": [{"name": name} for name in names]})

    def _alias(self, query: dict[str, str]) -> web.Response:
        name, alias = query["name"], query["alias"]
        if name not in self.versions:
            missing = f"Registered Model with name={name} not found"
            return error(404, "RESOURCE_DOES_NOT_EXIST", missing)
        number = self.aliases.get(name, {}).get(alias)
        if number is None:
            return error(
                400, "INVALID_PARAMETER_VALUE", f"Registered model alias {alias} not found."
            )
        return self._version({"name": name, "version": number})

    def _found(self, query: dict[str, str]) -> Version | None:
        return self.versions.get(query["name"], {}).get(query["version"])

    def _version(self, query: dict[str, str]) -> web.Response:
        found = self._found(query)
        if found is None:
            return self._gone(query)
        return web.json_response({"model_version": self._described(query, found)})

    def _described(self, query: dict[str, str], found: Version) -> JSON:
        told: JSON = {
            "name": query["name"],
            "version": query["version"],
            "creation_timestamp": 1796018762113,
            "current_stage": "None",
            "description": "",
            "source": found.source,
            "run_id": found.run_id,
            "status": found.status,
            "run_link": "",
        }
        if found.tags:
            told["tags"] = [{"key": k, "value": v} for k, v in found.tags.items()]
        if found.message:
            told["status_message"] = found.message
        return told

    def _gone(self, query: dict[str, str]) -> web.Response:
        which = f"(name={query['name']}, version={query['version']})"
        return error(404, "RESOURCE_DOES_NOT_EXIST", f"Model Version {which} not found")

    def _uri(self, query: dict[str, str]) -> web.Response:
        found = self._found(query)
        if found is None:
            return self._gone(query)
        return web.json_response({"artifact_uri": found.uri})

    def _run(self, query: dict[str, str]) -> web.Response:
        run_id = query["run_id"]
        if run_id not in self.commits:
            return error(404, "RESOURCE_DOES_NOT_EXIST", f"Run with id={run_id} not found")
        tags = [{"key": "mlflow.user", "value": "ada"}]
        tags.append({"key": "mlflow.source.git.commit", "value": self.commits[run_id]})
        return web.json_response({"run": {"info": {"run_id": run_id}, "data": {"tags": tags}}})

    def _artifact(self, query: dict[str, str]) -> web.Response:
        found = self._found(query)
        if found is None or found.mlmodel is None:
            return error(404, "RESOURCE_DOES_NOT_EXIST", "No such artifact: '1/models/MLmodel'")
        return web.Response(text=found.mlmodel, content_type="text/plain")


def notification(
    secret: str, name: str, now: float, **changed: str
) -> tuple[bytes, dict[str, str]]:
    """Body and headers of what MLflow sends when an alias moves. changed: headers."""
    data = {"name": name, "alias": "champion", "version": "2"}
    moved = {"entity": "model_version_alias", "action": "created", "data": data}
    body = json.dumps(moved).encode()
    told = {"X-MLflow-Delivery-Id": "d-1", "X-MLflow-Timestamp": str(int(now))}
    text = f"{told['X-MLflow-Delivery-Id']}.{told['X-MLflow-Timestamp']}.".encode() + body
    mac = hmac.new(secret.encode(), text, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(mac).decode()
    return body, {**told, "X-MLflow-Signature": signature, **changed}


@asynccontextmanager
async def registry() -> AsyncIterator[Registry]:
    """One at a free port, without any model."""
    found = Registry()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.handle)
    async with TestServer(app) as server:
        found.url = f"http://127.0.0.1:{server.port}"
        yield found
