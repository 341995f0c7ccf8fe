"""Every pod of the demonstration fits Pod Security "restricted", and its rules parse as YAML."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from evenkeel.api import API_VERSION, KINDS

from demo.observations import ALERT_THRESHOLD, BAD, FIRST, REQUESTS
from demo.stages import stages
from demo.world import ALERT, FEEDBACK_KEYS, MODEL
from dev.paths import MANIFESTS

FOLDER = MANIFESTS


def _documents() -> Iterator[dict[str, Any]]:
    for path in sorted(FOLDER.glob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text())


PODS: dict[str, dict[str, Any]] = {
    document["metadata"]["name"]: document["spec"]["template"]["spec"]
    for document in _documents()
    if document["kind"] in ("Deployment", "Job")
}


@pytest.mark.parametrize("pod", PODS.values(), ids=PODS)
def test_pods_are_restricted_and_bounded(pod: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        assert container["imagePullPolicy"] == "IfNotPresent"


def test_images_are_those_that_are_built() -> None:
    from dev.images.catalog import IMAGES

    used = {container["image"] for pod in PODS.values() for container in pod["containers"]}
    assert used <= {image.tag for image in IMAGES}
    assert "docker.io/evenkeel/demo:dev" in used


def test_configuration_in_config_maps_parses() -> None:
    parsed = {
        name: yaml.safe_load(text)
        for document in _documents()
        if document["kind"] == "ConfigMap"
        for name, text in document["data"].items()
    }
    alerts = [
        rule["alert"]
        for group in parsed["rules.yml"]["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    assert alerts == ["ModelErrorRateHigh"]
    assert parsed["alertmanager.yml"]["receivers"][0]["webhook_configs"]
    assert parsed["prometheus.yml"]["scrape_configs"][0]["kubernetes_sd_configs"] == [
        {"role": "pod"}
    ]


def test_the_scenario_fits_together() -> None:
    """What one manifest names, another has; the stages' figures are those of the manifests."""
    found = {(d["kind"], d["metadata"]["name"]): d for d in _documents()}
    by_alert, by_drift = (_schedule(f) for f in ("schedule-alert.yaml", "schedule.yaml"))
    model = found["ModelDeployment", "elec2"]["spec"]
    assert model["model"]["follow"] == by_drift["model"] == MODEL
    assert model["monitoring"]["detection"]["blockSeconds"] >= 10
    assert model["monitoring"]["feedback"]["keys"] == {"secretName": FEEDBACK_KEYS}
    assert [s["weight"] for s in model["rollout"]["steps"]] == [20, 50, 80]
    traffic = found["Job", "traffic"]["spec"]["template"]["spec"]["containers"][0]
    env = {e["name"]: e["value"] for e in traffic["env"]}
    assert [env["HOST_HEADER"]] == model["traffic"]["gateway"]["hostnames"]
    assert env["BASELINE_DIR"] == f"/models/{MODEL}/{FIRST}"
    assert float(env["RATE"]) > REQUESTS
    gateway = model["traffic"]["gateway"]["parentRefs"][0]
    assert ("Gateway", gateway["name"]) in found
    for run in (FIRST, BAD):
        assert found["TrainingRun", run]["spec"]["model"] == MODEL
    for manifest in (m for stage in stages("alert") for m in stage.begin):
        assert (FOLDER / manifest).exists()
    rules = yaml.safe_load(found["ConfigMap", "prometheus"]["data"]["rules.yml"])
    rule = next(r for r in rules["groups"][0]["rules"] if r.get("alert") == ALERT)
    assert f"> {ALERT_THRESHOLD}" in rule["expr"]
    matchers = by_alert["triggers"][0]["alert"]["matchers"]
    assert {"name": "alertname", "value": ALERT} in matchers


def test_the_schedules_differ_in_their_trigger_alone() -> None:
    by_alert, by_drift = (_schedule(f) for f in ("schedule-alert.yaml", "schedule.yaml"))
    (trigger,) = by_drift.pop("triggers")
    assert trigger == {"name": "drifted", "drift": {"reasons": ["Data", "Risk"]}}
    assert by_alert.pop("triggers") != []
    assert by_alert == by_drift


def _schedule(file: str) -> dict[str, Any]:
    spec: dict[str, Any] = yaml.safe_load((FOLDER / file).read_text())["spec"]
    return spec


@pytest.mark.parametrize(
    "document",
    [d for d in _documents() if d["apiVersion"] == API_VERSION],
    ids=lambda d: f"{d['kind']}-{d['metadata']['name']}",
)
def test_objects_of_our_kinds_have_no_unknown_field(document: dict[str, Any]) -> None:
    kind = next(k for k in KINDS if k.kind == document["kind"])
    given, known = document["spec"], kind.model_validate(document).model_dump(by_alias=True)["spec"]
    assert set(given) <= set(known)
    for name, value in given.items():
        if isinstance(value, dict) and isinstance(known[name], dict):
            assert set(value) <= set(known[name]), name
