"""The operator's rights: each that it needs works on a real API server, others are refused."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from evenkeel.controllers import kinds
from evenkeel.controllers.rights import of_integrations
from evenkeel.kube.by_name import ByName, Named, Unreadable
from evenkeel.kube.client import ApiError, Client
from evenkeel.meta.resources import CONFIG_MAP, EVENT, HTTP_ROUTE, LEASE, SECRET, ResourceType

from tests.chart.conftest import Render
from tests.support.api_server import ApiServer
from tests.support.manifests import MINIMAL, manifest
from tests.support.operating import WATCHED
from tests.support.resources import BY_KIND
from tests.support.restoring import OWN

JSON = dict[str, Any]

CHILDREN = {
    "Deployment": "{selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: "
    "{containers: [{name: c, image: i}]}}}",
    "Service": "{ports: [{port: 80}]}",
    "Job": "{template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}",
    "HorizontalPodAutoscaler": "{maxReplicas: 2, scaleTargetRef: "
    "{apiVersion: apps/v1, kind: Deployment, name: d}}",
    "PodDisruptionBudget": "{minAvailable: 1}",
}


class Rights:
    """A namespace that the operator watches, one that it does not, and the operator's account."""

    def __init__(
        self, server: ApiServer, user: str, kubeconfig: Path, watched: str, other: str
    ) -> None:
        self.server = server
        self.user = user
        self.kubeconfig = kubeconfig
        self.watched = watched
        self.other = other

    def client(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KUBECONFIG", str(self.kubeconfig))

    def can(self, verb: str, resource: str, namespace: str, name: str = "") -> bool:
        """`resource` is plural[.group][/subresource]."""
        typed, _, subresource = resource.partition("/")
        plural, _, group = typed.partition(".")
        attributes = {
            "verb": verb,
            "group": group,
            "resource": plural,
            "subresource": subresource,
            "namespace": namespace,
            "name": name,
        }
        review = {"spec": {"user": self.user, "resourceAttributes": attributes}}
        answer = self.server.http.post(
            "/apis/authorization.k8s.io/v1/subjectaccessreviews", json=review
        )
        return bool(answer.raise_for_status().json()["status"]["allowed"])


@pytest.fixture(params=["cluster", "namespaces"], scope="module")
def rights(
    request: pytest.FixtureRequest, api_server: ApiServer, render: Render
) -> Iterator[Rights]:
    release = f"rights-{request.param}"
    home, watched, other = (f"{release}-{part}" for part in ("home", "watched", "other"))
    for namespace in (home, watched, other):
        api_server.kubectl("create", "namespace", namespace)
    values = ["fullnameOverride=" + release, "crds.enabled=false", "runtimes.enabled=false"]
    values += [
        f"rbac.readByName[0].namespace={watched}",
        "rbac.readByName[0].secrets={mimir,gone}",
        "rbac.readByName[0].configMaps={ca}",
    ]
    if request.param == "namespaces":
        values.append(f"watchNamespaces={{{watched}}}")
    objects = render(*values, options=(f"--namespace={home}",))
    bound = [
        made
        for made in objects
        if "rbac" in made["apiVersion"] or made["metadata"]["name"] == f"{release}-record"
    ]
    api_server.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(bound))
    user = f"system:serviceaccount:{home}:{release}"
    yield Rights(api_server, user, api_server.kubeconfig_for(user), watched, other)
    api_server.kubectl("delete", "-f", "-", stdin=yaml.safe_dump_all(bound))


def _child(kind: str, namespace: str) -> JSON:
    return {
        "apiVersion": BY_KIND[kind].api_version,
        "kind": kind,
        "metadata": {"name": "child", "namespace": namespace},
        "spec": yaml.safe_load(CHILDREN[kind]),
    }


@pytest.mark.parametrize("kind", CHILDREN)
async def test_children_are_applied_and_deleted(
    rights: Rights, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rights.client(monkeypatch)
    async with await Client.from_environment(field_manager="tests") as client:
        for _ in range(2):
            made = await client.apply(
                BY_KIND[kind], rights.watched, "child", _child(kind, rights.watched)
            )
        items, version = await client.list(BY_KIND[kind], namespace=rights.watched)
        assert [item["metadata"]["name"] for item in items] == ["child"]
        await _watch(client, BY_KIND[kind], rights.watched, version)
        await client.delete(BY_KIND[kind], rights.watched, "child", made["metadata"]["uid"])


async def _watch(client: Client, type_: ResourceType, namespace: str, version: str) -> None:
    """Opens a watch; raises ApiError where that is not allowed."""
    async for _ in client.watch(
        type_, namespace=namespace, resource_version=version, timeout_seconds=1
    ):
        return


async def test_runs_versions_status_and_events(
    rights: Rights, monkeypatch: pytest.MonkeyPatch
) -> None:
    rights.client(monkeypatch)
    namespace = rights.watched
    for kind in ("ModelDeployment", "RetrainSchedule", "ModelRegistry"):
        rights.server.create(manifest(kind), namespace).raise_for_status()
    async with await Client.from_environment(field_manager="tests") as client:
        for kind in ("TrainingRun", "ModelVersion"):
            await client.create(BY_KIND[kind], namespace, manifest(kind))
        for kind in WATCHED:
            body = {
                "apiVersion": "evenkeel.dev/v1alpha1",
                "kind": kind,
                "status": {"observedGeneration": 1},
            }
            made = await client.apply(
                BY_KIND[kind], namespace, "example", body, subresource="status"
            )
            assert made["status"] == {"observedGeneration": 1}
        run = await client.get(BY_KIND["TrainingRun"], namespace, "example")
        await client.delete(BY_KIND["TrainingRun"], namespace, "example", run["metadata"]["uid"])
        for kind in MINIMAL:
            where = namespace if BY_KIND[kind].namespaced else ""
            _, version = await client.list(BY_KIND[kind], namespace=where)
            await _watch(client, BY_KIND[kind], where, version)
        await client.create(
            EVENT,
            namespace,
            {
                "metadata": {"name": "e", "namespace": namespace},
                "involvedObject": {"namespace": namespace},
            },
        )
        await client.merge(EVENT, namespace, "e", {"count": 2})


async def test_the_lease(rights: Rights, monkeypatch: pytest.MonkeyPatch) -> None:
    rights.client(monkeypatch)
    home = rights.watched.removesuffix("watched") + "home"
    async with await Client.from_environment(field_manager="tests") as client:
        lease = await client.create(LEASE, home, {"metadata": {"name": "evenkeel"}, "spec": {}})
        lease = await client.get(LEASE, home, "evenkeel")
        await client.replace(LEASE, home, "evenkeel", lease)
        await client.create(LEASE, home, {"metadata": {"name": "another"}, "spec": {}})
        with pytest.raises(ApiError, match="403"):
            await client.get(LEASE, home, "another")


async def test_secrets_by_name_where_that_is_granted(
    rights: Rights, monkeypatch: pytest.MonkeyPatch
) -> None:
    rights.client(monkeypatch)
    for kind, name in (
        ("secret generic", "mimir"),
        ("secret generic", "other"),
        ("configmap", "ca"),
    ):
        rights.server.kubectl(
            *("-n", rights.watched, "create", *kind.split(), name, f"--from-literal=key={name}!")
        )
    async with await Client.from_environment(field_manager="tests") as client:
        by_name = ByName(client, lambda: 0.0)
        assert await by_name.value(Named(SECRET, rights.watched, "mimir", "key")) == "mimir!"
        assert await by_name.value(Named(CONFIG_MAP, rights.watched, "ca", "key")) == "ca!"
        for name, says in (
            ("other", "the operator may not read Secret 'other' of namespace"),
            ("gone", "there is no Secret 'gone' of namespace"),
        ):
            with pytest.raises(Unreadable, match=says):
                await by_name.value(Named(SECRET, rights.watched, name, "key"))
    assert not rights.can("get", "secrets", rights.other, "mimir")
    for verb in ("list", "watch", "patch", "update", "delete"):
        assert not rights.can(verb, "secrets", rights.watched, "mimir")


@pytest.mark.parametrize("kind", OWN)
def test_of_what_people_write_it_writes_annotations_only(rights: Rights, kind: str) -> None:
    made = manifest(kind, name="policed")
    rights.server.create(made, rights.watched).raise_for_status()
    path = BY_KIND[kind].path(rights.watched, "policed")
    headers = {
        "Impersonate-User": rights.user,
        "Content-Type": "application/merge-patch+json",
    }

    def patch(body: JSON) -> httpx.Response:
        return rights.server.http.patch(path, content=json.dumps(body), headers=headers)

    labels = {"metadata": {"labels": {"team": "other"}}}
    end = time.monotonic() + 60
    while patch({"metadata": {"labels": {"probe": uuid.uuid4().hex}}}).is_success:
        assert time.monotonic() < end, "the policy does not come into force"
        time.sleep(0.2)
    assert "neither spec nor labels" in patch(labels).text
    spec = {"approval": {"decision": "Approved"}} if kind == "ModelVersion" else {"model": "other"}
    spec = {"replicas": 7} if kind == "ModelDeployment" else spec
    assert patch({"spec": spec}).status_code in (403, 422)
    assert patch({"metadata": {"annotations": {"evenkeel.dev/record": "{}"}}}).status_code == 200
    rights.server.http.delete(path).raise_for_status()


@pytest.mark.parametrize("verb", ["get", "list", "watch", "create", "patch", "delete"])
def test_routes(rights: Rights, verb: str) -> None:
    resource = f"{HTTP_ROUTE.plural}.{HTTP_ROUTE.group}"
    assert rights.can(verb, resource, rights.watched)


@pytest.mark.parametrize(
    "resource",
    [
        "modeldeployments.evenkeel.dev/finalizers",
        "retrainschedules.evenkeel.dev/finalizers",
        "trainingruns.evenkeel.dev/finalizers",
    ],
)
def test_owner_references_may_block_deletion(rights: Rights, resource: str) -> None:
    assert rights.can("update", resource, rights.watched)


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("get", "secrets"),
        ("list", "secrets"),
        ("get", "configmaps"),
        ("list", "configmaps"),
        ("patch", "configmaps"),
        ("delete", "configmaps"),
        ("create", "pods"),
        ("delete", "pods"),
        ("create", "pods/exec"),
        ("update", "modeldeployments.evenkeel.dev"),
        ("create", "modeldeployments.evenkeel.dev"),
        ("delete", "modelversions.evenkeel.dev"),
        ("approve", "modelversions.evenkeel.dev"),
        ("create", "servingruntimes.evenkeel.dev"),
        ("patch", "clusterservingruntimes.evenkeel.dev"),
        ("patch", "indicatortemplates.evenkeel.dev"),
        ("create", "serviceaccounts"),
        ("create", "rolebindings.rbac.authorization.k8s.io"),
        ("create", "clusterrolebindings.rbac.authorization.k8s.io"),
        ("get", "nodes"),
        ("deletecollection", "deployments.apps"),
    ],
)
def test_nothing_more(rights: Rights, verb: str, resource: str) -> None:
    assert not rights.can(verb, resource, rights.watched)


@pytest.mark.parametrize("resource", ["modeldeployments.evenkeel.dev", "deployments.apps", "pods"])
def test_other_namespaces_only_without_a_list(rights: Rights, resource: str) -> None:
    everywhere = "cluster" in rights.watched
    assert rights.can("list", resource, rights.other) == everywhere
    assert rights.can("list", resource, rights.watched)


def test_no_secret_is_read_by_default(render: Render) -> None:
    rules = [rule for made in render() for rule in made.get("rules", ())]
    read = [rule for rule in rules if rule["verbs"] != ["create"]]
    named = {resource for rule in read for resource in rule["resources"]}
    assert named.isdisjoint({"secrets", "configmaps", "*"})


def _of_the_operator(objects: list[JSON], kind: str) -> list[tuple[str, ...]]:
    """What its role of the kind lists, by group, resource and verbs."""
    (role,) = [o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, "evenkeel")]
    return [
        (*rule["apiGroups"], resource, *rule["verbs"])
        for rule in role["rules"]
        for resource in rule["resources"]
    ]


@pytest.mark.parametrize("name", kinds.integrations())
@pytest.mark.parametrize(
    ("kind", "values"), [("ClusterRole", ()), ("Role", ("watchNamespaces={team-a}",))]
)
def test_an_integration_adds_its_rights_where_it_is_switched_on(
    render: Render, name: str, kind: str, values: tuple[str, ...]
) -> None:
    before = _of_the_operator(render(*values), kind)
    after = _of_the_operator(render(f"integrations.{name}.enabled=true", *values), kind)
    assert after[: len(before)] == before
    assert after[len(before) :] == [
        (*rule["apiGroups"], resource, *rule["verbs"])
        for rule in of_integrations()[name]
        for resource in rule["resources"]
    ]
    assert len(after) > len(before)


def test_users_roles_are_aggregated(render: Render) -> None:
    by_name = {made["metadata"]["name"]: made for made in render() if made["kind"] == "ClusterRole"}
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    for name, roles in (("view", ("view", "edit", "admin")), ("edit", ("edit", "admin"))):
        labels = by_name[f"evenkeel-{name}"]["metadata"]["labels"]
        assert {r for r in ("view", "edit", "admin") if labels.get(prefix + r) == "true"} == {
            *roles
        }
    verbs = {verb for rule in by_name["evenkeel-view"]["rules"] for verb in rule["verbs"]}
    assert verbs == {"get", "list", "watch"}
    written = {r for rule in by_name["evenkeel-edit"]["rules"] for r in rule["resources"]}
    assert {"servingruntimes", "indicatortemplates"} <= written
    assert written.isdisjoint({"clusterservingruntimes", "clusterindicatortemplates"})
    assert {resource for resource in written if "/" in resource} == {"modeldeployments/scale"}
    verbs = {verb for rule in by_name["evenkeel-edit"]["rules"] for verb in rule["verbs"]}
    assert verbs.isdisjoint({"approve", "record", "*"})
    assert not any(k.startswith(prefix) for k in by_name["evenkeel-approver"]["metadata"]["labels"])
