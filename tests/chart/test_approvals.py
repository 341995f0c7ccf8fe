"""Approvals cannot be forged: the chart's admission policy on a real API server, by real users."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml
from evenkeel.api.record import RECORD
from evenkeel.kube.client import Client
from evenkeel.process.approval_policy import ApprovalPolicy

from tests.chart.conftest import Render, find
from tests.support.api_server import ApiServer
from tests.support.manifests import manifest
from tests.support.operating import model_deployment, until, world
from tests.support.resources import BY_KIND
from tests.support.restoring import OWN, backup, delete, quiet, restored

JSON = dict[str, Any]
HOME = "approvals-home"
OPERATOR = f"system:serviceaccount:{HOME}:approvals"
MANUAL = "approval: {mode: Manual}"
CLAIMS = {
    "a run": "trainingRun: fraud-1",
    "an engine's run": "run: {engine: pipelineRun, name: r1}",
    "a cause": "cause: {type: Manual}",
    "a champion": "champion: fraud-0",
    "gates": "gates: [{name: g, metric: accuracy, min: '0.1'}]",
}


class Policy:
    """The chart's objects in force, with an editor and an approver in a namespace."""

    def __init__(self, server: ApiServer, objects: list[JSON]) -> None:
        self.server, self.objects = server, objects

    def send(self, user: str, method: str, path: str, body: JSON, kind: str = "") -> httpx.Response:
        """A request as that user, by impersonation."""
        headers = {"Impersonate-User": user, "Content-Type": kind or "application/json"}
        return self.server.http.request(method, path, content=json.dumps(body), headers=headers)

    def path(self, namespace: str, name: str = "") -> str:
        path = f"/apis/evenkeel.dev/v1alpha1/namespaces/{namespace}/modelversions"
        return f"{path}/{name}" if name else path

    def create(self, user: str, namespace: str, spec: str = MANUAL, **meta: Any) -> httpx.Response:
        made = manifest("ModelVersion", spec)
        made["metadata"] |= meta
        return self.send(user, "POST", self.path(namespace), made)

    def merge(self, user: str, namespace: str, body: JSON) -> httpx.Response:
        path = self.path(namespace, "example")
        return self.send(user, "PATCH", path, body, "application/merge-patch+json")

    def decide(self, user: str, namespace: str, **approval: Any) -> httpx.Response:
        return self.merge(user, namespace, {"spec": {"approval": approval}})

    def apply(self, user: str, namespace: str, approval: JSON) -> httpx.Response:
        """Server-side apply of the approval alone."""
        body = {
            "apiVersion": "evenkeel.dev/v1alpha1",
            "kind": "ModelVersion",
            "metadata": {"name": "example"},
            "spec": {"approval": approval},
        }
        path = self.path(namespace, "example") + f"?fieldManager={user}&force=true"
        return self.send(user, "PATCH", path, body, "application/apply-patch+yaml")


@pytest.fixture(scope="module")
def policy(api_server: ApiServer, render: Render) -> Iterator[Policy]:
    api_server.kubectl("create", "namespace", HOME)
    values = ("fullnameOverride=approvals", "crds.enabled=false", "runtimes.enabled=false")
    kept = ("ClusterRole", "ClusterRoleBinding", "ValidatingAdmissionPolicy")
    objects = [
        made
        for made in render(*values, options=(f"--namespace={HOME}",))
        if made["kind"].startswith(kept)
    ]
    text = yaml.safe_dump_all(objects)
    done = api_server.kubectl("apply", "--server-side", "-f", "-", stdin=text)
    assert "Warning" not in done.stderr
    made = Policy(api_server, objects)
    api_server.kubectl("create", "namespace", "approvals-probe")
    _bind(api_server, "approvals-probe")
    end = time.monotonic() + 60
    while made.create("eve", "approvals-probe", "{}", generateName="x").status_code == 201:
        assert time.monotonic() < end, "the policy does not come into force"
        time.sleep(0.2)
        api_server.kubectl("-n", "approvals-probe", "delete", "modelversions", "--all")
    yield made
    api_server.kubectl("delete", "--wait=false", "-f", "-", stdin=text)


def _bind(server: ApiServer, namespace: str) -> None:
    """eve may edit, ada may approve, both may do both."""
    for user, role in (
        ("eve", "edit"),
        ("ada", "approver"),
        ("bo", "edit"),
        ("bo", "approver"),
        ("system:serviceaccount:argocd:bot", "edit"),
        ("system:serviceaccount:argocd:bot", "approver"),
    ):
        name = f"{user.rpartition(':')[2]}-{role}"
        server.kubectl(
            *("-n", namespace, "create", "rolebinding", name),
            *(f"--clusterrole=approvals-{role}", f"--user={user}"),
        )


@pytest.fixture
def ns(policy: Policy, namespace: str) -> str:
    """A namespace with the users' rights."""
    _bind(policy.server, namespace)
    return namespace


@pytest.fixture
def waiting(policy: Policy, ns: str) -> str:
    """A namespace with a version of the operator's that waits for a decision."""
    spec = "\n".join([MANUAL, *CLAIMS.values()])
    assert policy.create(OPERATOR, ns, spec).status_code == 201
    return ns


def refused(answer: httpx.Response, says: str) -> None:
    assert answer.status_code in (403, 422), answer.text
    assert says in answer.json()["message"]


YES: JSON = {"decision": "Approved", "comment": "looked at it"}


def test_who_may_approve_does_so_under_the_own_name(policy: Policy, waiting: str) -> None:
    refused(policy.decide("eve", waiting, by="eve", **YES), "verb approve")
    refused(policy.decide("eve", waiting, by="ada", **YES), "verb approve")
    refused(policy.decide("ada", waiting, by="eve", **YES), "write ada")
    refused(policy.decide("ada", waiting, **YES), "write ada")
    assert policy.decide("ada", waiting, by="ada", **YES).status_code == 200
    refused(policy.decide("eve", waiting, comment="I said so"), "verb approve")
    refused(policy.decide("bo", waiting, comment="I said so"), "write bo")
    refused(policy.decide("bo", waiting, decision="Denied"), "write bo")
    refused(policy.decide("eve", waiting, decision=None, by=None, comment=None), "verb approve")
    assert policy.decide("bo", waiting, decision="Denied", by="bo").status_code == 200
    assert policy.decide("ada", waiting, decision=None, by=None, comment=None).status_code == 200


def test_server_side_apply_of_a_part_is_held_to_the_same(policy: Policy, waiting: str) -> None:
    refused(policy.apply("eve", waiting, {"by": "eve", **YES}), "verb approve")
    refused(policy.apply("ada", waiting, {"by": "bo", **YES}), "write ada")
    refused(policy.apply("ada", waiting, YES), "write ada")
    assert policy.apply("ada", waiting, {"by": "ada", **YES}).status_code == 200
    refused(policy.apply("eve", waiting, {"comment": "mine"}), "verb approve")


def test_other_fields_of_an_approved_version_stay_everybodys(policy: Policy, waiting: str) -> None:
    assert policy.decide("ada", waiting, by="ada", **YES).status_code == 200
    body = {"metadata": {"labels": {"team": "ml"}, "annotations": {"note": "x"}}}
    assert policy.merge("eve", waiting, body).status_code == 200
    found = policy.server.get("ModelVersion", waiting, "example")
    found["metadata"]["labels"]["team"] = "fraud"
    assert policy.send("eve", "PUT", policy.path(waiting, "example"), found).status_code == 200
    found = policy.server.get("ModelVersion", waiting, "example")
    found["spec"]["approval"]["by"] = "eve"
    refused(policy.send("eve", "PUT", policy.path(waiting, "example"), found), "verb approve")


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("user", ["eve", "ada", "bo"])
def test_only_the_operator_claims_a_training(
    policy: Policy, ns: str, claim: str, user: str
) -> None:
    answer = policy.create(user, ns, f"{MANUAL}\n{CLAIMS[claim]}")
    refused(answer, "claims no training" if user != "ada" else "cannot create")


@pytest.mark.parametrize("label", ["evenkeel.dev/run", "evenkeel.dev/schedule"])
def test_only_the_operator_marks_versions(policy: Policy, waiting: str, label: str) -> None:
    says = "the annotation evenkeel.dev/record are the operator's"
    refused(policy.merge("eve", waiting, {"metadata": {"labels": {label: "mine"}}}), says)
    refused(policy.create("eve", waiting, labels={label: "mine"}, name="another"), says)
    forged = {"metadata": {"annotations": {"evenkeel.dev/record": "{}"}}}
    refused(policy.merge("eve", waiting, forged), says)
    marked = policy.create(OPERATOR, waiting, labels={label: "mine"}, name="third")
    assert marked.status_code == 201


def test_nobody_but_the_operator_goes_without_a_person(policy: Policy, ns: str) -> None:
    says = "write approval: {mode: Manual}"
    for user in ("eve", "bo"):
        refused(policy.create(user, ns, "{}"), says)
        refused(policy.create(user, ns, "approval: {mode: Automatic}"), says)
    assert policy.create("eve", ns).status_code == 201
    refused(policy.decide("eve", ns, mode="Automatic"), "verb approve")
    refused(policy.decide("ada", ns, mode="Automatic"), says)
    automatic = policy.create(OPERATOR, ns, "approval: {mode: Automatic}", name="trained")
    assert automatic.status_code == 201


def test_a_version_registered_by_hand_may_be_born_approved_by_who_may(
    policy: Policy, ns: str
) -> None:
    spec = "approval: {mode: Manual, decision: Approved, by: %s}"
    refused(policy.create("eve", ns, spec % "eve"), "verb approve")
    refused(policy.create("bo", ns, spec % "ada"), "write bo")
    assert policy.create("bo", ns, spec % "bo").status_code == 201


def test_a_bot_approves_from_git_under_its_own_name(policy: Policy, waiting: str) -> None:
    bot = "system:serviceaccount:argocd:bot"
    refused(policy.apply(bot, waiting, {"by": "ada", **YES}), f"write {bot}")
    assert policy.apply(bot, waiting, {"by": bot, **YES}).status_code == 200


def test_a_restore_brings_decisions_back(policy: Policy, waiting: str) -> None:
    spec = "\n".join(["approval: {mode: Manual, decision: Approved, by: ada}", *CLAIMS.values()])
    made = manifest("ModelVersion", spec, "restored")
    policy.server.create(made, waiting).raise_for_status()


async def test_a_restore_goes_on_under_the_chart_s_policies(policy: Policy, namespace: str) -> None:
    """The operator has its own service account's rights, the tool those that the docs tell."""
    chart = {o["metadata"]["name"] for o in policy.objects if o["kind"].endswith("AdmissionPolicy")}
    assert chart == {"approvals-approvals", "approvals-record"}
    tool, kubectl = "system:serviceaccount:velero:server", policy.server.kubectl
    kubectl("-n", namespace, "create", "rolebinding", "edits", "--clusterrole=approvals-edit",
            f"--user={tool}")  # fmt: skip
    own: JSON = {"namespace": HOME, "watch_namespaces": (namespace,), "leader_election": False}
    own["approval_policy"] = "approvals-approvals"
    async with world(policy.server, namespace) as w, w.operator(user=OPERATOR, **own):
        spec = "{model: elec, uri: 's3://m/1', format: {name: test}, trainingRun: elec-1}"
        w.ns.create(manifest("ModelVersion", spec, "elec-1"))
        w.ns.create(manifest("TrainingRun", "", "begun"))
        model = model_deployment("elec")
        w.ns.create({**model, "spec": {**model["spec"], "model": {"follow": "elec"}}})
        await until(lambda: w.ns.ready("elec").get("status") == "True")
        await quiet(w.ns)
        saved = backup(w.ns, OWN)
        records = [RECORD in o["metadata"].get("annotations", {}) for o in saved]
        assert records == [True] * 3, "ModelDeployment, ModelVersion and TrainingRun"
        delete(w.ns, backup(w.ns))
        await until(lambda: not any(w.ns.all(kind) for kind in (*OWN, "Deployment")))

        def brought(obj: JSON) -> httpx.Response:
            path = BY_KIND[obj["kind"]].path(namespace)
            return policy.send(tool, "POST", path, restored(obj))

        (version,) = (o for o in saved if o["kind"] == "ModelVersion")
        refused(brought(version), "approval: {mode: Manual}")
        for words in (
            ("role", "records", "--verb=record", "--resource=modelversions.evenkeel.dev"),
            ("rolebinding", "records", "--role=records", f"--user={tool}"),
        ):
            kubectl("-n", namespace, "create", *words)
        await until(lambda: brought(version).status_code == 201)
        for obj in saved:
            assert obj is version or brought(obj).status_code == 201
        await until(lambda: w.ns.ready("elec").get("status") == "True")
        await until(lambda: w.ns.ready("begun", "TrainingRun").get("reason") == "Restored")
        await quiet(w.ns)
        assert w.ns.stable_uri("elec") == "s3://m/1"
        assert not w.ns.all("Job")


async def test_the_operator_says_what_the_cluster_lacks(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig = policy.server.kubeconfig_for(OPERATOR)
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    async with await Client.from_environment(field_manager="tests") as client:
        look = ApprovalPolicy(client, "approvals-approvals").look
        assert await look() == ""
        assert "cannot tell" in await ApprovalPolicy(client, "elsewhere").look()
    monkeypatch.setenv("KUBECONFIG", str(policy.server.kubeconfig))
    async with await Client.from_environment(field_manager="tests") as client:
        look = ApprovalPolicy(client, "approvals-approvals").look
        assert "no ValidatingAdmissionPolicy elsewhere" in (
            await ApprovalPolicy(client, "elsewhere").look()
        )
        binding = find(policy.objects, "ValidatingAdmissionPolicyBinding", "approvals-approvals")
        for change, says in (
            ({"validationActions": ["Audit"]}, "does not deny everywhere"),
            (None, "no ValidatingAdmissionPolicyBinding approvals-approvals"),
        ):
            if change is None:
                policy.server.kubectl(
                    "delete", "validatingadmissionpolicybinding", "approvals-approvals"
                )
            else:
                text = yaml.safe_dump({**binding, "spec": {**binding["spec"], **change}})
                policy.server.kubectl("apply", "--server-side", "-f", "-", stdin=text)
            assert says in await look()
        policy.server.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump(binding))
        assert await look() == ""


def test_the_policy_can_be_left_out(render: Render) -> None:
    names = {made["metadata"]["name"] for made in render("approvals.enforced=false")}
    assert "evenkeel-approvals" not in names
