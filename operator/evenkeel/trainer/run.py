"""What a run is told: the variables EVENKEEL_* of its container as one frozen value."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Data:
    """The data whose change caused the run, and its digest.

    Either commit `rev` of `repo` gave `path` that content, or the objects below `uri` changed; a
    new partition among them is named.
    """

    digest: str
    repo: str = ""
    rev: str = ""
    path: str = ""
    uri: str = ""
    partition: str = ""


@dataclass(frozen=True)
class Champion:
    """The version in production, to be judged on the same data: its name and its artefact."""

    name: str
    uri: str


@dataclass(frozen=True)
class Run:
    """Outside a run, as on a laptop, all is empty.

    uid: of the TrainingRun, the same in all of its attempts and never used again. cause: what the
    TrainingRun says in spec.cause. result_uri: where the report is read, if that is no
    termination message.
    """

    name: str
    uid: str
    model: str
    namespace: str
    cause: Mapping[str, Any]
    parameters: Mapping[str, str]
    data: Data | None
    champion: Champion | None
    result_uri: str


def this_run(environ: Mapping[str, str] = os.environ) -> Run:
    """The run that this process is part of. Raises ValueError for variables that are no JSON."""

    def told(name: str) -> str:
        return environ.get(f"EVENKEEL_{name}", "")

    data = Data(**{part.name: told(f"DATA_{part.name.upper()}") for part in fields(Data)})
    champion = Champion(told("CHAMPION"), told("CHAMPION_URI"))
    return Run(
        name=told("RUN"),
        uid=told("RUN_UID"),
        model=told("MODEL"),
        namespace=told("NAMESPACE"),
        cause=json.loads(told("CAUSE") or "{}"),
        parameters=json.loads(told("PARAMETERS") or "{}"),
        data=data if data.digest else None,
        champion=champion if champion.uri else None,
        result_uri=told("RESULT_URI"),
    )
