"""Labels that come late: posted with the tokens of answers, they take a wrong version back."""

from __future__ import annotations

import json
import secrets
from typing import Any

from e2e.support.pods import pod
from e2e.support.world import RECORD, SKLEARN, World, deployment, run

NAME = "labelled"
KEYS = "labelled-keys"
# Asks, and posts each answer's label forty answers later: the class of the very first answer.
LABELLER = """
import collections, http.client, json, time
count, late, codes, revisions, taken = 12_000, collections.deque(), {}, {}, 0
truth, began = None, time.monotonic()
def post(host, path, body):
    c = http.client.HTTPConnection(host, timeout=10)
    c.request("POST", path, body, {"Content-Type": "application/json"})
    answer = c.getresponse()
    text = answer.read()
    c.close()
    return answer, text
for n in range(count):
    time.sleep(max(0.0, began + n / 20 - time.monotonic()))
    try:
        answer, text = post("NAME", "/v2/models/NAME/infer", '''RECORD''')
        code = str(answer.status)
        if answer.status == 200:
            said = json.loads(text)["outputs"][0]["data"][0]
            truth = said if truth is None else truth
            revision = answer.headers["Evenkeel-Revision"]
            revisions[revision] = revisions.get(revision, 0) + 1
            late.append(answer.headers["Evenkeel-Feedback-Token"])
        if len(late) > 40:
            line = json.dumps({"token": late[0], "label": truth})
            answer, text = post("NAME-feedback", "/v1/feedback", line)
            if answer.status == 200:
                late.popleft()
                taken += json.loads(text)["accepted"]
    except OSError as error:
        code = type(error).__name__
    codes[code] = codes.get(code, 0) + 1
    if n % 10 == 9:
        print(json.dumps({"codes": codes, "revisions": revisions, "taken": taken}), flush=True)
"""


def test_late_labels_take_a_version_back_whose_requests_all_succeed(world: World) -> None:
    """It was trained on turned labels. Nothing but what comes true can tell."""
    world.stack.secret(world.namespace, KEYS, "1", secrets.token_hex(32))
    world.apply(run("turned", "elec2", {"DATA_UNTIL": "16464", "MISTAKE": "inverted-labels"}))
    model = {"uri": "pvc://models/elec2/good", "format": SKLEARN}
    late = {"name": "labels", "maxRatio": "0.5"}
    world.apply(
        deployment(
            NAME,
            model,
            replicas=1,
            monitoring={"spacingMilliseconds": 0, "feedback": {"keys": {"secretName": KEYS}}},
            rollout={"probation": {"seconds": 3600, "indicators": [late]}},
            analysis={"minRequests": 20, "indicators": [{"name": "errors"}]},
        )
    )
    world.ready(NAME)
    first = world.deployment(NAME)["stable"]["revision"]
    source = LABELLER.replace("NAME", NAME).replace("RECORD", json.dumps(RECORD))
    container = {"image": "docker.io/evenkeel/demo:dev", "command": ["python3", "-c", source]}
    world.apply(pod("labeller", container, restartPolicy="Never", activeDeadlineSeconds=900))
    world.until("labels are taken", lambda: _told(world).get("taken", 0) > 20)
    version = world.until("the other version is there", lambda: _version(world, "turned"))
    world.patch("mdep", NAME, {"model": {"uri": None, "format": None, "version": version}})
    stages: set[str | None] = set()

    def back() -> bool:
        status = world.deployment(NAME)
        stages.add((status.get("canary") or {}).get("stage"))
        return bool(status["history"]) and not status.get("canary")

    world.until("it has gone back", back, 300)
    status = world.deployment(NAME)
    assert (status["stable"]["revision"], stages & {"Probation"}) == (first, {"Probation"})
    last = status["history"][0]
    assert (last["outcome"], last["reason"]) == ("RolledBack", "AboveMaxRatio"), last
    record = world.get("modelversion", version)["status"]["rollouts"][-1]
    assert record["outcome"] == "RolledBack"
    assert "labels: " in record["message"], record
    before = _told(world)
    world.until(
        "the former revision answers",
        lambda: _told(world)["revisions"][first] > before["revisions"][first] + 50,
    )
    told = _told(world)
    assert set(told["codes"]) == {"200"}, told
    assert told["revisions"][last["revision"]] > 20, told
    world.kubectl("delete", f"mdep/{NAME}", "pod/labeller", f"secret/{KEYS}", "--wait=false")


def _told(world: World) -> dict[str, Any]:
    """What the labeller has printed last."""
    found: dict[str, Any] = world.codes("labeller")
    return found


def _version(world: World, name: str) -> str:
    """The ModelVersion of a TrainingRun; "" while there is none."""
    return str(world.get("trainingrun", name).get("status", {}).get("modelVersion") or "")
