"""The simulated autoscaler gives as many pods as the requests need."""

from __future__ import annotations

from random import Random

from bench.conditions.autoscaler import desired
from bench.conditions.fleet import Member, Model
from bench.conditions.servers import Pod, Server


def model(*rates: float) -> Model:
    made = Model("ns", "m", 300.0, 100.0, {}, Random(1))
    for index, rate in enumerate(rates):
        pod = Pod("ns", f"p{index}", "m", Server(), "mlserver", Random(1), rate=rate)
        made.members[pod.name] = Member(pod, {}, "m-1", "stable")
    return made


def test_pods_follow_the_requests_of_their_own_deployment() -> None:
    busy = model(150.0, 150.0)
    assert desired(busy, "m-1", 2, 2, 10) == 4
    assert desired(busy, "m-2", 2, 2, 10) == 2


def test_its_bounds_hold() -> None:
    busy = model(150.0, 150.0)
    assert desired(busy, "m-1", 2, 2, 3) == 3
    assert desired(busy, "m-1", 2, 6, 10) == 6


def test_pods_are_not_taken_away_while_it_waits() -> None:
    assert desired(model(1.0), "m-1", 5, 1, 10) == 5
