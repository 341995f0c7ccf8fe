"""A real API server takes the shipped runtimes and everything that serves a ModelDeployment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from evenkeel.api import ClusterServingRuntime
from evenkeel.api.exposure import Match
from evenkeel.kube.applied import covers, owned_fields
from evenkeel.serving import children
from evenkeel.serving.feedback import feedback_objects
from evenkeel.serving.model_source import Target
from evenkeel.serving.ports import template_ports
from evenkeel.traffic import Division, strategy_of

from dev.cluster import binaries
from dev.paths import ROOT
from tests.support.api_server import ApiServer
from tests.support.resources import BY_KIND
from tests.support.serving_examples import REVISION, SETTINGS, built, model_deployment

RUNTIMES = {
    path.stem: ClusterServingRuntime.model_validate(yaml.safe_load(path.read_text()))
    for path in sorted(Path(ROOT, "config", "runtimes").glob("*.yaml"))
    if path.name != "kustomization.yaml"
}
URIS = (
    "pvc://claim/fraud/7",
    "pvc://claim",
    "s3://models/fraud/7",
    "oci://example.test/models/fraud:7",
    "file:///opt/model",
)
SPEC: dict[str, Any] = {
    "traffic": {
        "gateway": {
            "parentRefs": [{"name": "gw"}],
            "hostnames": ["fraud.example.test"],
            "revisionHeaders": True,
        }
    },
    "autoscaling": {"minReplicas": 2, "maxReplicas": 3},
    "disruptionBudget": {"maxUnavailable": "50%"},
    "monitoring": {
        "feedback": {
            "keys": {"secretName": "fraud-keys"},
            "slices": ["region"],
            "loss": {"threshold": "0.5"},
            "claimName": "fraud-labels",
        },
    },
}


MATCHES = tuple(
    Match.model_validate(one)
    for one in (
        {"headers": [{"name": "X-Beta", "value": "yes"}]},
        {
            "headers": [{"name": "X-Team", "value": "^(a|b)$", "type": "RegularExpression"}],
            "cookies": [
                {"name": "n" * 128, "value": "." * 256},
                {"name": "m" * 128, "value": "." * 256},
            ],
        },
    )
)


@pytest.fixture(scope="module")
def with_gateway_api(api_server: ApiServer) -> ApiServer:
    crds = binaries.module_file_dir("sigs.k8s.io/gateway-api") / "config" / "crd" / "standard"
    api_server.kubectl("apply", "--server-side", "-f", str(crds))
    api_server.kubectl(
        "wait",
        "--for=condition=Established",
        "--timeout=60s",
        "crd/httproutes.gateway.networking.k8s.io",
    )
    return api_server


@pytest.fixture
def restricted(api_server: ApiServer, namespace: str) -> str:
    """A namespace that takes only pods of Pod Security's level "restricted"."""
    label = "pod-security.kubernetes.io/enforce=restricted"
    api_server.kubectl("label", "namespace", namespace, label)
    api_server.kubectl("create", "serviceaccount", "default", "-n", namespace)
    return namespace


def dry_run(server: ApiServer, namespace: str, *manifests: dict[str, Any]) -> None:
    """Server-side apply with strict validation; a warning is a failure too."""
    placed = [
        {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}
        for manifest in manifests
    ]
    done = server.kubectl(
        "apply",
        "--server-side",
        "--dry-run=server",
        "--validate=strict",
        "-f",
        "-",
        stdin=yaml.safe_dump_all(placed),
    )
    assert len(done.stdout.splitlines()) == len(placed)
    assert "Warning" not in done.stderr, done.stderr


def test_the_shipped_runtimes_are_accepted(api_server: ApiServer) -> None:
    folder = str(ROOT / "config" / "runtimes")
    done = api_server.kubectl(
        "apply", "--server-side", "--dry-run=server", "--validate=strict", "-k", folder
    )
    assert len(done.stdout.splitlines()) == len(RUNTIMES)


def test_all_children_are_accepted(with_gateway_api: ApiServer, namespace: str) -> None:
    md = model_deployment(**SPEC)
    template = built(md, RUNTIMES["mlserver-sklearn"].spec)
    made = (
        children.deployment(md, REVISION, template, None),
        children.hpa(md, REVISION),
        children.hpa(md, "fraud-9876543210", 1, own=True),
        children.pdb(md),
        *feedback_objects(md, SETTINGS.meter_image),
        *strategy_of(md.spec.traffic).objects(
            md,
            template_ports(template),
            Division(REVISION, "fraud-9876543210", 10, "fraud-1", "fraud-2"),
        ),
    )
    wanted = [child for child in made if child is not None]
    assert len(wanted) == len(made)
    dry_run(with_gateway_api, namespace, *wanted)


@pytest.mark.parametrize(
    "division",
    [
        Division(REVISION, "fraud-9876543210", 0, matches=MATCHES, preview=True),
        Division(REVISION, "fraud-9876543210", 10),
    ],
    ids=["match and preview", "affinity"],
)
def test_all_ways_to_expose_a_canary_are_accepted(
    with_gateway_api: ApiServer, namespace: str, division: Division
) -> None:
    gateway = {"parentRefs": [{"name": "gw"}], "revisionHeaders": True}
    md = model_deployment(
        traffic={"gateway": gateway, "affinity": {"cookie": {}}},
        rollout={"steps": [{"preview": {"hostnames": ["beta.example.test"]}}]},
    )
    made = strategy_of(md.spec.traffic).objects(md, template_ports(built(md)), division)
    dry_run(with_gateway_api, namespace, *made)


@pytest.mark.parametrize("runtime", sorted(RUNTIMES))
def test_all_that_was_applied_is_found_again_on_the_object(
    with_gateway_api: ApiServer, namespace: str, runtime: str
) -> None:
    """So that nothing is applied again after a restart, unless somebody has changed it."""
    md = model_deployment(**SPEC, warmUp={"requests": 3})
    template = built(md, RUNTIMES[runtime].spec)
    made = (
        children.deployment(md, REVISION, template, 2),
        children.hpa(md, REVISION),
        children.pdb(md),
        *feedback_objects(md, SETTINGS.meter_image),
        *strategy_of(md.spec.traffic).objects(
            md, template_ports(template), Division(REVISION, "fraud-9876543210", 10)
        ),
    )
    for child in made:
        assert child is not None
        meta = child["metadata"]
        answer = with_gateway_api.http.patch(
            BY_KIND[child["kind"]].path(namespace, meta["name"]),
            params={"fieldManager": "me", "force": "true"},
            headers={"Content-Type": "application/apply-patch+yaml"},
            content=json.dumps({**child, "metadata": {**meta, "namespace": namespace}}),
        )
        answer.raise_for_status()
        assert covers(owned_fields(answer.json()["metadata"], "me"), child), child["kind"]


@pytest.mark.parametrize("runtime", sorted(RUNTIMES))
def test_deployments_and_their_pods_meet_the_restricted_level(
    api_server: ApiServer, restricted: str, runtime: str
) -> None:
    md = model_deployment(warmUp={"requests": 3}, monitoring=SPEC["monitoring"])
    labels, _ = feedback_objects(md, SETTINGS.meter_image)
    revisions = {f"fraud-{i}": Target(uri) for i, uri in enumerate(URIS)}
    templates = {
        revision: built(
            model_deployment() if target.uri.startswith("file") else md,
            RUNTIMES[runtime].spec,
            target,
            revision,
        )
        for revision, target in revisions.items()
    }
    pods = {**templates, "labels": labels["spec"]["template"]}
    dry_run(
        api_server,
        restricted,
        labels,
        *(children.deployment(md, name, t, 1) for name, t in templates.items()),
        *(
            {**t, "apiVersion": "v1", "kind": "Pod", "metadata": {**t["metadata"], "name": name}}
            for name, t in pods.items()
        ),
    )


def test_the_restricted_level_is_enforced(api_server: ApiServer, restricted: str) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pod", "namespace": restricted},
        "spec": {"containers": [{"name": "a", "image": SETTINGS.storage_initializer_image}]},
    }
    done = api_server.kubectl(
        "apply", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(pod), check=False
    )
    assert "violates PodSecurity" in done.stderr
