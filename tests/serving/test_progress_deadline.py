"""How long pods may take to get ready."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from evenkeel.api import ClusterServingRuntime
from evenkeel.serving.children import deployment
from evenkeel.serving.observed import deployment_pods
from evenkeel.serving.progress_deadline import progress_deadline, start_up_budget, too_short
from hypothesis import given
from hypothesis import strategies as st

from dev.paths import ROOT
from tests.support.serving_examples import REVISION, built, model_deployment

MODEL = {"uri": "s3://m/a", "format": {"name": "huggingface"}}
NUMBERS = st.one_of(st.integers(0, 5000), st.just("5"), st.none())
PROBES = st.dictionaries(
    st.sampled_from(["initialDelaySeconds", "periodSeconds", "failureThreshold"]), NUMBERS
)


def template(**container: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "model", **container}]}}


def shipped(name: str) -> dict[str, Any]:
    text = Path(ROOT, "config", "runtimes", f"{name}.yaml").read_text()
    return built(runtime=ClusterServingRuntime.model_validate(yaml.safe_load(text)).spec)


class TestBudget:
    def test_it_is_what_the_startup_and_the_readiness_probe_allow(self) -> None:
        startup = {"initialDelaySeconds": 7, "periodSeconds": 5, "failureThreshold": 360}
        readiness = {"initialDelaySeconds": 3, "periodSeconds": 4, "successThreshold": 2}
        made = template(startupProbe=startup, readinessProbe=readiness)
        assert start_up_budget(made) == 7 + 5 * 360 + 3 + 4 * 2

    def test_what_is_left_open_has_kubernetes_defaults(self) -> None:
        assert start_up_budget(template(startupProbe={}, readinessProbe={})) == 30 + 10
        assert start_up_budget(template()) == 0

    def test_containers_start_together_and_sidecars_before_them(self) -> None:
        slow = {"startupProbe": {"periodSeconds": 100}}
        spec = {
            "containers": [slow, {"startupProbe": {"periodSeconds": 50}}],
            "initContainers": [
                {"startupProbe": {"periodSeconds": 7}, "restartPolicy": "Always"},
                {"startupProbe": {"periodSeconds": 7}, "restartPolicy": "Always"},
                {"name": "download"},
            ],
        }
        assert start_up_budget({"spec": spec}) == 300 + 21 + 21


class TestDeadline:
    @pytest.mark.parametrize(("runtime", "seconds"), [("vllm", 2105), ("mlserver-sklearn", 905)])
    def test_it_follows_the_probes_of_the_shipped_runtimes(
        self, runtime: str, seconds: int
    ) -> None:
        assert progress_deadline(model_deployment(), shipped(runtime)) == seconds

    def test_it_is_ten_minutes_for_what_starts_soon(self) -> None:
        assert progress_deadline(model_deployment(), built()) == 600

    def test_it_leaves_time_for_the_download(self) -> None:
        md = model_deployment(model={**MODEL, "storage": {"downloadSeconds": 3000}})
        assert progress_deadline(md, shipped("vllm")) == 2105 + 3000

    def test_the_users_own_stays(self) -> None:
        md = model_deployment(rollout={"progressDeadlineSeconds": 77})
        assert progress_deadline(md, shipped("vllm")) == 77

    @given(PROBES, PROBES)
    def test_by_default_no_probe_outlasts_it(
        self, startup: dict[str, Any], readiness: dict[str, Any]
    ) -> None:
        made = template(startupProbe=startup, readinessProbe=readiness)
        deadline = progress_deadline(model_deployment(), made)
        assert deadline >= 600
        assert deadline > start_up_budget(made)
        assert too_short(model_deployment(), made) == ""

    def test_the_deployment_carries_it(self) -> None:
        made = deployment(model_deployment(), REVISION, shipped("vllm"), 1)
        assert deployment_pods(made).deadline == 2105
        assert deployment_pods({"spec": {}}).deadline == 600


class TestTooShort:
    def test_a_deadline_before_the_probes_is_told(self) -> None:
        md = model_deployment(rollout={"progressDeadlineSeconds": 600})
        assert too_short(md, shipped("vllm")) == (
            "rollout.progressDeadlineSeconds is 600, but there are 1805 s that the pods' probes "
            "allow to start; remove it, which gives 2105, or shorten the probes"
        )

    def test_one_that_leaves_no_time_for_the_download_is_told(self) -> None:
        md = model_deployment(
            model={**MODEL, "storage": {"downloadSeconds": 3000}},
            rollout={"progressDeadlineSeconds": 1805},
        )
        assert "3000 s for the download, and 1805 s" in too_short(md, shipped("vllm"))
        assert "which gives 5105" in too_short(md, shipped("vllm"))

    def test_one_that_covers_them_is_not(self) -> None:
        md = model_deployment(rollout={"progressDeadlineSeconds": 1805})
        assert too_short(md, shipped("vllm")) == ""
