"""MLflow's tracking server with its registry, which stores artefacts itself."""

from __future__ import annotations

import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx

from dev.cluster.ports import free_port
from dev.cluster.processes import Daemon, Processes
from dev.environment import interpreter

USER, PASSWORD = "admin", "an-admins-password"
"""Where it demands credentials."""
SECONDS = 240.0
"""Until it is up, on a machine that has much else to do."""


class Mlflow:
    """One server with an empty store. auth: whether it demands credentials."""

    def __init__(self, folder: Path, name: str = "mlflow", *, auth: bool = False) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._name = name
        self._folder = folder / name
        self._python = interpreter("mlflow")
        self._processes = Processes(folder, die_with_parent=True)
        self.auth = auth
        self._port = port

    def start(self) -> None:
        """Raises ClusterError where it does not come up."""
        self._folder.mkdir(parents=True, exist_ok=True)
        store = ("--backend-store-uri", f"sqlite:///{self._folder}/mlflow.db")
        artefacts = ("--artifacts-destination", str(self._folder / "artifacts"))
        more = ("--app-name", "basic-auth") if self.auth else ()
        daemon = Daemon(
            self._name,
            (
                *(str(self._python), "-m", "mlflow", "server", "--host", "127.0.0.1"),
                *("--port", str(self._port), "--workers", "1", *store, *artefacts, *more),
            ),
            self._environment(),
        )
        self._processes.start(daemon)
        remedy = "read its log"
        self._processes.wait_for(self._name, self._ready, SECONDS, "MLflow starts", remedy)

    def stop(self) -> None:
        """Ends it."""
        self._processes.stop(self._name)

    def run(
        self, script: Path, *arguments: str, more: Mapping[str, str] = MappingProxyType({})
    ) -> str:
        """What a script prints that logs to the server.

        more: of its environment. Raises AssertionError where it fails.
        """
        done = subprocess.run(
            [str(self._python), str(script), *arguments],
            env={**self._environment(), "MLFLOW_TRACKING_URI": self.url, "PATH": "", **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def call(self, method: str, path: str, **fields: object) -> dict[str, Any]:
        """One call of the REST API. Raises HTTPStatusError."""
        query = method == "GET"
        answer = httpx.request(
            method,
            f"{self.url}/api/2.0/mlflow/{path}",
            params={k: str(v) for k, v in fields.items()} if query else None,
            json=None if query else fields,
            auth=(USER, PASSWORD),
            timeout=60,
        )
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def tags(self, name: str, version: str) -> dict[str, str]:
        """The tags of a version of a registered model."""
        found = self.call("GET", "model-versions/get", name=name, version=version)
        return {tag["key"]: tag["value"] for tag in found["model_version"].get("tags", ())}

    def _environment(self) -> Mapping[str, str]:
        found = {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "HOME": str(self._folder),
            "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http",
            "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
            "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": urlsafe_b64encode(bytes(32)).decode(),
        }
        if self.auth:
            found |= {
                "MLFLOW_FLASK_SERVER_SECRET_KEY": "for tests alone",
                "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
                "MLFLOW_TRACKING_USERNAME": USER,
                "MLFLOW_TRACKING_PASSWORD": PASSWORD,
                "MLFLOW_AUTH_CONFIG_PATH": str(self._configured()),
            }
        return found

    def _configured(self) -> Path:
        file = self._folder / "basic_auth.ini"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            "[mlflow]\n"
            "default_permission = READ\n"
            f"database_uri = sqlite:///{self._folder}/basic_auth.db\n"
            f"admin_username = {USER}\n"
            "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        )
        return file

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False
