"""Steps in which stable's meters copy requests to the canary, and division by a header."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from evenkeel.controllers.looks.wanted import Asked, Told
from evenkeel.controllers.modeldeployment.wanted_looks import canary_share, wanted_looks
from evenkeel.rollout.probation import not_awaited
from evenkeel.verdict.samples import Unobserved
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.rollout_world import ALL_AND_BAD, Crash, World, run

A, B = ({"uri": f"s3://m/{m}", "format": {"name": "sklearn"}} for m in "ab")
ERRORS = {"name": "errors", **ALL_AND_BAD}
PAIRED = {"name": "paired-errors", "source": "Pairs"}
MIRROR = {"mirror": {"percent": 50}}
BY_USER = {"affinity": {"header": {"name": "X-User-Id"}}}


def world(*steps: dict[str, Any], **spec: Any) -> World:
    w = World(
        {
            "model": A,
            "replicas": 2,
            "monitoring": {},
            "rollout": {"steps": list(steps)},
            "analysis": {"indicators": [ERRORS, PAIRED]},
            **spec,
        }
    )
    return run(w, 20)


def on_trial(w: World) -> World:
    w.edit(model=B)
    for _ in range(4):
        w.settle()
        w.pods_ready()
    return w


def names(w: World) -> tuple[str, str]:
    status = w.md.status
    assert status.stable is not None
    assert status.canary is not None
    return status.stable.revision, status.canary.revision


def test_stables_meters_are_told_whom_to_copy_to() -> None:
    w = on_trial(world(MIRROR))
    stable, canary = names(w)
    expected = {"percent": 50, "url": f"http://{canary}.shop.svc:80", "revision": canary}
    assert w.division(stable) == {"mirror": expected}
    assert w.division(canary) == {}
    assert w.others["Service", "fraud"]["spec"]["selector"]["evenkeel.dev/revision"] == stable
    assert w.others["Service", canary]["spec"]["selector"]["evenkeel.dev/revision"] == canary


def test_a_pod_that_comes_later_is_told_too() -> None:
    w = on_trial(world(MIRROR))
    stable, _ = names(w)
    w.edit(replicas=3)
    w.settle()
    assert {f"{stable}-{n}" for n in range(3)} <= w.marks.keys()


def test_no_more_is_copied_than_the_canarys_pods_carry() -> None:
    w = on_trial(world({"mirror": {"percent": 100}, "replicas": 1}))
    stable, _ = names(w)
    assert w.division(stable)["mirror"]["percent"] == 50
    assert canary_share(w.md, w.md.status) == pytest.approx(1 / 3)
    found = w.md.status.canary
    assert found is not None
    assert "of which the step's 1 pods carry 50 %" in found.message


def test_what_is_told_is_not_written_again() -> None:
    w = on_trial(world(MIRROR))
    assert w.reconcile().marks == ()


def test_a_good_canary_is_promoted_by_pairs_and_nobody_is_told_any_more() -> None:
    w = on_trial(world(MIRROR))
    _, canary = names(w)
    run(w, 200)
    status = w.md.status
    assert status.canary is None
    assert status.stable is not None
    assert status.stable.revision == canary
    assert [told for told in w.marks.values() if told] == []
    run(w, 60)
    assert ("Service", canary) not in w.others


def test_a_canary_that_fails_on_copies_goes_back_and_no_client_saw_it() -> None:
    w = on_trial(world(MIRROR))
    stable, canary = names(w)
    w.quality = {"s3://m/b": 0.3}
    run(w, 40)
    last = w.md.status.history[0]
    assert (last.revision, last.outcome, last.reason) == (canary, "RolledBack", "WorseThanStable")
    assert w.division(stable) == {}
    assert w.pods[stable].bad == 0


def test_pairs_count_while_a_canary_grows_for_its_promotion() -> None:
    w = on_trial(world(MIRROR))
    stable, canary = names(w)
    for _ in range(100):
        w.pass_time(2)
        w.settle()
        if (now := w.md.status.canary) is None or now.stage == "Promoting":
            break
    assert now is not None
    assert w.division(stable)["mirror"]["revision"] == canary, "it still gets copies"
    assert isinstance(asked(w), Asked)
    assert canary_share(w.md, w.md.status) == pytest.approx(1 / 3)


def test_pairs_are_no_part_of_a_step_with_a_weight() -> None:
    w = on_trial(world(MIRROR, {"weight": 50}))
    _, canary = names(w)
    while (now := w.md.status.canary) is not None and now.exposure == "Mirror":
        run(w, 5)
    assert now is not None
    assert w.division(names(w)[0]) == {}
    pairs = w.pairs[canary]
    run(w, 200)
    assert w.pairs[canary] == pairs
    stable = w.md.status.stable
    assert stable is not None
    assert stable.revision == canary


def asked(w: World) -> Asked | Told | Unobserved:
    found = wanted_looks(w.md, w.snapshot().runtime, frozenset())
    assert found is not None
    return found.asked["paired-errors"]


def test_pairs_are_asked_for_while_there_are_any() -> None:
    w = on_trial(world(MIRROR, {"weight": 50}))
    stable, canary = names(w)
    assert not_awaited(w.md) == frozenset()
    found = asked(w)
    assert isinstance(found, Asked)
    assert found.stable is not None
    assert f'shadow="{canary}"' in found.canary.total
    assert stable in found.canary.total
    while w.md.status.canary is not None and w.md.status.canary.exposure == "Mirror":
        run(w, 5)
    assert not_awaited(w.md) == {"paired-errors"}
    assert asked(w) == Told(None)


def test_a_probation_does_not_wait_for_pairs() -> None:
    w = world(MIRROR)
    w.edit_rollout(probation={"seconds": 60})
    w = on_trial(w)
    _, canary = names(w)
    run(w, 100)
    assert w.md.status.canary is not None
    assert w.md.status.canary.stage == "Probation"
    w.tallies = {}
    run(w, 100)
    assert w.md.status.canary is None
    assert w.md.status.stable is not None
    assert w.md.status.stable.revision == canary


def test_pods_whose_meter_cannot_be_told_hold_the_trial() -> None:
    w = world(MIRROR)
    assert w.md.status.stable is not None
    w.blind = frozenset({w.md.status.stable.revision})
    run(on_trial(w), 60)
    stable, canary = names(w)
    found = w.md.status.canary
    assert found is not None
    assert (found.stage, found.reason, found.mirror) == ("Starting", "DivisionNotShown", 0)
    assert "promote this revision by hand" in found.message
    assert w.division(stable) == {}
    w.edit_rollout(promote=canary)
    run(w, 30)
    assert w.md.status.canary is None


def test_a_header_leaves_services_alone_and_tells_the_meters_its_share() -> None:
    w = on_trial(world({"weight": 25}, traffic=BY_USER, analysis={"indicators": [ERRORS]}))
    stable, canary = names(w)
    found = w.md.status.canary
    assert found is not None
    assert (found.weight, found.traffic_weight) == (25, 25)
    share = w.division(stable)["share"]
    assert (share["percent"], share["header"], share["revision"]) == (25, "X-User-Id", canary)
    assert w.others["Service", "fraud"]["spec"]["selector"]["evenkeel.dev/revision"] == stable
    assert canary_share(w.md, w.md.status) == 0.25
    run(w, 300)
    assert w.md.status.canary is None
    assert [told for told in w.marks.values() if told] == []


@pytest.mark.parametrize("gateway", [{}, {"gateway": {"parentRefs": [{"name": "g"}]}}])
def test_a_header_keeps_no_canary_from_helping_out_where_stable_has_no_pod(
    gateway: dict[str, Any],
) -> None:
    traffic = {**BY_USER, **gateway}
    w = on_trial(world({"weight": 25}, traffic=traffic, analysis={"indicators": [ERRORS]}))
    stable, canary = names(w)
    w.pods[stable].ready = 0
    w.settle()
    assert w.division(stable) == {}
    if gateway:
        (rule,) = w.others["HTTPRoute", "fraud"]["spec"]["rules"]
        shares = [(b["name"], b["weight"]) for b in rule["backendRefs"]]
        assert shares == [(stable, 75), (canary, 25)]
    else:
        assert "evenkeel.dev/revision" not in w.others["Service", "fraud"]["spec"]["selector"]
        assert canary_share(w.md, w.md.status) == 1.0
    w.pods_ready()
    w.settle()
    assert w.division(stable)["share"]["percent"] == 25


def test_a_header_at_a_gateway_sends_all_to_stable() -> None:
    traffic = {**BY_USER, "gateway": {"parentRefs": [{"name": "g"}]}}
    w = on_trial(world({"weight": 25}, traffic=traffic, analysis={"indicators": [ERRORS]}))
    stable, _ = names(w)
    (rule,) = w.others["HTTPRoute", "fraud"]["spec"]["rules"]
    assert [(b["name"], b["weight"]) for b in rule["backendRefs"]] == [(stable, 100)]
    assert w.division(stable)["share"]["percent"] == 25


def test_a_header_holds_where_stables_meters_know_nothing_of_it() -> None:
    w = world({"weight": 25}, traffic=BY_USER, analysis={"indicators": [ERRORS]})
    assert w.md.status.stable is not None
    w.blind = frozenset({w.md.status.stable.revision})
    run(on_trial(w), 60)
    found = w.md.status.canary
    assert found is not None
    assert (found.reason, found.weight) == ("DivisionNotShown", 0)
    assert "remove traffic.affinity.header" in found.message


def test_the_canarys_share_of_copies_is_of_what_both_are_asked() -> None:
    w = on_trial(world(MIRROR))
    assert canary_share(w.md, w.md.status) == pytest.approx(1 / 3)


def test_an_outage_of_prometheus_promotes_nobody() -> None:
    w = on_trial(world(MIRROR))
    w.answers = "down"
    run(w, 200)
    assert w.md.status.canary is not None


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=25))
def test_crashes_at_any_write_leave_no_pod_told_after_the_trial(crashes: list[int]) -> None:
    w = world(MIRROR)
    w.edit(model=B)
    w.quality = {"s3://m/b": 0.3}
    for write in crashes:
        with suppress(Crash):
            w.reconcile(crash_after=write)
        w.pods_ready()
        w.pass_time(2)
    run(w, 120)
    assert w.md.status.canary is None
    assert w.md.status.history[0].outcome == "RolledBack"
    assert [told for told in w.marks.values() if told] == []
