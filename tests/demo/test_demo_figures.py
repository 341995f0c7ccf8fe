"""What the demonstration makes of Prometheus' samples and of two snapshots."""

from __future__ import annotations

from typing import Any

import pytest

from demo import measures
from demo.world import Count, Figures, Snapshot, figures, weights

SERVICE = "httproute-demo-elec2-gw-traefik-demo-ep-web-0-2ff21ea7-svc-demo-{}-{}@kubernetesgateway"


def sample(name: str, value: str, **labels: str) -> dict[str, Any]:
    return {"metric": {"__name__": name, **labels}, "value": [0, value]}


def test_samples_become_counts_by_good_and_bad() -> None:
    seen = figures(
        [
            sample("demo_requests_total", "90", code="200"),
            sample("demo_requests_total", "7", code="500"),
            sample("demo_requests_total", "3", code="error"),
            sample("evenkeel_labels_total", "40", result="good"),
            sample("evenkeel_labels_total", "10", result="bad"),
            sample("demo_baseline_labelled_total", "30", correct="true"),
            sample("demo_baseline_labelled_total", "20", correct="false"),
            sample("traefik_service_requests_total", "80", code="200", service=_service("aa", 0)),
            sample("traefik_service_requests_total", "5", code="200", service=_service("bb", 1)),
            sample("traefik_service_requests_total", "6", code="500", service=_service("bb", 1)),
            sample("demo_record", "17424"),
            sample("model:labelled_error:ratio_rate20s", "0.4"),
            sample("ALERTS", "1", alertstate="pending"),
        ]
    )
    assert seen == Figures(
        clients=Count(100, 10),
        labelled=Count(50, 10),
        baseline=Count(50, 20),
        served={"elec2-aa": Count(80, 0), "elec2-bb": Count(11, 6)},
        error=0.4,
        record=17424,
        alert="pending",
    )


def test_an_error_rate_without_labels_is_unknown() -> None:
    assert figures([sample("model:labelled_error:ratio_rate20s", "NaN")]).error is None
    assert figures([]) == Figures()


def test_a_share_of_nothing_is_unknown() -> None:
    assert Count().share is None
    assert Count(8, 2).share == 0.25


def test_weights_are_percent_of_their_sum() -> None:
    backends = [{"name": "a", "weight": 8}, {"name": "b", "weight": 2}]
    assert weights({"spec": {"rules": [{"backendRefs": backends}]}}) == {"a": 80, "b": 20}
    assert weights(None) == {}


def test_rates_and_shares_are_of_the_last_seconds_only() -> None:
    history = [
        _snapshot(0, clients=0, a=0, b=0),
        _snapshot(10, clients=1000, a=1000, b=0),
        _snapshot(15, clients=1100, a=1080, b=20),
    ]
    assert measures.request_rate(history) == 20
    assert measures.shares(history) == {"elec2-a": 0.8, "elec2-b": 0.2}
    assert measures.request_rate(history[-1:]) is None
    assert measures.request_rate(history[:2]) is None, "all of its events may be older"
    assert measures.shares(history[-1:]) == {}


def test_the_measured_share_of_each_weight_leaves_out_the_scrape_of_the_step_before() -> None:
    def at(time: float, weight: int, a: int, b: int) -> Snapshot:
        return _snapshot(
            time, clients=0, a=a, b=b, route={"elec2-a": 100 - weight, "elec2-b": weight}
        )

    history = [
        at(0, 0, 0, 0),
        at(1, 20, 100, 0),
        at(2, 20, 130, 0),
        at(3, 20, 210, 20),
        at(4, 50, 220, 30),
        at(5, 50, 230, 40),
        at(6, 50, 280, 90),
        at(7, 100, 280, 190),
    ]
    assert measures.step_shares(history, "elec2-b") == [
        measures.StepShare(20, 0.2, 100),
        measures.StepShare(50, 0.5, 100),
    ]


def test_the_time_to_no_traffic_counts_from_the_first_failure() -> None:
    both, one = {"elec2-a": 80, "elec2-b": 20}, {"elec2-a": 100}
    history = [
        _snapshot(0, clients=0, a=5, b=0, route=one),
        _snapshot(1, clients=0, a=9, b=0, route=both),
        _snapshot(2, clients=0, a=9, b=3, bad=3, route=both),
        _snapshot(4, clients=0, a=9, b=4, bad=4, route=one),
    ]
    assert measures.first_time(history, "elec2-b") == (2, 4)
    assert measures.first_time(history[:3], "elec2-b") is None
    assert measures.first_time(history, "elec2-a") is None


@pytest.mark.parametrize("seconds", [1, 100])
def test_a_window_holds_at_least_the_newest_snapshot(seconds: float) -> None:
    only = _snapshot(50, clients=1, a=1, b=0)
    assert measures.window([only], seconds) == (only, only)


def _service(digits: str, index: int) -> str:
    return SERVICE.format(f"elec2-{digits}", index)


def _snapshot(
    time: float, clients: int, a: int, b: int, bad: int = 0, route: dict[str, int] | None = None
) -> Snapshot:
    served = {"elec2-a": Count(a, 0), "elec2-b": Count(b, bad)}
    return Snapshot(
        time=time, figures=Figures(clients=Count(clients, 0), served=served), route=route or {}
    )
