"""A real API server holds kinds with one more choice to "exactly one of" and "at most one of"."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from evenkeel.api import GROUP, ModelDeployment, Resource, RetrainSchedule
from evenkeel.api.crd import definition
from evenkeel.meta.model import Model
from pydantic import Field

from dev.cluster.control_plane import ControlPlane
from tests.support.api_server import ApiServer
from tests.support.extended import extended
from tests.support.manifests import MINIMAL

SEAM = "seam.test"
CRON: dict[str, Any] = {"cron": {"schedule": "0 3 * * *"}}
EVERY: dict[str, Any] = {"every": {"value": 60}}
GATEWAY: dict[str, Any] = {"gateway": {"parentRefs": [{"name": "public"}]}}
HEADER: dict[str, Any] = {"header": {"value": 1}}


class New(Model):
    """Another choice."""

    value: Annotated[int, Field(description="Its value.")]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server of its own, which serves the extended kinds in a group of their own."""
    with ControlPlane(tmp_path_factory.mktemp("choices"), die_with_parent=True) as plane:
        server = ApiServer(plane)
        _serve(server)
        yield server
        server.http.close()


def _serve(server: ApiServer) -> None:
    names: list[str] = []
    kinds: tuple[type[Resource], ...] = (
        extended(RetrainSchedule, "spec.triggers.[].every", New),
        extended(ModelDeployment, "spec.traffic.header", New),
    )
    for kind in kinds:
        crd = definition(kind)
        crd["metadata"]["name"] = name = crd["metadata"]["name"].replace(GROUP, SEAM)
        crd["spec"]["group"] = SEAM
        crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        created = server.http.post(crds, json=crd)
        assert created.status_code == 201, created.text
        names.append(f"crd/{name}")
    server.kubectl("wait", "--for=condition=Established", *names)


def refusal(server: ApiServer, kind: type[Resource], spec: dict[str, Any]) -> str:
    """What the API server says against a manifest with these fields; empty if it takes it."""
    manifest = copy.deepcopy(MINIMAL[kind.kind])
    manifest["apiVersion"] = f"{SEAM}/v1alpha1"
    manifest["spec"] |= spec
    path = f"/apis/{SEAM}/v1alpha1/namespaces/default/{kind.plural}"
    answer = server.http.post(path, params={"dryRun": "All"}, json=manifest)
    assert answer.status_code in (201, 422), answer.text
    return answer.text if answer.status_code == 422 else ""


@pytest.mark.parametrize(
    ("given", "taken"), [(EVERY, True), (CRON, True), ({**CRON, **EVERY}, False), ({}, False)]
)
def test_a_trigger_is_exactly_one(served: ApiServer, given: dict[str, Any], taken: bool) -> None:
    said = refusal(served, RetrainSchedule, {"triggers": [{"name": "t", **given}]})
    assert taken == (said == "")
    assert taken or "a trigger needs exactly one of alert, cron, gitData, " in said


@pytest.mark.parametrize(
    ("given", "taken"),
    [(GATEWAY, True), (HEADER, True), ({**GATEWAY, **HEADER}, False), ({}, True)],
)
def test_traffic_is_at_most_one(served: ApiServer, given: dict[str, Any], taken: bool) -> None:
    said = refusal(served, ModelDeployment, {"traffic": given})
    assert taken == (said == "")
    assert taken or "traffic has at most one of gateway or header" in said
