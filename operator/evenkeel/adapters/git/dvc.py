"""What DVC writes into a repository: which data a commit has, in `PATH.dvc` or `dvc.lock`.

Source: https://dvc.org/doc/user-guide/project-structure.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml

LONGEST = 2**20
"""Bytes of a file that is read."""
QUICK = 2**16
"""Bytes that are read in a tenth of a second or so."""
ALGORITHMS = ("md5", "etag", "checksum")
"""Fields that may hold a hash, in the order of preference."""
HASH = 256
"""Characters of a hash."""
PATH = 1024
"""Characters of an output's path, with that of its folder."""
DIGITS = 18
"""Those of a number."""

# Every scalar stays a text: making numbers and merged mappings of them can take for ever.
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class NotDvc(ValueError):
    """The file is none of DVC's; the message says why."""


class Output(NamedTuple):
    """Data as DVC knows them. digest: such as md5:HASH."""

    digest: str
    size: int | None
    files: int | None


def places(path: str) -> Iterator[str]:
    """The files that may tell of the data, in the order in which they count."""
    yield f"{path}.dvc"
    folder = path
    while folder:
        folder = posixpath.dirname(folder)
        yield posixpath.join(folder, "dvc.lock")


def output(place: str, text: bytes, path: str) -> Output | None:
    """What the file at `place` says of the data at `path`; None if it says nothing of them.

    Raises NotDvc.
    """
    if len(text) > LONGEST:
        raise NotDvc(f"larger than {LONGEST // 1024} KiB")
    try:
        # With aliases a small file has more outputs than anybody can look through.
        if b"*" in text and any(
            isinstance(token, yaml.AliasToken) for token in yaml.scan(text, _LOADER)
        ):
            raise NotDvc("with aliases, which DVC does not write")
        found = yaml.load(text, _LOADER)
    except NotDvc:
        raise
    except (yaml.YAMLError, ValueError, RecursionError):
        raise NotDvc("no YAML") from None
    folder = posixpath.dirname(place)
    for base, out in _outs(found, folder, lock=posixpath.basename(place) == "dvc.lock"):
        named = out.get("path")
        if not isinstance(named, str) or len(base) + len(named) > PATH:
            continue
        if posixpath.normpath(posixpath.join(base, named)) == path:
            return _output(out)
    return None


def _outs(found: Any, folder: str, *, lock: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The outputs, each with the folder that its path begins in."""
    if not isinstance(found, dict):
        raise NotDvc("no mapping")
    stages = found.get("stages") if lock else {"": found}
    for stage in stages.values() if isinstance(stages, dict) else ():
        if not isinstance(stage, dict):
            continue
        base = folder
        if not lock and isinstance(stage.get("wdir"), str):
            base = posixpath.join(folder, stage["wdir"])
        outs = stage.get("outs")
        for out in outs if isinstance(outs, list) else ():
            if isinstance(out, dict):
                yield base, out


def _output(out: Mapping[str, Any]) -> Output:
    for algorithm in ALGORITHMS:
        found = out.get(algorithm)
        if isinstance(found, str) and found.isascii() and found.isprintable() and found:
            digest = f"{algorithm}:{found}"[:HASH]
            return Output(digest, _number(out.get("size")), _number(out.get("nfiles")))
    raise NotDvc(f"without a hash ({', '.join(ALGORITHMS)}); run dvc commit")


def _number(value: Any) -> int | None:
    plain = isinstance(value, str) and value.isascii() and value.isdecimal()
    return int(value) if plain and len(value) <= DIGITS else None
