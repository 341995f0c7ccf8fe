"""Simulated model servers count what clients saw, and requests go where the objects say."""

from __future__ import annotations

from random import Random

import pytest

from bench.conditions.exposition import OPEN_METRICS_TYPE, content_type, text
from bench.conditions.fleet import Fleet, Member, Model
from bench.conditions.servers import Incident, Pod, Server


def pod(server: Server, rate: float = 100.0, dialect: str = "mlserver") -> Pod:
    made = Pod("ns", "p", "m", server, dialect, Random(3))
    made.start(1000.0)
    made.ready_since, made.rate = 1000.0, rate
    return made


def value(page: str, name: str) -> float:
    return float(next(line for line in page.splitlines() if line.startswith(name)).split()[-1])


def model(*members: Member) -> Model:
    servers = {"stable": Server(), "canary": Server()}
    made = Model("ns", "m", 300.0, 100.0, servers, Random(1))
    made.members = {m.pod.name: m for m in members}
    return made


def member(name: str, revision: str, *, ready: bool = True) -> Member:
    found = Pod("ns", name, "m", Server(), "mlserver", Random(2))
    found.started = 1.0
    found.ready_since = 1.0 if ready else None
    side = {"1": "stable", "2": "canary"}[revision]
    return Member(found, {"app": "m", "revision": revision}, revision, side)


def rates(made: Model) -> dict[str, float]:
    return {name: m.pod.rate for name, m in made.members.items()}


def test_a_services_ready_pods_share_its_requests() -> None:
    made = model(
        member("a", "1"), member("b", "1"), member("c", "2"), member("d", "2", ready=False)
    )
    made.services["m"] = {"app": "m"}
    made.divide(5.0)
    assert rates(made) == {"a": 100.0, "b": 100.0, "c": 100.0, "d": 0.0}


def test_a_routes_weights_come_before_numbers_of_pods() -> None:
    made = model(member("a", "1"), member("b", "1"), member("c", "2"))
    made.services = {"r1": {"revision": "1"}, "r2": {"revision": "2"}}
    made.route = [("r1", 50), ("r2", 50)]
    made.divide(5.0)
    assert rates(made) == {"a": 75.0, "b": 75.0, "c": 150.0}


def test_seconds_over_the_limit_are_counted() -> None:
    made = model(member("a", "1"))
    made.services["m"] = {"app": "m"}
    made.divide(5.0)
    made.advance(7.5)
    assert made.overloaded == pytest.approx(2.5)


def test_what_a_service_selects_follows_the_object() -> None:
    fleet, made = Fleet(), model(member("a", "1"), member("b", "2"))
    fleet.add(made)
    labels = {"evenkeel.dev/deployment": "m"}
    service = {
        "metadata": {"namespace": "ns", "name": "m", "labels": labels},
        "spec": {"selector": {"revision": "2"}},
    }
    fleet.service_changed(service, deleted=False)
    assert rates(made) == {"a": 0.0, "b": 300.0}


def test_a_pod_that_has_gone_is_remembered() -> None:
    fleet = Fleet()
    gone = member("a", "2")
    made = model()
    gone.pod.served = 7
    fleet.join(made, gone)
    fleet.leave(made, "a")
    assert fleet.pod("ns", "a") is None
    assert made.served("canary") == 7
    assert made.served("stable") == 0


def test_requests_come_at_their_rate_and_fail_at_their_share() -> None:
    made = pod(Server(errors=0.1))
    made.advance(1100.0)
    assert made.served == pytest.approx(10_000, rel=0.05)
    assert made.counts.bad == pytest.approx(1_000, rel=0.15)
    assert made.failed == made.counts.bad


def test_an_incident_has_an_end() -> None:
    made = pod(Server(errors=0.0))
    made.advance(1100.0, [Incident(1010.0, 1020.0, 1.0)])
    assert made.counts.bad == pytest.approx(1_000, rel=0.15)


def test_first_requests_of_each_process_are_slow() -> None:
    made = pod(Server(cold_requests=20))
    made.advance(1001.0)
    assert made.counts.slow == 20
    made.start(1001.0)
    made.advance(1002.0)
    assert made.counts.slow == 20


def test_a_crash_ends_the_process_and_its_counters() -> None:
    made = pod(Server(crash=0.01))
    made.advance(1100.0)
    assert made.crashed
    assert 0 < made.served < 2_000
    served = made.served
    made.advance(1200.0)
    assert made.served == served
    made.start(1201.0)
    assert made.counts.total == 0
    assert not made.crashed


def test_a_lead_is_good_requests_that_the_total_does_not_have_yet() -> None:
    made = pod(Server(lead=2.0, errors=0.0))
    for tenth in range(1, 101):
        made.advance(1000.0 + tenth / 10)
    page = text(made, 1010.0)
    ahead = value(page, "rest_server_request_duration_seconds_bucket") - value(
        page, "rest_server_request_duration_seconds_count"
    )
    assert ahead == pytest.approx(200, rel=0.3)


def test_counters_of_a_page_add_up() -> None:
    made = pod(Server(errors=0.2))
    made.advance(1010.0)
    page = text(made, 1010.0)
    good = value(page, "model_infer_request_success_total")
    assert good + value(page, "model_infer_request_failure_total") == made.counts.total
    made.dialect = "triton"
    assert value(text(made, 1010.0), "nv_inference_request_success") == good


def test_label_sets_add_up_to_the_whole() -> None:
    made = pod(Server(errors=0.5, clients=30), dialect="plain")
    made.advance(1010.0)
    lines = text(made, 1010.0).splitlines()
    totals = [int(line.split()[1]) for line in lines if line.startswith("app_requests_total")]
    assert len(totals) == 30
    assert sum(totals) == made.counts.total


@pytest.mark.parametrize(("odd", "shown"), [("nan", "NaN"), ("negative", "-1")])
def test_odd_counters_are_shown(odd: str, shown: str) -> None:
    made = pod(Server(odd="nan" if odd == "nan" else "negative"), dialect="plain")
    made.advance(1010.0)
    assert f'app_failures_total{{client="0"}} {shown}' in text(made, 1010.0)


def test_a_counter_that_vanishes_was_there_before() -> None:
    made = pod(Server(odd="vanishes"), dialect="plain")
    made.advance(1001.0)
    assert "app_failures_total" in text(made, 1001.0)
    made.advance(1100.0)
    assert "app_failures_total" not in text(made, 1100.0)


def test_open_metrics_have_suffixes_and_times_of_creation() -> None:
    made = pod(Server(errors=0.1), dialect="triton+openmetrics")
    made.advance(1010.0)
    page = text(made, 1010.0)
    good = value(page, "nv_inference_request_success_total{")
    assert good == made.counts.total - made.counts.bad
    assert value(page, "nv_inference_request_success_created{") == 1000.0
    assert "nv_inference_request_success{" not in page
    assert page.endswith("# EOF\n")
    assert content_type(made) == OPEN_METRICS_TYPE


def test_open_metrics_of_a_histogram_keep_its_names() -> None:
    made = pod(Server(), dialect="mlserver+openmetrics")
    made.advance(1010.0)
    lines = text(made, 1010.0).splitlines()
    name = "rest_server_request_duration_seconds"
    assert lines.count(f"# TYPE {name} histogram") == 1
    assert any(line.startswith(f"{name}_bucket{{") for line in lines)
    assert any(line.startswith(f"{name}_created{{") for line in lines)
    assert not any("_total_total" in line for line in lines)


def test_what_speaks_plainly_is_plain() -> None:
    assert content_type(pod(Server())) == "text/plain"
