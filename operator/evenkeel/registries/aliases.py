"""Which alias is to mean what serves, whether it may be moved from here, and what it means.

It is stated as what is wanted, never as a move: whatever was missed, a promotion or the way back,
the next question makes good. What others moved is let be until another version serves, so that two
who move an alias never answer each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import ServedAliasStatus
from evenkeel.api.modelregistry import ModelRegistry
from evenkeel.api.registration import RegisteredVersion, ServedAlias
from evenkeel.meta.conditions import Observation, find
from evenkeel.meta.refusal import Refused
from evenkeel.meta.times import timestamp
from evenkeel.outside.mlflow import KIND, AliasMeans, KeptAlias, Missing, server
from evenkeel.outside.poll import Poll, Sighting

TYPE = "AliasCurrent"
CLAIMED = ("AliasLoop", "AliasTaken")
"""Why others stand against moving it; they may go, or change."""
LOOK_AGAIN = 30.0
FARTHEST = 64
"""Aliases that are looked at for the way back to one."""


class Place(NamedTuple):
    """One alias, whatever the ModelRegistry is called by which it is reached."""

    url: str
    workspace: str
    name: str
    alias: str


class Claim(NamedTuple):
    """A ModelDeployment that moves an alias, and the one that it follows, if any.

    created: when it was, RFC 3339.
    """

    deployment: str
    created: str
    moves: Place
    follows: Place | None = None


class Kept(NamedTuple):
    """What an alias means. status: the version that it was seen to mean as it should.

    again: seconds until it is worth another look, though nothing changes here.
    """

    status: ServedAliasStatus | None
    observation: Observation
    again: float | None = None


def place(registry: ModelRegistry, name: str, alias: str) -> Place:
    """Where the alias is."""
    mlflow = registry.spec.mlflow
    return Place(server(mlflow.url), mlflow.workspace or "", name, alias)


def refusal(
    own: Claim, rivals: Iterable[Claim], followers: Callable[[Place], Iterable[Claim]]
) -> Refused | None:
    """Why the alias is not moved from here.

    rivals: others that move it. followers: those that follow an alias and move another.
    """
    alias = f"alias {own.moves.alias} of {own.moves.name}"
    if (back := _way_back(own, followers)) is not None:
        by = f", by way of {', '.join(back)}" if back else ""
        return Refused(
            "AliasLoop",
            f"moving {alias} would move the alias that this ModelDeployment follows{by}: each "
            "promotion would be the next one's cause; name another alias in spec.servedAlias",
        )
    first = min((own, *rivals), key=lambda claim: (claim.created, claim.deployment))
    if first.deployment == own.deployment:
        return None
    return Refused(
        "AliasTaken",
        f"ModelDeployment {first.deployment}, which is older, moves {alias}; name another alias in "
        "spec.servedAlias, or take it out there",
    )


def _way_back(own: Claim, followers: Callable[[Place], Iterable[Claim]]) -> tuple[str, ...] | None:
    """The ModelDeployments by which a move comes back to what `own` follows; None if it does
    not."""
    reached: dict[Place, tuple[str, ...]] = {own.moves: ()}
    waiting = [own.moves]
    while waiting and len(reached) <= FARTHEST:
        here = waiting.pop(0)
        if here == own.follows:
            return reached[here]
        for claim in followers(here):
            if claim.moves not in reached:
                reached[claim.moves] = (*reached[here], claim.deployment)
                waiting.append(claim.moves)
    return None


def wanted(
    md: ModelDeployment, alias: ServedAlias, known: Mapping[str, RegisteredVersion]
) -> RegisteredVersion | Refused:
    """The version that the alias is to mean. known: by ModelVersion what it is in its registry."""
    stable = md.status.stable
    if stable is None:
        return Refused("NoRevision", "no revision serves yet")
    serves = stable.registered or known.get(stable.version)
    if serves is None:
        which = f"ModelVersion {stable.version}" if stable.version else "a model by uri"
        return Refused(
            "NotRegistered",
            f"{which} serves, which is in no registry (yet); set spec.registration in what makes "
            "its versions",
        )
    if (serves.registry, serves.name) != (alias.registry, alias.name):
        return Refused(
            "ServesAnotherModel",
            f"version {serves.version} of {serves.name} in ModelRegistry {serves.registry} serves; "
            f"spec.servedAlias is of {alias.name} in {alias.registry}",
        )
    if not stable.ready_replicas and not _settled(md, alias, serves):
        return Refused("NoReadyPods", "no pod of the revision that serves has been ready yet")
    return serves


def question(
    md: ModelDeployment, alias: ServedAlias, version: RegisteredVersion, registry: ModelRegistry
) -> Poll:
    """What the registry is asked for an alias that may be moved."""
    spec = registry.spec
    return Poll(
        KIND,
        spec.mlflow.url,
        KeptAlias(
            alias.name,
            alias.alias,
            version.version,
            settled=_settled(md, alias, version),
            workspace=spec.mlflow.workspace or "",
        ),
        float(spec.interval_seconds),
        spec.secret_name or "",
    )


def _settled(md: ModelDeployment, alias: ServedAlias, version: RegisteredVersion) -> bool:
    """Whether it was seen to mean the version, since that serves, and was not moved since."""
    before = md.status.served_alias
    return (
        before is not None
        and not before.moving
        and before.alias == alias.alias
        and before.identity == version.identity
    )


def _same_alias(before: ServedAliasStatus, alias: ServedAlias) -> bool:
    known = (before.registry, before.name, before.alias)
    return known == (alias.registry, alias.name, alias.alias)


def kept(
    md: ModelDeployment,
    alias: ServedAlias,
    version: RegisteredVersion | Refused,
    seen: Sighting[object],
    now: datetime,
) -> Kept:
    """What the alias means. version: the one that it is to mean, or why it is not moved.

    seen: the answer to `question`, where that is asked.
    """
    before = md.status.served_alias
    if isinstance(version, Refused):
        claimed = version.reason in CLAIMED
        return Kept(before, _told(version), again=LOOK_AGAIN if claimed else None)
    settled = _settled(md, alias, version)
    if before is not None and not settled and _same_alias(before, alias):
        # Should the answer be lost, the way back is not taken for others' work.
        before = before.model_copy(update={"moving": version.version})
    fault = _fault(alias, version, seen)
    if fault is not None:
        return Kept(before, _told(fault))
    what = f"alias {alias.alias} of {alias.name} in ModelRegistry {alias.registry}"
    text = f"{what} is version {version.version}, which serves"
    if isinstance(seen.answer, AliasMeans):
        if not settled:
            time = timestamp(seen.since or now)
            before = ServedAliasStatus(**dict(version.identity), alias=alias.alias, time=time)
        return Kept(before, Observation(TYPE, "True", "AliasSet", text))
    if settled and (told := find(md.status.conditions, TYPE)) is not None:
        # A process that has just begun to lead knows nothing better yet.
        return Kept(before, told.observation)
    text = f"{what} is to be version {version.version}; the registry has not answered yet"
    return Kept(before, Observation(TYPE, "Unknown", "AwaitingRegistry", text))


def _fault(
    alias: ServedAlias, version: RegisteredVersion, seen: Sighting[object]
) -> Refused | None:
    """Why the alias does not mean the version."""
    if seen.failure is not None:
        return Refused(seen.failure.reason, f"{seen.failure.message}; it is tried again")
    if isinstance(seen.answer, Missing):
        return Refused(seen.answer.reason, seen.answer.words)
    if isinstance(seen.answer, AliasMeans) and seen.answer.version != version.version:
        return Refused(
            "AliasMovedByOthers",
            f"somebody else has moved alias {alias.alias} of {alias.name} to version "
            f"{seen.answer.version}, while version {version.version} serves; it is left there "
            "until another version serves: move it back or delete it to have it set again",
        )
    return None


def _told(why: Refused) -> Observation:
    waits = why.reason in ("NoRevision", "NoReadyPods", "NotRegistered")
    return Observation(TYPE, "Unknown" if waits else "False", why.reason, why.message)
