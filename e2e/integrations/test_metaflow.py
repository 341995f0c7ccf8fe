"""New objects in a store begin a flow; its model is fetched from the store and served.

It is the example metaflow with the addresses of the store that the node has.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.paths import ROOT
from dev.stack.install import Stack
from e2e.integrations import desk
from e2e.support.world import World, quiet_afterwards

EXAMPLE = ROOT / "examples" / "metaflow" / "schedule.yaml"
MANIFESTS = Path(__file__).with_name("manifests")
NAME = "tumours"
IMAGE = "example.com/tumours:1"
STORE = "http://store.tumours:7070"
TRIGGER = {
    "name": "new-scans",
    "objects": {
        "uri": "s3://data/scans/",
        "marker": "_SUCCESS",
        "endpoint": STORE,
        "secretName": "store",
        "intervalSeconds": 10,
    },
}
PUT = """
import boto3, sys
store = boto3.client("s3", endpoint_url="http://store:7070", region_name="us-east-1")
for key in sys.argv[1:]:
    store.put_object(Bucket="data", Key=key, Body=key.encode())
"""


@pytest.fixture(scope="module")
def clinic(integrated: Stack) -> Iterator[World]:
    """A namespace with an object store, and a desk from which objects are put there."""
    w = World(integrated, NAME)
    w.kubectl("apply", "-f", str(MANIFESTS / "store.yaml"))
    integrated.rollout(NAME, "store", 300)
    w.apply(desk.manifest(IMAGE, envFrom=[{"secretRef": {"name": "store"}}]))
    desk.wait(w)
    with quiet_afterwards(w):
        yield w


def test_a_complete_folder_begins_a_flow_whose_model_is_served(clinic: World) -> None:
    put(clinic, "scans/day=1/part-0", "scans/day=1/_SUCCESS")
    clinic.apply(*_example())
    clinic.until(
        "the store was read",
        lambda: clinic.condition("retrainschedule", NAME, "SourcesRead").get("status") == "True",
    )
    put(clinic, "scans/day=2/part-0")
    put(clinic, "scans/day=2/_SUCCESS")
    run = clinic.until("a run was made", lambda: clinic.objects("trainingruns"))[0]["metadata"]
    clinic.until("it ends", lambda: _ended(clinic, run["name"]), 600)
    (version,) = clinic.until("its version is there", lambda: clinic.objects("modelversions"))
    assert version["spec"]["codeRevision"].startswith("TumourFlow/")
    assert version["spec"]["uri"].startswith("s3://models/tumours/")
    assert {s["name"] for s in version["spec"]["slices"]} == {"small", "large"}
    (data,) = version["spec"]["data"]
    assert data["uri"] == "s3://data/scans/"
    clinic.ready(NAME, 300)
    assert len(clinic.objects("trainingruns")) == 1


def put(world: World, *keys: str) -> None:
    """Puts an object under each key, one after the other."""
    desk.run(world, PUT, *keys)


def _ended(world: World, run: str) -> bool:
    succeeded = world.condition("trainingrun", run, "Succeeded")
    return succeeded.get("status") in ("True", "False")


def _example() -> list[dict[str, Any]]:
    schedule, deployment = yaml.safe_load_all(EXAMPLE.read_text())
    schedule["spec"]["triggers"] = [TRIGGER]
    (trainer,) = schedule["spec"]["training"]["podTemplate"]["spec"]["containers"]
    trainer["imagePullPolicy"] = "IfNotPresent"
    trainer["resources"] = {"requests": {"cpu": "100m", "memory": "256Mi"}}
    trainer["envFrom"] = [{"secretRef": {"name": "store"}}]
    own = {"METAFLOW_S3_ENDPOINT_URL": STORE, "AWS_DEFAULT_REGION": "us-east-1"}
    kept = [e for e in trainer["env"] if e["name"] not in own]
    trainer["env"] = [*kept, *({"name": k, "value": v} for k, v in own.items())]
    deployment["spec"]["model"]["storage"] = {"secretName": "fetch"}
    secret = {
        "AWS_ACCESS_KEY_ID": "store",
        "AWS_SECRET_ACCESS_KEY": "only-for-these-tests",
        "AWS_ENDPOINT_URL": "http://store:7070",
        "AWS_DEFAULT_REGION": "us-east-1",
        "S3_USE_HTTPS": "0",
    }
    fetch = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "fetch"},
        "stringData": secret,
    }
    return [fetch, schedule, deployment]
