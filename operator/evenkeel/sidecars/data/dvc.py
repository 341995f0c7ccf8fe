"""Data that a commit tracks by DVC, or has itself, by DVC's own client."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from evenkeel.sidecars.data.config import GitData
from evenkeel.sidecars.data.git import Checkout
from evenkeel.sidecars.data.words import Again, Failed, one_line

CHUNK = 2**20
LASTING = frozenset({"ConfigError", "NoRemoteError", "RemoteMissingDepsError"})
"""DVC's exceptions that another attempt would not change, by their classes' names."""
OWN = (TypeError, AttributeError, NameError, ImportError)
"""What no fault of others raises."""
REFUSED = (
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "Unable to locate credentials",
    "access key Id you provided does not exist",
    "signature we calculated does not match",
)
"""What S3 says of credentials that are wrong."""


class Dvc:
    """The data of one commit. Its client keeps nothing outside the folder for work."""

    def __init__(self, source: GitData, work: Path, target: Path) -> None:
        self._source, self._target = source, target
        self._checkout = Checkout(source, work)
        self._commit = ""
        os.environ.update(_environment(work))

    def once(self) -> Mapping[str, Any]:
        """Brings the data; what is told of them. Raises Failed and Again."""
        self._commit = self._commit or self._checkout.make()
        from dvc.fs import download  # type: ignore[import-not-found]
        from dvc.repo import Repo  # type: ignore[import-not-found]

        remote = self._source.remote or None
        try:
            with Repo.open(
                str(self._checkout.folder), subrepos=True, uninitialized=True, remote=remote
            ) as repo:
                return self._brought(repo.dvcfs, download)
        except (Failed, Again, *OWN):
            raise
        except Exception as error:
            raise self._fault(error) from None

    def _brought(self, files: Any, download: Callable[..., object]) -> Mapping[str, Any]:
        path = self._source.path
        self._check(files)
        found = files.info(f"/{path}")
        folder = found["type"] == "directory"
        target = self._target if folder else self._target / os.path.basename(path)
        target.parent.mkdir(exist_ok=True)
        download(files, f"/{path}", str(target))
        self._target.mkdir(exist_ok=True)
        for name in files.find(f"/{path}") if folder else (f"/{path}",):
            brought = target / os.path.relpath(name, f"/{path}") if folder else target
            if (wanted := _md5(files.info(name))) and wanted != _md5_of(brought):
                raise Again(f"{name} is not there as the commit has it, with md5 {wanted}")
        if md5 := found.get("md5"):
            digest = f"md5:{md5}"
        else:
            digest = f"git:{oid}" if (oid := self._checkout.object_at(path)) else ""
        return {"rev": self._commit, "digest": digest}

    def _check(self, files: Any) -> None:
        """Raises Failed unless the commit tells of the data, whether they are there or not."""
        for place in _above(self._source.path):
            try:
                info = files.info(f"/{place}")
            except FileNotFoundError:
                raise Failed(
                    f"{self._source.repo} at {self._commit[:12]} has no data {self._source.path}: "
                    "neither DVC nor Git tracks them there; correct path"
                ) from None
            if info.get("dvc_info", {}).get("isout"):
                return

    def _fault(self, error: Exception) -> Exception:
        """DVC's words, with those of their cause."""
        chain: list[BaseException] = [error]
        while (cause := chain[-1].__cause__ or chain[-1].__context__) and cause not in chain:
            chain.append(cause)
        names = {one.__name__ for link in chain for one in type(link).__mro__}
        told = ": ".join(filter(None, map(str, chain))) or type(error).__name__
        said = one_line(told, most=800)
        where = f"{self._source.path} at {self._commit[:12]}"
        if names & LASTING:
            return Failed(f"{where}: {said}; correct DVC's remote in the repository, or dvc.remote")
        remedy = "correct the Secret in dvc.remoteSecretName, or what its user may read"
        if any(words in said for words in REFUSED):
            return Failed(f"{where}: {said}; {remedy}")
        told = f"{where} cannot be had from DVC's remote (was dvc push forgotten?): {said}"
        # Who may not list a bucket is told the same of what is not there.
        return Again(f"{told}; {remedy}" if "403" in said else told)


def _above(path: str) -> Iterator[str]:
    """The folders that the path is in, the highest first, and the path."""
    parts = path.split("/")
    return ("/".join(parts[: n + 1]) for n in range(len(parts)))


def _md5(info: Mapping[str, Any]) -> str:
    """Of a file that DVC tracks by its bytes; earlier releases left line ends out."""
    entry = info.get("dvc_info", {}).get("entry")
    known = getattr(entry, "hash_info", None)
    return str(known.value) if known is not None and known.name == "md5" else ""


def _md5_of(file: Path) -> str:
    found = hashlib.md5(usedforsecurity=False)
    try:
        with file.open("rb") as opened:
            while chunk := opened.read(CHUNK):
                found.update(chunk)
    except FileNotFoundError:
        return ""
    return found.hexdigest()


def _environment(work: Path) -> Mapping[str, str]:
    own = work / "dvc"
    own.mkdir(exist_ok=True)
    (own / "config").write_text("[core]\n    analytics = false\n    check_update = false\n")
    return {
        "HOME": str(work),
        # Its user has no name in the image.
        "USER": "evenkeel",
        "TMPDIR": str(work),
        "DVC_NO_ANALYTICS": "true",
        "DVC_GLOBAL_CONFIG_DIR": str(own),
        "DVC_SYSTEM_CONFIG_DIR": str(own),
        "DVC_SITE_CACHE_DIR": str(own),
        "GIT_CONFIG_NOSYSTEM": "1",
    }
