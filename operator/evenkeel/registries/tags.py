"""What a registry is told of its versions: how their rollouts went, as tags.

It is told beside the rollouts and after them; none waits for it, and none depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from evenkeel.api.base import GROUP
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modelregistry import ModelRegistry
from evenkeel.api.registration import RegisteredVersion
from evenkeel.meta.refusal import Refused
from evenkeel.outside.mlflow import KIND, Missing, Tag
from evenkeel.outside.poll import Poll, Sighting

TOLD_AGAIN = 3600.0
"""Seconds until it is looked whether a tag is still there."""
LATEST = 3
"""Ended rollouts whose versions are told of; older ones have been."""
Known = Mapping[str, RegisteredVersion]
LONGEST = 1000
"""Characters of a tag's value."""


def key(md: ModelDeployment) -> str:
    """The tag's name: several ModelDeployments may serve a version."""
    return f"{GROUP}/rollout.{md.metadata.namespace}.{md.metadata.name}"


def questions(
    md: ModelDeployment, registry: ModelRegistry, known: Known = MappingProxyType({})
) -> dict[str, Poll]:
    """By version what the registry is to be told; nothing where it is not to be written to.

    known: by ModelVersion what it is in its registry.
    """
    if not registry.spec.write_tags:
        return {}
    spec = registry.spec
    return {
        f"tag {version.registry} {version.name} {version.version}": Poll(
            KIND,
            spec.mlflow.url,
            Tag(
                version.name,
                version.version,
                key(md),
                value[:LONGEST],
                workspace=spec.mlflow.workspace or "",
            ),
            TOLD_AGAIN,
            spec.secret_name or "",
        )
        for version, value in _told(md, registry.metadata.name, known)
    }


def _told(
    md: ModelDeployment, registry: str, known: Known
) -> Iterator[tuple[RegisteredVersion, str]]:
    """What became of each version here, by the status."""
    found: dict[RegisteredVersion, str] = {}
    status = md.status
    stable, canary = status.stable, status.canary
    serves = None if stable is None else stable.registered or known.get(stable.version)
    for outcome in reversed(status.history[:LATEST]):
        version = outcome.registered or known.get(outcome.version)
        # Another revision of the version that serves (other resources, say) says nothing of it.
        beside = version == serves and outcome.outcome != "Promoted"
        if version is not None and not beside:
            text = f"{outcome.outcome} at {outcome.time}, revision {outcome.revision}"
            found[version] = f"{text}: {outcome.reason}: {outcome.message}"
    if stable is not None and serves is not None:
        found.setdefault(serves, f"Promoted, revision {stable.revision}: it serves")
    trial = None if canary is None else canary.registered or known.get(canary.version)
    if canary is not None and trial is not None and trial != serves:
        how = f"Progressing since {canary.start_time}"
        if canary.stage == "Probation":
            how = f"Promoted on probation at {canary.stage_time}"
        found[trial] = f"{how}, revision {canary.revision}"
    return ((v, text) for v, text in found.items() if v.registry == registry)


class Telling(NamedTuple):
    """Whether the registry knows how rollouts went.

    trouble: why not. known: how many versions were told of, of how many.
    """

    trouble: Refused | None
    known: int
    every: int


def telling(seen: Iterable[Sighting[object]]) -> Telling:
    """What the answers to `questions` come to."""
    sightings = list(seen)
    trouble = next(filter(None, map(_trouble, sightings)), None)
    known = sum(one.answer is not None and _trouble(one) is None for one in sightings)
    return Telling(trouble, known, len(sightings))


def _trouble(seen: Sighting[object]) -> Refused | None:
    if seen.failure is not None:
        return Refused(seen.failure.reason, seen.failure.message)
    if isinstance(seen.answer, Missing):
        return Refused(seen.answer.reason, seen.answer.words)
    return None
