"""Two nodes train together under the real Kubeflow Trainer, and what rank 0 reports is served.

It is the example recommendations, as its README has its reader do it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dev.paths import ROOT
from dev.stack.install import Stack
from e2e.integrations.sender import send
from e2e.support.world import World, quiet_afterwards

EXAMPLE = ROOT / "examples" / "recommendations"
NAME = "recommendations"
EVENT = {
    "specversion": "1.0",
    "type": "com.example.catalogue.published",
    "source": "/catalogue",
    "id": "2026-01-31",
}


@pytest.fixture(scope="module")
def shop(integrated: Stack) -> Iterator[World]:
    """A namespace of a team that trains with Kubeflow."""
    with quiet_afterwards(World(integrated, NAME)) as w:
        yield w


def test_an_event_trains_on_two_nodes_and_the_model_is_served(shop: World) -> None:
    shop.kubectl("apply", "-k", str(EXAMPLE))
    send(shop, EVENT)
    send(shop, EVENT)
    run = shop.until("a run was made", lambda: shop.objects("trainingruns"))[0]["metadata"]["name"]
    shop.until("it ends", lambda: shop.condition("trainingrun", run, "Succeeded").get("status"))
    (version,) = shop.until("its version is there", lambda: shop.objects("modelversions"))
    metrics = {m["name"]: m["value"] for m in version["spec"]["metrics"]}
    assert metrics["nodes"] == "2"
    assert float(metrics["auc"]) > 0.75
    ranks = {
        pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"]
        for pod in shop.objects("pods", f"jobset.sigs.k8s.io/jobset-name={run}")
    }
    assert ranks == {"0", "1"}
    shop.ready(NAME, 300)
    assert len(shop.objects("trainingruns")) == 1, "an event that is sent again trains nothing"
