"""The whole loop with MLflow: a trainer that only logs to it, a registry that tells the verdict.

It is the example dynamic-pricing, as its README has its reader do it.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from dev.paths import ROOT
from e2e.support.world import World

EXAMPLE = ROOT / "examples" / "dynamic-pricing"
MODEL = "pricing"
RECORD: dict[str, Any] = {
    "parameters": {"content_type": "pd"},
    "inputs": [
        {"name": name, "shape": [1], "datatype": "FP64", "data": [value]}
        for name, value in (("price", 120.0), ("days_ahead", 14.0), ("season", 0.3))
    ],
}
ANALYSIS = {"minRequests": 20, "indicators": [{"name": "errors", "acceptable": "0.02"}]}
ASK = """
import json, os
os.environ["MLFLOW_TRACKING_USERNAME"] = "admin"
os.environ["MLFLOW_TRACKING_PASSWORD"] = "only-for-these-tests"
from mlflow import MlflowClient
client = MlflowClient("http://127.0.0.1:5000")
model = client.get_registered_model("pricing")
versions = client.search_model_versions("name='pricing'")
print(json.dumps({
    "aliases": {a: str(v) for a, v in model.aliases.items()},
    "tags": {str(v.version): dict(v.tags) for v in versions},
}))
"""


def test_from_alert_to_alias_and_back(teams: World) -> None:
    teams.kubectl("apply", "-k", str(EXAMPLE))
    teams.patch("rts", MODEL, {"cooldownSeconds": 20})
    teams.patch("mdep", MODEL, {"analysis": ANALYSIS, "replicas": 1})
    first = trained(teams, "one")
    teams.ready(MODEL, 600)
    assert registered(teams, first) == "1"
    teams.until("the alias means version 1", lambda: champion(teams) == "1")

    teams.load("pricing-load", MODEL, MODEL, count=15_000, rate=25, body=RECORD)
    teams.until("requests are answered", lambda: teams.codes("pricing-load").get("200", 0) > 50)
    teams.patch("rts", MODEL, {"training": {"parameters": {"DEGREE": "3"}}})
    second = trained(teams, "two")
    teams.until("the second is promoted", partial(outcome, teams, second, "Promoted"), 600)
    teams.until("the alias means version 2", lambda: champion(teams) == "2")

    mistaken(teams)
    third = trained(teams, "three")
    teams.until("the third is rolled back", partial(outcome, teams, third, "RolledBack"), 600)
    teams.until("the registry knows", lambda: "RolledBack" in told(teams, "3"))
    assert champion(teams) == "2"
    assert teams.codes("pricing-load").get("200", 0) > 100
    chain = teams.get("modelversion", second)["status"]["lineage"]
    for link in ("alert DemandShifted", "gates 2/2 passed", "version 2 of pricing", "Promoted"):
        assert link in chain
    teams.stop("pricing-load")


def trained(world: World, instance: str) -> str:
    """An alert begins a training; the name of its version once the registry has it."""
    before = {v["metadata"]["name"] for v in world.objects("modelversions")}
    labels = {"alertname": "DemandShifted", "namespace": world.namespace, "instance": instance}
    world.alert(labels, seconds=10)

    def made() -> str | None:
        fresh = {v["metadata"]["name"]: v for v in world.objects("modelversions")}
        names = fresh.keys() - before
        done = [n for n in names if fresh[n].get("status", {}).get("registered")]
        return done[0] if done else None

    found: str = world.until(f"training {instance} has a registered version", made, 600)
    return found


def registered(world: World, version: str) -> str:
    """The number of the ModelVersion in the registry."""
    status = world.get("modelversion", version)["status"]
    return str(status["registered"]["version"])


def outcome(world: World, version: str, wanted: str) -> bool:
    """Whether that became of the version."""
    rollouts = world.get("modelversion", version)["status"].get("rollouts", [])
    return [r["outcome"] for r in rollouts] == [wanted]


def mistaken(world: World) -> None:
    """The trainer's next commit renames a column that clients send under its former name."""
    script = (EXAMPLE / "train.py").read_text()
    wrong = script.replace('"price": price', '"unit_price": price')
    wrong = wrong.replace('features = ["price"', 'features = ["unit_price"')
    assert wrong.count("unit_price") == 2
    patch = {"data": {"train.py": wrong}}
    world.kubectl("patch", "configmap", "pricing-trainer", "-p", json.dumps(patch))


def asked(world: World) -> dict[str, Any]:
    """What MLflow's own client tells of the registered model."""
    answer = world.kubectl("exec", "deploy/mlflow", "--", "python3", "-c", ASK)
    found: dict[str, Any] = json.loads(answer.strip().splitlines()[-1])
    return found


def champion(world: World) -> str | None:
    """The version that the alias means."""
    found: str | None = asked(world)["aliases"].get("champion")
    return found


def told(world: World, version: str) -> str:
    """All tags of a version."""
    return json.dumps(asked(world)["tags"].get(version, {}))
