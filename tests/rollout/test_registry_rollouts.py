"""A model of a registry through moves of its alias, outages, losses and restarts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from evenkeel.api.modeldeploymentstatus import ServedAliasStatus
from evenkeel.api.modelregistry import ModelRegistry
from evenkeel.api.record import RECORD
from evenkeel.controllers.modeldeployment.registered import with_resolution
from evenkeel.controllers.modeldeployment.snapshot import DeploymentSnapshot
from evenkeel.meta.conditions import Observation, find
from evenkeel.meta.refusal import Refused
from evenkeel.outside.mlflow import Missing, Registered
from evenkeel.outside.poll import Failure, Sighting
from evenkeel.registries.aliases import Kept
from evenkeel.registries.resolution import resolve
from evenkeel.registries.tags import Telling
from evenkeel.serving import model_source

from tests.support.rollout_world import INDICATORS, World

JSON = dict[str, Any]
REGISTRY = ModelRegistry.model_validate(
    {"metadata": {"name": "mlflow"}, "spec": {"mlflow": {"url": "http://mlflow:5000"}}}
)
ALIAS = {"registry": {"registry": "mlflow", "name": "fraud", "alias": "champion"}}
GONE = Missing("AliasNotFound", "Registered model alias champion not found.")


def version(number: int) -> Registered:
    return Registered(
        str(number), f"models:/m-{number}", f"s3://m/{number}", "", ("python_function",)
    )


@dataclass
class Followed(World):
    """answer: what the registry says. down: whether it fails. asked: since the process leads."""

    registry: ModelRegistry | None = REGISTRY
    answer: Registered | Missing | None = None
    down: bool = False
    asked: bool = True
    told: Telling | None = None
    alias: Kept | None = None

    def snapshot(self) -> DeploymentSnapshot:
        made = super().snapshot()
        md = made.deployment
        failure = Failure("SourceUnavailable", "http://mlflow:5000: refused", self.now)
        seen: Sighting[object] = Sighting()
        if self.asked:
            answer = self.answer
            since = None if answer is None else self.now
            seen = Sighting(answer, since, since, failure if self.down else None)
        found = resolve(md.spec.model, self.registry, md.status.registry, seen, self.now)
        target = model_source.resolve(md.spec.model, (), 0, registered=found.model)
        return replace(
            made,
            deployment=with_resolution(md, found),
            target=target,
            registry=found,
            told=self.told,
            alias=self.alias,
        )

    def condition(self, type_: str) -> tuple[str, str]:
        found = find(self.md.status.conditions, type_)
        assert found is not None
        return found.status, found.reason

    def time_of(self) -> str:
        found = self.md.status.registry
        assert found is not None
        return found.time

    def serves(self) -> str:
        stable = self.md.status.stable
        assert stable is not None
        assert stable.registered is not None
        return f"{stable.registered.version} {stable.uri}"

    def trial(self) -> str:
        canary = self.md.status.canary
        return canary.registered.version if canary is not None and canary.registered else ""

    def live(self, looks: int = 12) -> None:
        for _ in range(looks):
            self.pods_ready()
            self.settle()
            self.pass_time(5)
        self.settle()


def followed(**more: Any) -> Followed:
    return Followed(
        {
            "model": ALIAS,
            "replicas": 2,
            "rollout": {"steps": [{"weight": 50}], "scaleDownDelaySeconds": 1},
            "analysis": {"indicators": list(INDICATORS)},
            **more,
        },
        requests=400,
    )


def serving(number: int = 1) -> Followed:
    world = followed()
    world.answer = version(number)
    world.live(2)
    assert world.serves() == f"{number} s3://m/{number}"
    return world


def test_until_the_registry_answers_nothing_is_made() -> None:
    world = followed()
    world.settle()
    assert not world.pods
    assert world.condition("Ready") == ("Unknown", "AwaitingRegistry")
    world.down = True
    world.settle()
    assert world.condition("Ready") == ("Unknown", "SourceUnavailable")
    world.down, world.answer = False, GONE
    world.settle()
    assert world.condition("Ready") == ("Unknown", "AliasNotFound")
    world.answer = version(1)
    world.live(2)
    assert world.serves() == "1 s3://m/1"
    assert world.condition("Ready") == ("True", "Serving")
    assert world.condition("RegistryRead") == ("True", "RegistryAnswered")
    assert world.status["registry"]["format"] == {"name": "mlflow"}


def test_a_model_without_a_signature_is_served_and_told_of() -> None:
    world = serving()
    read = find(world.md.status.conditions, "RegistryRead")
    assert read is not None
    assert "it has no signature" in read.message
    world.answer = replace(version(2), signed=True)
    world.live()
    read = find(world.md.status.conditions, "RegistryRead")
    assert read is not None
    assert read.message == f"version 2 of fraud by alias champion, since {world.time_of()}"


def test_what_the_registry_is_told_never_holds_a_rollout_up() -> None:
    world = serving()
    assert find(world.md.status.conditions, "RegistryTold") is None
    world.told = Telling(None, 0, 1)
    world.settle()
    assert world.condition("RegistryTold") == ("Unknown", "AwaitingRegistry")
    world.told = Telling(Refused("SourceAccessDenied", "answered 403"), 0, 1)
    world.answer = version(2)
    world.live()
    assert world.serves() == "2 s3://m/2"
    assert world.condition("RegistryTold") == ("False", "SourceAccessDenied")
    assert world.condition("Ready") == ("True", "Serving")
    world.told = Telling(None, 2, 2)
    world.settle()
    before = world.status
    world.told = Telling(None, 0, 2)
    world.reconcile()
    assert world.status == before, "a restart writes nothing"
    assert world.condition("RegistryTold") == ("True", "VersionsTagged")


def test_a_moved_alias_goes_out_as_a_canary() -> None:
    world = serving()
    world.answer = version(2)
    world.settle()
    assert (world.serves(), world.trial()) == ("1 s3://m/1", "2")
    world.live()
    assert world.serves() == "2 s3://m/2"
    (promoted,) = world.md.status.history
    assert promoted.outcome == "Promoted"
    assert promoted.registered is not None
    assert promoted.registered.wire() == {"registry": "mlflow", "name": "fraud", "version": "2"}


def test_two_versions_with_the_same_artefacts_are_two_revisions() -> None:
    world = serving()
    world.answer = replace(version(1), version="2")
    world.live()
    assert world.serves() == "2 s3://m/1"


def test_of_moves_during_a_canary_the_last_one_counts() -> None:
    world = serving()
    for number in (2, 3, 4):
        world.answer = version(number)
        world.settle()
        assert world.trial() == str(number)
    assert [o.outcome for o in world.md.status.history] == ["Superseded", "Superseded"]
    world.answer = version(1)
    world.settle()
    assert (world.serves(), world.trial()) == ("1 s3://m/1", "")
    world.answer = version(4)
    world.live()
    assert world.serves() == "4 s3://m/4"


def test_a_bad_version_goes_back_and_is_not_tried_again_while_the_alias_stays() -> None:
    world = serving()
    world.quality["s3://m/2"] = 0.5
    world.answer = version(2)
    world.live()
    assert (world.serves(), world.trial()) == ("1 s3://m/1", "")
    assert world.condition("RolloutHealthy") == ("False", "RolledBack")
    assert world.condition("RegistryRead") == ("True", "RegistryAnswered")
    assert len(world.md.status.history) == 1
    world.answer = version(3)
    world.live()
    assert world.serves() == "3 s3://m/3"


def test_whatever_the_registry_loses_nothing_is_rolled_back() -> None:
    world = serving()
    before = world.state()
    world.down = True
    world.live()
    assert world.condition("RegistryRead") == ("False", "SourceUnavailable")
    world.down, world.answer = False, GONE
    world.live()
    assert world.condition("RegistryRead") == ("False", "AliasNotFound")
    world.registry = None
    world.live()
    assert world.condition("RegistryRead") == ("False", "RegistryNotFound")
    assert world.condition("Ready") == ("True", "Serving")
    assert world.condition("ModelResolved")[0] == "True"
    assert world.state() == before
    assert world.md.status.history == ()


def test_an_outage_in_mid_rollout_does_not_stop_it() -> None:
    world = serving()
    world.answer = version(2)
    world.settle()
    world.down, world.answer = True, None
    world.live()
    assert world.serves() == "2 s3://m/2"


def test_while_the_registry_is_down_other_changes_go_out() -> None:
    world = serving()
    world.down, world.answer = True, None
    world.edit(env=[{"name": "A", "value": "1"}])
    world.live()
    assert [o.outcome for o in world.md.status.history] == ["Promoted"]
    assert world.serves() == "1 s3://m/1"


def test_a_restart_writes_nothing_before_the_registry_has_answered() -> None:
    for down in (False, True):
        world = serving()
        world.down = down
        world.live()
        before = (world.status, world.state())
        world.asked = False
        world.reconcile()
        assert (world.status, world.state()) == before


def test_a_lost_status_is_made_good_while_the_registry_is_down() -> None:
    for children in (False, True):
        world = serving()
        world.answer = version(2)
        world.live()
        assert RECORD in world.annotations
        world.down, world.answer = True, None
        world.restore(children=children)
        world.live()
        assert world.serves() == "2 s3://m/2"
        assert world.condition("Ready") == ("True", "Serving")
        assert {o.outcome for o in world.md.status.history} == {"Promoted"}


def test_the_record_has_what_the_alias_was_set_to() -> None:
    """So that after a restore it is not set again over what others have moved."""
    alias = {"registry": "mlflow", "name": "fraud", "alias": "champion", "version": "1"}
    kept = ServedAliasStatus.model_validate({**alias, "time": "2026-01-31T09:00:00Z"})
    world = serving()
    world.alias = Kept(kept, Observation("AliasCurrent", "True", "AliasSet"))
    world.live()
    world.restore(children=False)
    assert world.md.status.served_alias == kept


def test_a_first_version_that_was_never_on_trial_is_recorded_too() -> None:
    world = serving()
    world.down, world.answer = True, None
    world.restore(children=False)
    world.live()
    assert world.serves() == "1 s3://m/1"


def test_other_words_do_not_serve_what_the_former_ones_meant() -> None:
    world = serving()
    world.answer = None
    world.edit(model={"registry": {"registry": "mlflow", "name": "spam", "alias": "champion"}})
    world.live()
    assert world.serves() == "1 s3://m/1"
    assert world.condition("Ready") == ("Unknown", "AwaitingRegistry")
    world.answer = version(7)
    world.live()
    assert world.serves() == "7 s3://m/7"
    assert world.status["registry"]["name"] == "spam"


def refused(world: Followed, number: int) -> None:
    """A version's pods are refused until its trial ends."""
    world.answer = version(number)
    world.settle()
    canary = world.md.status.canary
    assert canary is not None
    world.pods[canary.revision].refused = "exceeded quota"
    while world.trial():
        world.pods_ready()
        world.pods[canary.revision].ready = 0
        world.pass_time(60)
        world.settle()
    last = world.md.status.history[0]
    assert (last.outcome, last.cause) == ("RolledBack", "Infrastructure")


def test_a_faulty_node_is_no_fault_of_the_version() -> None:
    """It is tried again by itself, as the versions that `follow` finds are."""
    world = serving()
    refused(world, 2)
    world.pass_time(700)
    world.settle()
    assert world.trial() == "2"


@pytest.mark.parametrize("stage", ["Probation", "Returning"])
def test_a_version_that_waits_is_tried_once_it_may_be_though_another_has_taken_over(
    stage: str,
) -> None:
    world = serving()
    world.edit_rollout(probation={"seconds": 86400})
    refused(world, 2)
    world.answer = version(3)
    world.live()
    assert world.md.status.canary is not None
    if stage == "Returning":
        world.edit_rollout(abort=world.md.status.canary.revision)
        world.settle()
    world.answer = version(2)
    wait = world.settle().requeue_after
    assert (world.md.status.canary.stage, world.trial()) == (stage, "3")
    if stage == "Returning":
        world.pods_ready()
        wait = world.settle().requeue_after
    assert wait is not None
    assert 400 < wait <= 600
    world.pass_time(int(wait) + 1)
    world.settle()
    assert world.trial() == "2"
