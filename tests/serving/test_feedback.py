"""The server for labels, and what a model's pods have of its keys."""

from __future__ import annotations

from typing import Any

import pytest
from evenkeel.meta.names import child_name
from evenkeel.serving.children import selector
from evenkeel.serving.feedback import feedback_objects

from tests.support.serving_examples import SETTINGS, assert_owned, built, model_deployment

IMAGE = SETTINGS.meter_image
KEYS = {"keys": {"secretName": "fraud-keys"}}


def objects(name: str = "fraud", **feedback: Any) -> list[dict[str, Any]]:
    md = model_deployment(name, monitoring={"feedback": {**KEYS, **feedback}})
    return feedback_objects(md, IMAGE)


def pod(**feedback: Any) -> dict[str, Any]:
    template: dict[str, Any] = objects(**feedback)[0]["spec"]["template"]
    return template


def variables(container: dict[str, Any]) -> dict[str, str]:
    return {e["name"]: e["value"] for e in container["env"]}


@pytest.mark.parametrize("monitoring", [None, {}])
def test_without_feedback_there_is_none(monitoring: Any) -> None:
    assert feedback_objects(model_deployment(monitoring=monitoring), IMAGE) == []


def test_the_service_leads_to_the_one_pod_of_the_deployment() -> None:
    deployment, service = objects()
    assert [o["metadata"]["name"] for o in (deployment, service)] == ["fraud-feedback"] * 2
    assert_owned(deployment)
    assert_owned(service)
    spec = deployment["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    labels = spec["template"]["metadata"]["labels"]
    for found in (spec["selector"]["matchLabels"], service["spec"]["selector"]):
        assert found
        assert found.items() <= labels.items()
    (port,) = service["spec"]["ports"]
    (container,) = spec["template"]["spec"]["containers"]
    numbers = {p["name"]: p["containerPort"] for p in container["ports"]}
    assert (port["name"], port["port"]) == ("http", 80)
    assert variables(container)["FEEDBACK_LISTEN"] == f":{numbers[port['targetPort']]}"
    assert (container["image"], container["args"]) == (IMAGE, ["feedback"])


def test_nothing_takes_its_pod_for_one_of_the_models() -> None:
    assert not selector(model_deployment(), None).items() <= pod()["metadata"]["labels"].items()


def test_prometheus_finds_its_metrics_as_those_of_models() -> None:
    made = pod()
    (container,) = made["spec"]["containers"]
    numbers = {p["name"]: p["containerPort"] for p in container["ports"]}
    annotations = made["metadata"]["annotations"]
    assert annotations["prometheus.io/scrape"] == "true"
    assert annotations["prometheus.io/port"] == str(numbers["metrics"])
    assert variables(container)["FEEDBACK_ADMIN_LISTEN"] == f":{numbers['metrics']}"
    assert {container[p]["httpGet"]["port"] for p in ("readinessProbe", "livenessProbe")} == {
        "metrics"
    }


def test_what_the_spec_says_is_told() -> None:
    (container,) = pod(maxAgeSeconds=60, windowSeconds=30, loss={"threshold": "0.5"})["spec"][
        "containers"
    ]
    told = variables(container)
    assert told["FEEDBACK_DEPLOYMENT"] == "fraud"
    assert told["FEEDBACK_MAX_AGE_SECONDS"] == "60"
    assert told["FEEDBACK_WINDOW_SECONDS"] == "30"
    assert told["FEEDBACK_LOSS_THRESHOLD"] == "0.5"
    (classes,) = pod()["spec"]["containers"]
    assert "FEEDBACK_LOSS_THRESHOLD" not in variables(classes)


def mounted(spec: dict[str, Any], container: dict[str, Any], path: str) -> dict[str, Any]:
    """The volume that a container has at the path."""
    mount = next(m for m in container["volumeMounts"] if m["mountPath"] == path)
    volume: dict[str, Any] = next(v for v in spec["volumes"] if v["name"] == mount["name"])
    return {**volume, "readOnly": mount.get("readOnly", False)}


def test_it_keeps_what_was_seen_on_the_claim() -> None:
    for claim, source in (
        (None, {"emptyDir": {}}),
        ("c", {"persistentVolumeClaim": {"claimName": "c"}}),
    ):
        spec = pod(claimName=claim)["spec"]
        (container,) = spec["containers"]
        assert ("fsGroup" in spec["securityContext"]) == (claim is not None)
        folder = mounted(spec, container, variables(container)["FEEDBACK_FOLDER"])
        assert source.items() <= folder.items()
        assert not folder["readOnly"]


def test_signer_and_server_have_the_same_keys_and_neither_waits_for_them() -> None:
    model = built(model_deployment(monitoring={"feedback": KEYS}))["spec"]
    meter = next(c for c in model["containers"] if c["name"] == "meter")
    server = pod()["spec"]
    secret = {"secretName": "fraud-keys", "optional": True}
    for spec, container, name in (
        (model, meter, "METER_KEYS"),
        (server, server["containers"][0], "FEEDBACK_KEYS"),
    ):
        keys = mounted(spec, container, variables(container)[name])
        assert (keys["secret"], keys["readOnly"]) == (secret, True)


def test_only_the_meter_has_the_keys() -> None:
    plain = built(model_deployment(monitoring={}))["spec"]
    signing = built(model_deployment(monitoring={"feedback": KEYS}))["spec"]
    assert [c for c in signing["containers"] if c["name"] != "meter"] == [
        c for c in plain["containers"] if c["name"] != "meter"
    ]


def test_the_meter_is_told_the_slices() -> None:
    for slices, told in (([], None), (["region", "a $(b)"], "region,a $$(b)")):
        md = model_deployment(monitoring={"feedback": {**KEYS, "slices": slices}})
        meter = next(c for c in built(md)["spec"]["containers"] if c["name"] == "meter")
        assert variables(meter).get("METER_SLICES") == told


def test_resources_are_the_users_own() -> None:
    assert pod()["spec"]["containers"][0]["resources"]["limits"]
    assert pod(resources={"limits": {"memory": "1Gi"}})["spec"]["containers"][0]["resources"] == {
        "limits": {"memory": "1Gi"}
    }


def test_long_names_are_cut_and_told_apart() -> None:
    names = {objects("a" * 62 + end)[0]["metadata"]["name"] for end in "bc"}
    assert len(names) == 2
    assert all(len(name) <= 63 and name.endswith("-feedback") for name in names)
    assert names == {child_name("a" * 62 + end, "feedback") for end in "bc"}
