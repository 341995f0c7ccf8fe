"""Which alias is moved to what serves, and who may move it."""

from __future__ import annotations

from datetime import UTC, datetime
from graphlib import TopologicalSorter
from typing import Any

import pytest
from evenkeel.api import ModelDeployment
from evenkeel.api.modelregistry import ModelRegistry
from evenkeel.api.registration import RegisteredVersion, ServedAlias
from evenkeel.meta.refusal import Refused
from evenkeel.outside.mlflow import AliasMeans, KeptAlias, Missing, server
from evenkeel.outside.poll import Failure, Sighting
from evenkeel.registries.aliases import (
    Claim,
    Kept,
    Place,
    kept,
    place,
    question,
    refusal,
    wanted,
)
from hypothesis import given
from hypothesis import strategies as st

JSON = dict[str, Any]
NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
TIME = "2026-01-31T09:00:00Z"
UNSEEN: Sighting[object] = Sighting()
ALIAS = ServedAlias(registry="mlflow", name="fraud", alias="champion")


def registry(url: str = "http://mlflow:5000", **mlflow: str) -> ModelRegistry:
    spec = {"mlflow": {"url": url, **mlflow}, "secretName": "mlflow"}
    return ModelRegistry.model_validate({"metadata": {"name": "mlflow"}, "spec": spec})


def of(version: int, name: str = "fraud", registry: str = "mlflow") -> RegisteredVersion:
    return RegisteredVersion(registry=registry, name=name, version=str(version))


def deployment(
    stable: JSON | None = None, settled: int | None = None, said: str = ""
) -> ModelDeployment:
    """said: the reason of AliasCurrent so far."""
    status: JSON = {"stable": stable} if stable else {}
    if settled is not None:
        status["servedAlias"] = {**of(settled).wire(), "alias": "champion", "time": TIME}
    if said:
        told = {"type": "AliasCurrent", "status": "False", "reason": said}
        status["conditions"] = [{**told, "lastTransitionTime": TIME}]
    return ModelDeployment.model_validate(
        {
            "metadata": {"name": "fraud", "namespace": "shop"},
            "spec": {"model": {"follow": "fraud"}, "servedAlias": ALIAS.wire()},
            "status": status,
        }
    )


def serving(version: int | None = None, ready: int = 1, **more: Any) -> JSON:
    found = {"revision": "fraud-1", "readyReplicas": ready, **more}
    return found if version is None else {**found, "registered": of(version).wire()}


def made(version: str) -> JSON:
    """By a ModelVersion."""
    return {**serving(), "version": version}


@pytest.mark.parametrize(
    ("stable", "settled", "expected"),
    [
        (serving(3), None, of(3)),
        (made("fraud-a"), None, of(7)),
        (serving(3, ready=0), None, "NoReadyPods"),
        (serving(3, ready=0), 3, of(3)),
        (serving(3, ready=0), 2, "NoReadyPods"),
        (None, 3, "NoRevision"),
        (made("fraud-b"), None, "NotRegistered"),
        (serving(), None, "NotRegistered"),
        (made("spam-a"), None, "ServesAnotherModel"),
        (made("other-a"), None, "ServesAnotherModel"),
    ],
)
def test_the_alias_is_to_mean_what_serves(
    stable: JSON | None, settled: int | None, expected: RegisteredVersion | str
) -> None:
    known = {"fraud-a": of(7), "spam-a": of(7, "spam"), "other-a": of(7, registry="other")}
    found = wanted(deployment(stable, settled), ALIAS, known)
    assert (found.reason if isinstance(found, Refused) else found) == expected


def test_what_is_asked() -> None:
    first = question(deployment(), ALIAS, of(3), registry(workspace="team-a"))
    assert (first.url, first.secret, first.interval) == ("http://mlflow:5000", "mlflow", 30.0)
    assert first.question == KeptAlias("fraud", "champion", "3", workspace="team-a")
    later = question(deployment(settled=3), ALIAS, of(3), registry())
    assert later.question == KeptAlias("fraud", "champion", "3", settled=True)
    another = question(deployment(settled=3), ALIAS, of(4), registry())
    assert another.question == KeptAlias("fraud", "champion", "4")


def outcome(found: Kept) -> tuple[str, str, str]:
    told = found.observation
    assert told.type == "AliasCurrent"
    return told.status, told.reason, found.status.version if found.status is not None else ""


def test_once_it_means_it() -> None:
    seen: Sighting[object] = Sighting(AliasMeans("3"), NOW, NOW)
    found = kept(deployment(), ALIAS, of(3), seen, NOW)
    assert outcome(found) == ("True", "AliasSet", "3")
    assert found.status is not None
    assert (found.status.alias, found.status.time) == ("champion", TIME)


def test_what_others_moved_is_let_be() -> None:
    seen: Sighting[object] = Sighting(AliasMeans("9"), NOW, NOW)
    found = kept(deployment(settled=3), ALIAS, of(3), seen, NOW)
    assert outcome(found) == ("False", "AliasMovedByOthers", "3")
    assert "to version 9, while version 3 serves" in found.observation.message


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (UNSEEN, "AwaitingRegistry"),
        (Sighting(failure=Failure("SourceAccessDenied", "403", NOW)), "SourceAccessDenied"),
        (Sighting(Missing("RegisteredVersionNotFound", "gone"), NOW), "RegisteredVersionNotFound"),
    ],
)
def test_why_it_does_not(seen: Sighting[object], reason: str) -> None:
    """What it meant before stays known, so that it is not taken for others' work."""
    assert outcome(kept(deployment(settled=2), ALIAS, of(3), seen, NOW))[1:] == (reason, "2")


def test_the_way_back_from_a_move_whose_answer_is_lost() -> None:
    """Version 4 is promoted while the registry takes the move and does not answer; then version 3
    serves again: the alias on 4 is the operator's own work, and no others'."""
    down: Sighting[object] = Sighting(failure=Failure("SourceUnavailable", "gone", NOW))
    for seen in (UNSEEN, down):
        moved = kept(deployment(settled=3), ALIAS, of(4), seen, NOW).status
        assert moved is not None
        assert (moved.version, moved.moving) == ("3", "4")
        back = deployment(settled=3)
        status = back.status.model_copy(update={"served_alias": moved})
        back = back.model_copy(update={"status": status})
        asked = question(back, ALIAS, of(3), registry()).question
        assert asked == KeptAlias("fraud", "champion", "3")
        again = kept(back, ALIAS, of(3), Sighting(AliasMeans("3"), NOW, NOW), NOW).status
        assert again is not None
        assert (again.version, again.moving) == ("3", "")


def test_another_alias_is_not_being_moved() -> None:
    """spec.servedAlias names another one by now, which is not known to be anything yet."""
    other = ServedAlias(registry="mlflow", name="fraud", alias="production")
    before = deployment(settled=3)
    assert kept(before, other, of(4), UNSEEN, NOW).status == before.status.served_alias


def test_a_registry_that_is_down_moves_nothing() -> None:
    down: Sighting[object] = Sighting(failure=Failure("SourceUnavailable", "gone", NOW))
    settled = deployment(settled=3)
    assert kept(settled, ALIAS, of(3), down, NOW).status == settled.status.served_alias
    refused = Refused("NoReadyPods", "none")
    assert kept(settled, ALIAS, refused, UNSEEN, NOW).status == settled.status.served_alias


def test_a_new_leader_knows_nothing_better_yet() -> None:
    known = deployment(settled=3, said="AliasMovedByOthers")
    assert outcome(kept(known, ALIAS, of(3), UNSEEN, NOW))[1] == "AliasMovedByOthers"
    assert outcome(kept(known, ALIAS, of(4), UNSEEN, NOW))[1] == "AwaitingRegistry"


def test_what_may_not_be_moved_is_looked_at_again() -> None:
    taken = kept(deployment(settled=3), ALIAS, Refused("AliasTaken", "by other"), UNSEEN, NOW)
    assert (outcome(taken), taken.again) == (("False", "AliasTaken", "3"), 30.0)
    waits = kept(deployment(), ALIAS, Refused("NoReadyPods", "none"), UNSEEN, NOW)
    assert (outcome(waits), waits.again) == (("Unknown", "NoReadyPods", ""), None)


def at(alias: str, name: str = "fraud") -> Place:
    return place(registry(), name, alias)


def claim(name: str, moves: str, follows: str = "", created: str = TIME) -> Claim:
    return Claim(name, created, at(moves), at(follows) if follows else None)


def refused(own: Claim, *others: Claim) -> str:
    every = (own, *others)
    found = refusal(
        own,
        (c for c in every if c.moves == own.moves),
        lambda alias: (c for c in every if c.follows == alias),
    )
    return found.reason if found is not None else ""


def test_an_alias_that_nobody_else_moves() -> None:
    assert refused(claim("a", "champion")) == ""
    assert refused(claim("a", "champion", "candidate")) == ""


def test_stages_follow_each_other() -> None:
    """What one promotes is the next one's candidate."""
    staging = claim("staging", "staged", "candidate")
    production = claim("production", "champion", "staged")
    assert refused(staging, production) == refused(production, staging) == ""


def test_the_alias_that_it_follows_itself() -> None:
    assert refused(claim("a", "champion", "champion")) == "AliasLoop"


def test_a_way_back_by_others() -> None:
    circle = [claim("a", "x", "z"), claim("b", "y", "x"), claim("c", "z", "y")]
    assert {refused(one, *circle) for one in circle} == {"AliasLoop"}
    outside = claim("d", "w", "x")
    assert refused(outside, *circle) == ""
    message = refusal(circle[0], (), lambda alias: (c for c in circle if c.follows == alias))
    assert message is not None
    assert "by way of b, c" in message.message


def test_two_names_of_one_registry_are_one_place() -> None:
    for url in (
        "http://mlflow:5000/",
        "HTTP://MLflow:5000",
        "http://mlflow.:05000",
        "http://mlflow:5000/./ml/..",
    ):
        assert place(registry(url), "fraud", "x") == at("x"), url
    assert place(registry("http://mlflow:5001"), "fraud", "x") != at("x")
    assert place(registry("https://mlflow:5000"), "fraud", "x") != at("x")
    assert place(registry(workspace="team-a"), "fraud", "x") != at("x")
    assert at("x", "spam") != at("x")


@pytest.mark.parametrize(
    ("url", "spelled"),
    [
        ("https://ML.example:443/Team/", "https://ml.example/Team"),
        ("http://ml.example:80", "http://ml.example"),
        ("http://ml.example:443", "http://ml.example:443"),
        ("http://ml.example:/a/../../b/.", "http://ml.example/b"),
        ("http://[FD00::1]:80/a//b", "http://[fd00::1]/a/b"),
        ("mlflow", "mlflow"),
    ],
)
def test_a_server_s_address_has_one_spelling(url: str, spelled: str) -> None:
    assert server(url) == server(server(url)) == spelled


def test_of_two_the_older_moves_it() -> None:
    old = claim("z", "champion", created="2026-01-01T00:00:00Z")
    young = claim("a", "champion")
    assert (refused(old, young), refused(young, old)) == ("", "AliasTaken")
    twin = claim("b", "champion")
    assert (refused(young, twin), refused(twin, young)) == ("", "AliasTaken")


ALIASES = st.sampled_from("uvwxyz")


@given(st.lists(st.tuples(ALIASES, ALIASES | st.just(""), st.sampled_from("12")), max_size=8))
def test_what_may_be_moved_goes_in_no_circle(drawn: list[tuple[str, str, str]]) -> None:
    claims = [claim(f"md-{i}", m, f, created) for i, (m, f, created) in enumerate(drawn)]
    moving = [one for one in claims if not refused(one, *(c for c in claims if c is not one))]
    assert len({one.moves for one in moving}) == len(moving), "each alias has one that moves it"
    edges: dict[Place, set[Place]] = {}
    for one in moving:
        if one.follows is not None:
            edges.setdefault(one.follows, set()).add(one.moves)
    TopologicalSorter(edges).prepare()  # Raises CycleError.
