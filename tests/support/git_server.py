"""Git repositories, served over HTTP by Git's own http-backend on 127.0.0.1."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

DIGEST = "0123456789abcdef0123456789abcde"


def tracked(number: int, *, size: int = 7, files: int | None = None, path: str = "train") -> str:
    """A .dvc file; each number is a hash of its own."""
    suffix, nfiles = ("", "") if files is None else (".dir", f"  nfiles: {files}\n")
    return (
        f"outs:\n- md5: {DIGEST}{number:x}{suffix}\n  size: {size}\n{nfiles}"
        f"  hash: md5\n  path: {path}\n"
    )


class Repository:
    """A bare repository and a clone of it that a test commits in."""

    def __init__(self, folder: Path, name: str = "data", *, filters: bool = True) -> None:
        self.name = f"{name}.git"
        self._bare, self._clone = folder / self.name, folder / name
        self._home = folder
        self.git("init", "-q", "--bare", "-b", "main", str(self._bare), where=folder)
        self.git("config", "uploadpack.allowFilter", str(filters).lower(), where=self._bare)
        self.git("clone", "-q", str(self._bare), str(self._clone), where=folder)
        self.git("checkout", "-q", "-b", "main")

    def git(self, *arguments: str, where: Path | None = None) -> str:
        """Runs Git without anybody's settings."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "t",
            "GIT_AUTHOR_EMAIL": "t@example",
            "GIT_COMMITTER_NAME": "t",
            "GIT_COMMITTER_EMAIL": "t@example",
        }
        done = subprocess.run(
            ["git", *arguments],
            cwd=where or self._clone,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Puts files into the clone."""
        for name, content in files.items():
            file = self._clone / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)

    def push(self, files: Mapping[str, str | bytes], branch: str = "main") -> str:
        """Commits the files, pushes, and returns the commit."""
        self.write(files)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "data")
        self.git("push", "-q", "--force", "origin", f"HEAD:refs/heads/{branch}")
        return self.git("rev-parse", "HEAD")


class Backend:
    """Git's CGI program as a handler. asked: what was asked for; authorization: what it demands."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.asked: list[str] = []
        self.authorization = ""
        self.oldest = False
        """Whether it knows nothing of version 2."""

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        if self.authorization and request.headers.get("Authorization") != self.authorization:
            return web.Response(status=401, text="wants credentials")
        body = await request.read()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "GIT_PROJECT_ROOT": str(self._folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": request.path,
            "QUERY_STRING": request.query_string,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": "127.0.0.1",
        }
        if not self.oldest:
            environment["GIT_PROTOCOL"] = request.headers.get("Git-Protocol", "")
        process = await asyncio.create_subprocess_exec(
            "git",
            "http-backend",
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await process.communicate(body)
        head, _, content = output.partition(b"\r\n\r\n")
        lines = (line.partition(": ") for line in head.decode().split("\r\n"))
        headers = {name: value for name, _, value in lines}
        status = int(headers.pop("Status", "200 OK").split()[0])
        return web.Response(status=status, headers=headers, body=content)


@asynccontextmanager
async def serving(handler: Backend | web.Application) -> AsyncIterator[str]:
    """The URL of the server, without a slash at the end."""
    app = handler
    if isinstance(handler, Backend):
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", handler.handle)
    assert isinstance(app, web.Application)
    async with TestServer(app) as server:
        yield f"http://127.0.0.1:{server.port}"
