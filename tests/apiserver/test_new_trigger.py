"""A real API server holds a kind with a third trigger to "exactly one of"."""

from __future__ import annotations

import copy
from typing import Annotated, Any

import pytest
from evenkeel.api import GROUP, RetrainSchedule
from evenkeel.api.crd import definition
from evenkeel.meta.model import Model
from pydantic import Field

from tests.support.api_server import ApiServer
from tests.support.extended import extended
from tests.support.manifests import MINIMAL

SEAM = "seam.test"
CRON: dict[str, Any] = {"cron": {"schedule": "0 3 * * *"}}
EVERY: dict[str, Any] = {"every": {"seconds": 60}}


class Every(Model):
    """Fires every so many seconds."""

    seconds: Annotated[int, Field(description="The interval.")]


@pytest.fixture(scope="module")
def path(api_server: ApiServer) -> str:
    """Where the extended kind is served, in a group of its own."""
    crd = definition(extended(RetrainSchedule, "spec.triggers.[].every", Every))
    crd["metadata"]["name"] = crd["metadata"]["name"].replace(GROUP, SEAM)
    crd["spec"]["group"] = SEAM
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    created = api_server.http.post(crds, json=crd)
    assert created.status_code == 201, created.text
    api_server.kubectl("wait", "--for=condition=Established", f"crd/{crd['metadata']['name']}")
    return f"/apis/{SEAM}/v1alpha1/namespaces/default/retrainschedules"


@pytest.mark.parametrize(
    ("given", "status"), [(EVERY, 201), (CRON, 201), ({**CRON, **EVERY}, 422), ({}, 422)]
)
def test_exactly_one_trigger_is_taken(
    api_server: ApiServer, path: str, given: dict[str, Any], status: int
) -> None:
    manifest = copy.deepcopy(MINIMAL["RetrainSchedule"])
    manifest["apiVersion"] = f"{SEAM}/v1alpha1"
    manifest["spec"]["triggers"] = [{"name": "t", **given}]
    answer = api_server.http.post(path, params={"dryRun": "All"}, json=manifest)
    assert answer.status_code == status, answer.text
    if status == 422:
        assert "a trigger needs exactly one of alert, cron or every" in answer.text
