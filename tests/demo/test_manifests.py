"""Every pod of the demonstration fits Pod Security "restricted", and its rules parse as YAML."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "demo" / "manifests"


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
    from images.catalog import IMAGES

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
    assert alerts == ["ModelErrorRateHigh", "FeatureDrift"]
    assert parsed["alertmanager.yml"]["receivers"][0]["webhook_configs"]
    assert parsed["prometheus.yml"]["scrape_configs"][0]["kubernetes_sd_configs"] == [
        {"role": "pod"}
    ]
