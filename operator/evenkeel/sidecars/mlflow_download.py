"""Downloads a model from a tracking server of MLflow, which hands its artefacts out itself.

Runs before the model server, with the registry's Secret in MLFLOW_ variables. The server is trusted
with nothing but the model: names that lead out of the folder end it, and credentials are shown to
no other server. What is there already in its full size is not fetched again.

Standard library only.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPException
from typing import IO, Any, NamedTuple

PROXY = "/api/2.0/mlflow-artifacts/artifacts"
ATTEMPTS = 5
"""Times that a request is made which meets a fault that may end."""
PAUSE = 1.0
"""Seconds before the second attempt; each further one waits twice as long."""
TIMEOUT = 60.0
"""Seconds without a byte."""
LISTING = 8 * 2**20
"""Bytes of the list of a folder."""
FILES = 100_000
DEPTH = 32
CHUNK = 2**20
PARTIAL = ".partial-"
"""Begins the name of a file that is not whole yet."""
WORDS = 200
"""Bytes of an answer that are told."""
LASTING = frozenset({400, 401, 403, 404, 405, 410})
"""Answers that another attempt would not change."""


class Failed(Exception):
    """There is no model; the message, one line, is for people."""


class Again(Exception):
    """A fault that may end."""


class Config(NamedTuple):
    """server: base URL. path: of the model's folder, below the server's artefacts."""

    server: str
    path: str
    destination: str
    headers: Mapping[str, str]
    ca: str = ""
    certificate: str = ""
    key: str = ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like others: the credentials are for one server."""

    def redirect_request(self, *_: Any) -> None:
        return None


def config(env: Mapping[str, str]) -> Config:
    """The configuration in MLFLOW_ variables. Raises Failed where it makes no sense."""
    server, found, path = env["MLFLOW_ARTIFACTS"].partition(f"{PROXY}/")
    if not found:
        raise Failed(f"{env['MLFLOW_ARTIFACTS']} is no address of artefacts")
    headers = dict(_lines(env.get("MLFLOW_HEADERS", "")))
    if workspace := env.get("MLFLOW_WORKSPACE"):
        headers["X-MLFLOW-WORKSPACE"] = workspace
    if token := env.get("MLFLOW_TOKEN", "").strip():
        headers["Authorization"] = f"Bearer {token}"
    elif username := env.get("MLFLOW_USERNAME", "").strip():
        both = f"{username}:{env.get('MLFLOW_PASSWORD', '').strip()}"
        headers["Authorization"] = "Basic " + base64.b64encode(both.encode()).decode()
    return Config(
        server,
        path.strip("/"),
        env["MLFLOW_DESTINATION"],
        headers,
        env.get("MLFLOW_CA", ""),
        env.get("MLFLOW_CERTIFICATE", ""),
        env.get("MLFLOW_KEY", ""),
    )


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, found, value = line.partition(":")
        if found:
            yield name.strip(), value.strip()


class Server:
    """The tracking server's artefacts."""

    def __init__(self, config: Config, pause: Callable[[float], None] = time.sleep) -> None:
        self._config = config
        self._pause = pause
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        if config.server.startswith("https:"):
            handlers.append(urllib.request.HTTPSHandler(context=_context(config)))
        self._opener = urllib.request.build_opener(*handlers)

    def listed(self, path: str) -> list[dict[str, Any]]:
        """What is in a folder: `path`, its name there, `is_dir` and `file_size`."""
        query = urllib.parse.urlencode({"path": path})

        def read(answer: IO[bytes]) -> bytes:
            return answer.read(LISTING + 1)

        text = self._asked(f"?{query}", read)
        if len(text) > LISTING:
            raise Failed(f"{self._config.server}: the list of {path} is too long")
        try:
            files = json.loads(text).get("files", [])
            return [{"path": str(f["path"]), **f} for f in files]
        except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
            raise Failed(f"{self._config.server}: the list of {path} is none of MLflow's") from None

    def fetched(self, path: str, target: str, size: int | None) -> None:
        """Writes a file, whole or not at all."""

        def write(answer: IO[bytes]) -> None:
            with _partial(target) as file:
                while chunk := answer.read(CHUNK):
                    with _on_disk(target):
                        file.write(chunk)
                # A connection that ends early looks like the file's end.
                if size is not None and file.tell() != size:
                    raise Again(f"{path} has {file.tell()} bytes instead of {size}")

        self._asked(f"/{urllib.parse.quote(path)}", write)

    def _asked(self, what: str, take: Callable[[IO[bytes]], Any]) -> Any:
        """What is taken of the answer. Raises Failed."""
        wait = PAUSE
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._once(what, take)
            except Again as fault:
                if attempt == ATTEMPTS:
                    raise Failed(f"{fault}, {ATTEMPTS} times") from None
                print(f"{fault}; once more in {wait:g} s", file=sys.stderr, flush=True)
                self._pause(wait)
                wait *= 2
        raise AssertionError("every attempt ends")

    def _once(self, what: str, take: Callable[[IO[bytes]], Any]) -> Any:
        url = f"{self._config.server}{PROXY}{what}"
        request = urllib.request.Request(url, headers=dict(self._config.headers))
        shown = url.partition("?")[0]
        try:
            with self._opener.open(request, timeout=TIMEOUT) as answer:
                return take(answer)
        except urllib.error.HTTPError as error:
            raise _answered(shown, error, self._config) from None
        except urllib.error.URLError as error:
            why = getattr(error.reason, "strerror", None) or error.reason
            raise Again(f"{shown} cannot be reached: {why}") from None
        except (OSError, HTTPException) as error:
            raise Again(f"{shown}: the answer broke off ({type(error).__name__})") from None


@contextmanager
def _partial(target: str) -> Iterator[IO[bytes]]:
    """A file that takes the target's place once it is whole."""
    with _on_disk(target):
        handle, name = tempfile.mkstemp(dir=os.path.dirname(target), prefix=PARTIAL)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            with _on_disk(target):
                file.flush()
        with _on_disk(target):
            os.chmod(name, 0o644)
            os.replace(name, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


@contextmanager
def _on_disk(target: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Failed(f"cannot write {target}: {error.strerror}") from None


def _answered(url: str, error: urllib.error.HTTPError, config: Config) -> Exception:
    said = ""
    with suppress(OSError, HTTPException):
        said = " ".join(error.read(WORDS).decode(errors="replace").split())
    for secret in config.headers.values():
        said = said.replace(secret, "***")
    message = f"{url} answered {error.code}: {said}".removesuffix(": ")
    if 300 <= error.code < 400:
        return Failed(f"{url} answered {error.code}: redirects are not followed")
    if error.code in (401, 403):
        return Failed(f"{message}; correct the ModelRegistry's Secret, or what its user may do")
    return Failed(message) if error.code in LASTING else Again(message)


def _context(config: Config) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=config.ca or None)
    except (ssl.SSLError, ValueError):
        raise Failed("ca.crt of the ModelRegistry's Secret holds no PEM certificates") from None
    # Certificates of private authorities often lack what newer Pythons demand beyond the standard.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if config.certificate:
        file = os.memfd_create("client-certificate")
        try:
            os.write(file, f"{config.certificate}\n{config.key}\n".encode())
            context.load_cert_chain(f"/proc/self/fd/{file}", password="")
        except (ssl.SSLError, ValueError, OSError):
            raise Failed(
                "tls.crt and tls.key of the ModelRegistry's Secret do not go together"
            ) from None
        finally:
            os.close(file)
    return context


def download(config: Config, server: Server) -> tuple[int, int]:
    """Fetches the whole folder; tells how many files and bytes it has. Raises Failed."""
    files = size = 0
    folders = [("", 0)]
    while folders:
        below, depth = folders.pop()
        folder = os.path.join(config.destination, below)
        with _on_disk(folder):
            os.makedirs(folder, exist_ok=True)
        for one in server.listed(f"{config.path}/{below}".rstrip("/")):
            name = os.path.join(below, _name(one["path"]))
            target = os.path.join(config.destination, name)
            if one.get("is_dir"):
                if depth == DEPTH:
                    raise Failed(f"{name}: folders are nested deeper than {DEPTH}")
                folders.append((name, depth + 1))
                continue
            files += 1
            if files > FILES:
                raise Failed(f"the model has more than {FILES} files")
            told = one.get("file_size")
            whole = int(told) if isinstance(told, int | str) and str(told).isdigit() else None
            if whole is None or not _has(target, whole):
                server.fetched(f"{config.path}/{name}", target, whole)
            size += os.path.getsize(target)
    if not files:
        raise Failed(f"{config.server} has no artefacts at {config.path}")
    return files, size


def _name(path: str) -> str:
    """The last part of a listed path, whatever the server puts before it. Raises Failed."""
    name = path.rstrip("/").rpartition("/")[2]
    if name in ("", ".", "..") or "\0" in name or name.startswith(PARTIAL):
        raise Failed(f"the server lists {path!r}, which is no name of a file")
    return name


def _has(target: str, size: int) -> bool:
    try:
        return os.path.getsize(target) == size
    except OSError:
        return False


def main() -> None:
    """Downloads, or ends with the reason as last words."""
    began = time.monotonic()
    try:
        found = config(os.environ)
        files, size = download(found, Server(found))
    except Failed as error:
        print(error, file=sys.stderr, flush=True)
        raise SystemExit(1) from None
    seconds = time.monotonic() - began
    print(f"{files} files, {size / 2**20:.1f} MiB in {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
