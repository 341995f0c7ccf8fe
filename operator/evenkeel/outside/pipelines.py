"""What Kubeflow Pipelines is asked of a run, and what it answers.

A run is known by its display name, since creating one is not idempotent and takes no ID: whoever
wants one searches first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

KIND = "pipelines"

ENDED = frozenset(("SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"))
"""States that a run stays in."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where runs are looked for and made: an experiment by ID or by name, or the default one.

    namespace: the profile in which names are looked up, where there are several.
    """

    namespace: str = ""
    experiment_id: str = ""
    experiment_name: str = ""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Which pipeline, by ID or by name, and which version of it, the newest if neither is given.

    namespace: the profile whose pipeline of this name is meant, empty for a shared one.
    """

    id: str = ""
    version_id: str = ""
    name: str = ""
    version_name: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """What is to run.

    parameters: texts by name, which the pipeline has to declare. facts: those that are given where
    it declares them, and change nothing about which run it is.
    """

    pipeline: Pipeline
    parameters: tuple[tuple[str, str], ...] = ()
    facts: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    root: str = ""
    service_account: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Begin:
    """A run of this display name is to be there; it is made where there is none."""

    name: str
    place: Place
    run: Run


@dataclass(frozen=True, slots=True)
class Follow:
    """How the run with this ID stands; others of its display name are ended."""

    name: str
    place: Place
    run_id: str


@dataclass(frozen=True, slots=True)
class Stop:
    """No run of this display name is to go on. run_id: of the one that is known."""

    name: str
    place: Place
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Stands:
    """A run. state: empty where the server does not say. words: why it failed, as far as it says.

    version: ID of the pipeline's version. finished: when it ended (RFC 3339), if that is known.
    """

    run_id: str
    state: str
    words: str = ""
    version: str = ""
    finished: str = ""


@dataclass(frozen=True, slots=True)
class Gone:
    """There is no such run."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The run cannot be made as it is wanted; words: the server's."""

    words: str
