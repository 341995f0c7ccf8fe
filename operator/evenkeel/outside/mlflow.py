"""What a model registry of MLflow 3 is asked, and what it answers."""

from __future__ import annotations

import re
from dataclasses import dataclass

KIND = "mlflow"

_URL = re.compile(r"(https?)://([^/:\[]+|\[[^\]]*\])(?::([0-9]*))?(/.*)?", re.IGNORECASE)
_PORTS = {"http": "80", "https": "443"}


def server(url: str) -> str:
    """A tracking server's base URL in its one spelling (RFC 3986, section 6.2), to compare it by.

    Scheme and host are in lower case, the scheme's own port is left out, dot segments are
    resolved, and no slash is at the end. What is no URL stays.
    """
    found = _URL.fullmatch(url)
    if found is None:
        return url
    scheme, host = found[1].lower(), found[2].lower().removesuffix(".")
    port = (found[3] or "").lstrip("0")
    segments: list[str] = []
    for segment in (found[4] or "").split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    named = f":{port}" if port and port != _PORTS[scheme] else ""
    return f"{scheme}://{host}{named}" + "".join(f"/{one}" for one in segments)


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether the registry answers, and takes the credentials. workspace: empty for the default."""

    workspace: str = ""


@dataclass(frozen=True, slots=True)
class Reached:
    """It does."""


@dataclass(frozen=True, slots=True)
class Which:
    """Which version of a registered model an alias means, or what a version is.

    Exactly one of alias and version is given. flavors: whether its MLmodel is to be read.
    """

    name: str
    alias: str = ""
    version: str = ""
    workspace: str = ""
    flavors: bool = True


@dataclass(frozen=True, slots=True)
class Tag:
    """A version is to have this tag; what it had under the key is overwritten."""

    name: str
    version: str
    key: str
    value: str
    workspace: str = ""


@dataclass(frozen=True, slots=True)
class Tagged:
    """It has it."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A version of a registered model.

    source: as it was registered, such as models:/m-ID. uri: where its artefacts are. run_id: of the
    run that made it, empty if none did. flavors: of its MLmodel, empty where that was not asked
    for. signed: whether that tells a signature. commit: of the code that the run was started from,
    empty if that is not told.
    """

    version: str
    source: str
    uri: str
    run_id: str = ""
    flavors: tuple[str, ...] = ()
    signed: bool = False
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """The registry has no such alias, version or MLmodel; words: its own."""

    reason: str
    words: str


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A version of a registered model is to be there once, made of `sources[0]` if it is not.

    mark: a tag whose value tells it from all others. sources: all ways in which the registry may
    call where its artefacts are; one that somebody else registered of them is taken as it. tags:
    further ones of what is made. run_id: of the run that made it, empty if none is known.
    """

    name: str
    mark: tuple[str, str]
    sources: tuple[str, ...]
    tags: tuple[tuple[str, str], ...] = ()
    run_id: str = ""
    description: str = ""
    workspace: str = ""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """It is there. version: its number."""

    version: str


@dataclass(frozen=True, slots=True)
class KeptAlias:
    """An alias is to mean this version of a registered model.

    settled: it was seen to mean it before, so that whoever moved it elsewhere since is let be.
    """

    name: str
    alias: str
    version: str
    settled: bool = False
    workspace: str = ""


@dataclass(frozen=True, slots=True)
class AliasMeans:
    """The version that an alias means now."""

    version: str


@dataclass(frozen=True, slots=True)
class LoggedBy:
    """What the run with this tag has logged, which has ended last of those that have finished.

    experiment: its name. model: the name of the model that is meant; empty where there is one.
    """

    experiment: str
    tag: tuple[str, str]
    model: str = ""
    workspace: str = ""


@dataclass(frozen=True, slots=True)
class Logged:
    """A run and its model.

    server: whose. uri: where the model's artefacts are. metrics: the newest value of each. data:
    names and digests of the datasets that it was trained on, as far as they are told. commit: of
    the code, empty if that is not told. workspace: empty for the default.
    """

    server: str
    experiment_id: str
    run_id: str
    model_id: str
    uri: str
    metrics: tuple[tuple[str, float], ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    data: tuple[tuple[str, str], ...] = ()
    commit: str = ""
    workspace: str = ""


@dataclass(frozen=True, slots=True)
class Unlogged:
    """No such run or model, so far; words: what is known of it."""

    words: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """It has logged too much to tell which model is meant; words: what, and what to do."""

    words: str
