"""The download from a tracking server, as the process that a pod runs, and its faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from evenkeel.sidecars import mlflow_download
from evenkeel.sidecars.mlflow_download import (
    ATTEMPTS,
    DEPTH,
    PROXY,
    Config,
    Failed,
    Server,
    config,
    download,
)

from dev.paths import ROOT

FOLDER = "1/models/m-1/artifacts"
FILES = {
    "MLmodel": b"flavors: {}\n",
    "model.skops": bytes(range(256)) * 5000,
    "data/weights #1 ä.bin": b"weights",
    "data/empty": b"",
}
Fault = Callable[[BaseHTTPRequestHandler], bool]


class Tracking:
    """A tracking server that stores a model. fault: answers by itself if it returns True."""

    def __init__(self) -> None:
        self.files = dict(FILES)
        self.fault: Fault = lambda request: False
        self.headers: list[dict[str, str]] = []
        self.fetched: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.headers.append({k.lower(): v for k, v in self.headers.items()})
                if outer.fault(self):
                    return
                parts = urllib.parse.urlsplit(self.path)
                path = urllib.parse.unquote(parts.path).removeprefix(PROXY)
                if not path:
                    wanted = urllib.parse.parse_qs(parts.query)["path"][0]
                    send(self, 200, json.dumps({"files": outer.listed(wanted)}).encode())
                    return
                name = path.removeprefix(f"/{FOLDER}/")
                outer.fetched.append(name)
                send(self, 200, outer.files[name])

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def listed(self, folder: str) -> list[dict[str, Any]]:
        """As MLflow lists: names in the folder, without what is before them."""
        below = folder.removeprefix(FOLDER).strip("/")
        found: dict[str, dict[str, Any]] = {}
        for name, content in self.files.items():
            rest = name.removeprefix(f"{below}/" if below else "")
            if rest == name and below:
                continue
            first, deeper, _ = rest.partition("/")
            found[first] = (
                {"path": first, "is_dir": True}
                if deeper
                else {"path": first, "is_dir": False, "file_size": len(content)}
            )
        return list(found.values())

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def send(request: BaseHTTPRequestHandler, status: int, body: bytes, *headers: str) -> bool:
    request.send_response(status)
    request.send_header("Content-Length", str(len(body)))
    for header in headers:
        request.send_header(*header.split(": ", 1))
    request.end_headers()
    request.wfile.write(body)
    return True


@pytest.fixture
def tracking() -> Iterator[Tracking]:
    found = Tracking()
    yield found
    found.stop()


@pytest.fixture
def pauses() -> list[float]:
    return []


def run(tracking: Tracking, target: Path, pauses: list[float]) -> tuple[int, int]:
    found = config(environment(tracking, target))
    return download(found, Server(found, pauses.append))


def environment(tracking: Tracking, target: Path) -> dict[str, str]:
    return {
        "MLFLOW_ARTIFACTS": f"{tracking.url}{PROXY}/{FOLDER}",
        "MLFLOW_DESTINATION": str(target),
    }


def tree(folder: Path) -> dict[str, bytes]:
    files = (f for f in folder.rglob("*") if f.is_file())
    return {str(f.relative_to(folder)): f.read_bytes() for f in files}


def test_the_whole_folder_by_the_process_of_a_pod(tracking: Tracking, tmp_path: Path) -> None:
    env = {
        **environment(tracking, tmp_path),
        "PYTHONPATH": str(ROOT / "operator"),
        "MLFLOW_USERNAME": "ada",
        "MLFLOW_PASSWORD": "geheim\n",
        "MLFLOW_WORKSPACE": "team-a",
        "MLFLOW_HEADERS": "X-Team: ml\nX-Other:  two\n",
    }
    done = subprocess.run(
        [sys.executable, "-S", "-m", "evenkeel.sidecars.mlflow_download"],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("4 files, 1.2 MiB in ")
    assert tree(tmp_path) == FILES
    assert all(f.stat().st_mode & 0o444 == 0o444 for f in tmp_path.rglob("*"))
    wanted = {
        "authorization": "Basic YWRhOmdlaGVpbQ==",
        "x-mlflow-workspace": "team-a",
        "x-team": "ml",
        "x-other": "two",
    }
    assert all(wanted.items() <= headers.items() for headers in tracking.headers)


def test_a_token_and_what_is_there_already(
    tracking: Tracking, tmp_path: Path, pauses: list[float]
) -> None:
    """A pod whose download broke off goes on where it was."""
    (tmp_path / "model.skops").write_bytes(FILES["model.skops"])
    (tmp_path / "MLmodel").write_bytes(b"half")
    found = config(environment(tracking, tmp_path) | {"MLFLOW_TOKEN": "geheim"})
    download(found, Server(found, pauses.append))
    assert tree(tmp_path) == FILES
    assert "model.skops" not in tracking.fetched
    assert {h["authorization"] for h in tracking.headers} == {"Bearer geheim"}


def failing(times: int, fault: Fault) -> Fault:
    left = [times]

    def one(request: BaseHTTPRequestHandler) -> bool:
        if not left[0] or "MLmodel" not in request.path:
            return False
        left[0] -= 1
        return fault(request)

    return one


def short(request: BaseHTTPRequestHandler) -> bool:
    """Promises more than it sends."""
    request.send_response(200)
    request.send_header("Content-Length", str(len(FILES["MLmodel"])))
    request.end_headers()
    request.wfile.write(FILES["MLmodel"][:3])
    request.close_connection = True
    return True


FAULTS: dict[str, Fault] = {
    "503": lambda request: send(request, 503, b"starting"),
    "429": lambda request: send(request, 429, b""),
    "cut": short,
    "silent": lambda request: request.connection.close() is None,
    "wrong size": lambda request: send(request, 200, b"other"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_faults_that_end(
    tracking: Tracking, tmp_path: Path, pauses: list[float], fault: Fault
) -> None:
    tracking.fault = failing(2, fault)
    run(tracking, tmp_path, pauses)
    assert tree(tmp_path) == FILES
    assert pauses == [1.0, 2.0]


def test_faults_that_do_not_end(tracking: Tracking, tmp_path: Path, pauses: list[float]) -> None:
    tracking.fault = failing(ATTEMPTS, FAULTS["503"])
    with pytest.raises(Failed, match=r"MLmodel answered 503: starting, 5 times"):
        run(tracking, tmp_path, pauses)
    assert len(pauses) == ATTEMPTS - 1
    assert not list(tmp_path.glob(".partial*"))


def test_a_server_that_is_not_there(tmp_path: Path, pauses: list[float]) -> None:
    tracking = Tracking()
    tracking.stop()
    with pytest.raises(Failed, match="cannot be reached: Connection refused, 5 times"):
        run(tracking, tmp_path, pauses)


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "answered 401: no \\*\\*\\*; correct the ModelRegistry's Secret"),
        (404, "answered 404"),
    ],
)
def test_refusals_are_not_asked_again(
    tracking: Tracking, tmp_path: Path, pauses: list[float], status: int, says: str
) -> None:
    tracking.fault = lambda request: send(request, status, b"no Bearer geheim")
    found = config(environment(tracking, tmp_path) | {"MLFLOW_TOKEN": "geheim"})
    with pytest.raises(Failed, match=says) as raised:
        download(found, Server(found, pauses.append))
    assert not pauses
    assert "geheim" not in str(raised.value)


def test_a_redirect_is_not_followed(
    tracking: Tracking, tmp_path: Path, pauses: list[float]
) -> None:
    other = Tracking()
    try:
        tracking.fault = lambda request: send(request, 302, b"", f"Location: {other.url}/")
        with pytest.raises(Failed, match="redirects are not followed"):
            run(tracking, tmp_path, pauses)
        assert not other.headers
    finally:
        other.stop()


@pytest.mark.parametrize("name", ["..", ".", "", "a/..", "a\0b", ".partial-x", "/"])
def test_names_that_lead_elsewhere(
    tracking: Tracking, tmp_path: Path, pauses: list[float], name: str
) -> None:
    answer = json.dumps({"files": [{"path": name, "is_dir": True}]}).encode()
    tracking.fault = lambda request: send(request, 200, answer)
    with pytest.raises(Failed, match="which is no name of a file"):
        run(tracking, tmp_path, pauses)


def test_of_a_listed_path_the_last_part_counts(
    tracking: Tracking, tmp_path: Path, pauses: list[float]
) -> None:
    """Some versions tell the whole path, and an absolute one must not be written to."""
    listed = [{"path": "/etc/passwd", "file_size": 1}]
    tracking.files = {"passwd": b"x"}
    tracking.fault = lambda request: (
        "?" in request.path and send(request, 200, json.dumps({"files": listed}).encode())
    )
    run(tracking, tmp_path, pauses)
    assert tree(tmp_path) == {"passwd": b"x"}


def test_folders_without_end(tracking: Tracking, tmp_path: Path, pauses: list[float]) -> None:
    answer = json.dumps({"files": [{"path": "a", "is_dir": True}]}).encode()
    tracking.fault = lambda request: send(request, 200, answer)
    with pytest.raises(Failed, match=f"nested deeper than {DEPTH}"):
        run(tracking, tmp_path, pauses)


def test_files_without_end(
    tracking: Tracking, tmp_path: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow_download, "FILES", 3)
    with pytest.raises(Failed, match="more than 3 files"):
        run(tracking, tmp_path, pauses)


LISTS = [b"<html>", b"[]", b'{"files": 1}', b'{"files": [1]}', b"[" * 99999]


@pytest.mark.parametrize("text", LISTS)
def test_lists_that_are_none(
    tracking: Tracking, tmp_path: Path, pauses: list[float], text: bytes
) -> None:
    tracking.fault = lambda request: send(request, 200, text)
    with pytest.raises(Failed, match="is none of MLflow's"):
        run(tracking, tmp_path, pauses)


def test_a_list_that_is_too_long(
    tracking: Tracking, tmp_path: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow_download, "LISTING", 50)
    with pytest.raises(Failed, match="is too long"):
        run(tracking, tmp_path, pauses)


def test_a_model_without_files(tracking: Tracking, tmp_path: Path, pauses: list[float]) -> None:
    tracking.files = {}
    with pytest.raises(Failed, match=f"has no artefacts at {FOLDER}"):
        run(tracking, tmp_path, pauses)


def test_a_disk_that_is_full(tracking: Tracking, tmp_path: Path, pauses: list[float]) -> None:
    """The name of a folder is that of a file here, which stands for every fault of the disk."""
    (tmp_path / "data").write_text("")
    with pytest.raises(Failed, match=r"cannot write .*data"):
        run(tracking, tmp_path, pauses)
    assert not pauses


def test_certificates_that_are_none(tmp_path: Path) -> None:
    bad = Config("https://127.0.0.1:1", FOLDER, str(tmp_path), {}, ca="no PEM")
    with pytest.raises(Failed, match="holds no PEM certificates"):
        Server(bad)
    with pytest.raises(Failed, match="do not go together"):
        Server(bad._replace(ca="", certificate="a", key="b"))


def test_an_address_that_is_none() -> None:
    with pytest.raises(Failed, match="is no address of artefacts"):
        config({"MLFLOW_ARTIFACTS": "http://x/y", "MLFLOW_DESTINATION": os.devnull})
