"""What figures recommend, beside what is set."""

from __future__ import annotations

from math import ceil
from typing import Any

import pytest
from evenkeel.api.performance import Performance, Sizing
from evenkeel.performance.sizing import shortage, sizing
from hypothesis import given
from hypothesis import strategies as st

from tests.support.serving_examples import built, model_deployment

JSON = dict[str, Any]
MEASURED: JSON = {"latency": {"seconds": "0.1"}, "body": "{}"}


def figures(rate: str | None, **more: Any) -> Performance:
    return Performance(time="2026-01-31T09:00:00Z", reason="Measured", rate=rate, **more)


def sized(found: Performance, *, spec: JSON | None = None, **performance: Any) -> Sizing | None:
    md = model_deployment(performance={**MEASURED, **performance}, **(spec or {}))
    return sizing(md, found, built(md))


def test_recommended_and_set_stand_side_by_side() -> None:
    resources = {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}
    found = sized(
        figures("40", cpu="1.31", memory_bytes=500 * 2**20),
        spec={"replicas": 2, "resources": resources},
        peakRate="100",
        costPerHour="0.36",
    )
    assert found is not None
    assert (found.recommended_replicas, found.replicas) == (3, 2)
    assert (found.recommended_cpu, found.cpu) == ("1350m", "500m")
    assert (found.recommended_memory, found.memory) == ("608Mi", "2Gi")
    assert found.cost_per_1000 == "0.0025"
    assert shortage(found) == "peakRate needs 3 pods, and 2 may be"


def test_an_autoscaler_may_have_its_most() -> None:
    found = sized(figures("40"), spec={"autoscaling": {"maxReplicas": 3}}, peakRate="100")
    assert found is not None
    assert found.replicas == 3
    assert shortage(found) == ""


def test_what_is_unknown_is_absent() -> None:
    found = sized(figures("40"))
    assert found is not None
    assert found.wire() == {"replicas": 1}


@pytest.mark.parametrize("rate", [None, "0"])
def test_without_a_rate_nothing_is_recommended(rate: str | None) -> None:
    assert sized(figures(rate), peakRate="100") is None


@given(st.integers(1, 10**5), st.integers(1, 10**5))
def test_the_recommended_pods_carry_the_peak_and_one_fewer_does_not(peak: int, rate: int) -> None:
    found = sized(figures(str(rate)), peakRate=str(peak))
    assert found is not None
    assert found.recommended_replicas == ceil(peak / rate)
