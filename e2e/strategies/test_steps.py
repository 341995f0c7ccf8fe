"""Steps on the node: a smoke test by a Job, a gate outside and an approval, on real pods."""

from __future__ import annotations

import json
from typing import Any

from e2e.support.pods import pod
from e2e.support.world import RECORD, SKLEARN, World, deployment

JSON = dict[str, Any]
GOOD = {"uri": "pvc://models/elec2/good", "format": SKLEARN}
IMAGE = "docker.io/evenkeel/demo:dev"

# Asks both revisions by themselves; WANTED is how many outputs an answer has to have.
SMOKE = """
import json, os, sys, time, urllib.request
def asked(url):
    path = f"{url}/v2/models/{os.environ['EVENKEEL_DEPLOYMENT']}/infer"
    request = urllib.request.Request(
        path, os.environ["RECORD"].encode(), {"Content-Type": "application/json"}
    )
    for attempt in range(30):
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return json.load(answer)
        except OSError as error:
            words = error
            time.sleep(1)
    sys.exit(f"no answer of {url}: {words}")
for name in ("EVENKEEL_URL", "EVENKEEL_STABLE_URL"):
    outputs = asked(os.environ[name])["outputs"]
    if len(outputs) != int(os.environ["WANTED"]):
        sys.exit(f"{name}: {len(outputs)} outputs, not {os.environ['WANTED']}")
"""

# Says to wait twice, then lets pass; it shows whom it was asked about.
GATE = """
import http.server, json
class Gate(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_POST(self):
        Gate.asked += 1
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        print(json.dumps({"id": self.headers["webhook-id"], **body}), flush=True)
        said = {"allow": True} if Gate.asked > 2 else {"wait": True, "message": "not yet"}
        text = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
http.server.HTTPServer(("", 8080), Gate).serve_forever()
"""


def smoke(wanted: int) -> JSON:
    env = {"WANTED": str(wanted), "RECORD": json.dumps(RECORD)}
    container = {
        "name": "smoke",
        "image": IMAGE,
        "command": ["python3", "-c", SMOKE],
        "env": [{"name": name, "value": value} for name, value in env.items()],
    }
    return {"podTemplate": {"spec": {"containers": [container]}}}


def serving(world: World, name: str, step: JSON) -> str:
    """Serves with that step before the last; the stable revision."""
    step = {"preview": {}, "analysis": False, **step}
    world.apply(deployment(name, GOOD, rollout={"steps": [step]}))
    world.ready(name)
    stable: str = world.deployment(name)["stable"]["revision"]
    world.patch("mdep", name, {"env": [{"name": "REVISION", "value": "two"}]})
    return stable


def reason(world: World, name: str) -> str:
    return str((world.deployment(name).get("canary") or {}).get("reason", ""))


def test_a_smoke_test_passes_and_a_person_approves(world: World) -> None:
    name = "approved"
    stable = serving(world, name, {"job": smoke(1), "approval": True})
    world.until("the step waits", lambda: reason(world, name) == "AwaitingApproval")
    canary = world.deployment(name)["canary"]
    assert canary["job"]["outcome"] == "Passed"
    assert world.deployment(name)["stable"]["revision"] == stable
    approval = {"revision": canary["revision"], "step": 1}
    world.patch("mdep", name, {"rollout": {"approve": approval}})
    world.until(
        "it is promoted",
        lambda: world.deployment(name)["stable"]["revision"] == canary["revision"],
    )
    world.until(
        "its Job is gone", lambda: not world.objects("jobs", f"evenkeel.dev/step-job={name}")
    )


def test_a_smoke_test_that_fails_takes_the_canary_back(world: World) -> None:
    name = "smoked"
    stable = serving(world, name, {"job": smoke(2), "pauseSeconds": 3600})
    world.until("it goes back", lambda: world.deployment(name).get("history"))
    status = world.deployment(name)
    outcome = status["history"][0]
    assert (outcome["reason"], outcome["cause"]) == ("StepJobFailed", "Model")
    assert "EVENKEEL_URL: 1 outputs, not 2" in outcome["message"]
    assert status["stable"]["revision"] == stable


def test_a_gate_outside_lets_it_pass_when_it_says_so(world: World) -> None:
    name, gate = "gated", "gate"
    container = {
        "image": IMAGE,
        "command": ["python3", "-c", GATE],
        "ports": [{"containerPort": 8080}],
    }
    service = {"selector": {"app": gate}, "ports": [{"port": 80, "targetPort": 8080}]}
    world.apply(
        pod(gate, container, {"app": gate}),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": gate}, "spec": service},
    )
    world.until("the gate runs", lambda: world.get("pod", gate)["status"].get("phase") == "Running")
    url = f"http://{gate}.{world.namespace}.svc/confirm"
    stable = serving(world, name, {"webhook": {"url": url, "intervalSeconds": 5}})
    world.until("it says to wait", lambda: reason(world, name) == "GateWaiting")
    canary = world.deployment(name)["canary"]
    assert "asks to wait: not yet" in canary["message"]
    world.until(
        "it is promoted",
        lambda: world.deployment(name)["stable"]["revision"] == canary["revision"],
    )
    logged = world.kubectl("logs", gate).splitlines()
    asked = [line for line in logged if line.startswith("{")]
    assert len({line.split(",")[0] for line in asked}) == 1, "one delivery"
    assert all(canary["revision"] in line and stable in line for line in asked)
    world.kubectl("delete", "pod,service", gate, "--wait=false")
