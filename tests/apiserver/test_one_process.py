"""Many namespaces, many versions, and an API server that is away, as one process meets them."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from pathlib import Path

import yaml
from evenkeel.controllers import rights
from evenkeel.kube.client import Client

from tests.support.api_server import ApiServer
from tests.support.manifests import manifest
from tests.support.operating import configuration, model_deployment, runtime, schedule, until, world
from tests.support.resources import BY_KIND
from tests.support.started import BY_PYTHON, SECONDS, running

NAMESPACES = 25
VERSIONS = 30


async def test_many_namespaces_are_watched_with_the_rights_of_roles(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    user = f"user-{namespace}"
    names = [f"{namespace}-{n}" for n in range(NAMESPACES)]
    api_server.kubectl("create", "-f", "-", stdin=_objects(user, namespace, names))
    variables = {
        "KUBECONFIG": str(api_server.kubeconfig_for(user)),
        "EVENKEEL_NAMESPACE": namespace,
        "EVENKEEL_WATCH_NAMESPACES": ",".join(names),
    }
    async with running(tmp_path, BY_PYTHON, **variables) as started:
        await until(started.leads, seconds=SECONDS)
        for name in (names[0], names[-1]):
            for made in (runtime(), model_deployment("fraud")):
                assert api_server.create(made, name).status_code == 201
            service = BY_KIND["Service"].path(name, "fraud")
            await until(lambda at=service: api_server.http.get(at).status_code == 200)
        assert started.readyz() == (200, "ok\n")
        assert await started.terminate() == 0


def _objects(user: str, home: str, names: list[str]) -> str:
    leases = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["*"]}
    roles = {
        "watched": rights.namespaced(),
        "cluster": rights.clusterwide(),
        "home": [leases],
    }
    api = "rbac.authorization.k8s.io"

    def binding(kind: str, role: str, namespace: str) -> rights.Rule:
        return {
            "apiVersion": f"{api}/v1",
            "kind": kind,
            "metadata": {"name": f"{home}-{role}", "namespace": namespace},
            "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": f"{home}-{role}"},
            "subjects": [{"apiGroup": api, "kind": "User", "name": user}],
        }

    return yaml.safe_dump_all(
        [
            *(
                {
                    "apiVersion": f"{api}/v1",
                    "kind": "ClusterRole",
                    "metadata": {"name": f"{home}-{role}"},
                    "rules": rules,
                }
                for role, rules in roles.items()
            ),
            *({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n}} for n in names),
            *(binding("RoleBinding", "watched", name) for name in names),
            binding("ClusterRoleBinding", "cluster", ""),
            binding("RoleBinding", "home", home),
        ]
    )


async def test_a_version_costs_one_write_of_status_and_one_event(
    api_server: ApiServer, namespace: str
) -> None:
    kind, written = BY_KIND["ModelVersion"], Counter[str]()
    last: dict[str, object] = {}
    async with (
        Client(configuration(api_server), field_manager="tests") as client,
        world(api_server, namespace) as w,
        w.operator(),
    ):
        _, begin = await client.list(kind, namespace=namespace)
        spec = "{model: fraud, uri: 's3://m/1', format: {name: test}}"
        for n in range(VERSIONS):
            w.ns.create(manifest("ModelVersion", spec, f"fraud-{n}"))
        await until(lambda: len(w.ns.all("Event")) == VERSIONS)
        with suppress(TimeoutError):
            async with asyncio.timeout(3):
                async for event in client.watch(kind, namespace=namespace, resource_version=begin):
                    name, status = (
                        event["object"]["metadata"]["name"],
                        event["object"].get("status"),
                    )
                    written[name] += status != last.get(name)
                    last[name] = status
        told = [(e["involvedObject"]["name"], e["reason"]) for e in w.ns.all("Event")]
    names = [f"fraud-{n}" for n in range(VERSIONS)]
    assert written == Counter(names)
    assert sorted(told) == sorted((name, "Approved") for name in names)


async def test_without_the_api_server_the_process_ends(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    """It no longer leads then, and a farewell would never arrive."""
    async with world(api_server, namespace) as w:
        variables = w.environment(tmp_path, wired=True)
        for port in ("WEBHOOK", "HTTP", "METRICS"):
            del variables[f"EVENKEEL_{port}_PORT"]
        async with running(tmp_path, BY_PYTHON, **variables) as started:
            w.ns.create(schedule())
            await until(started.leads, seconds=SECONDS)
            w.wire.fault = lambda method, path: "hang"
            w.wire.cut_watches()
            assert await started.ended() == 1
        assert "no longer leads" in started.log()
        assert "Traceback" not in started.log()
