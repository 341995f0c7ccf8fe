"""Many requests from inside a pod, of which none may be lost: each that fails tells its error."""

from __future__ import annotations

import json
from typing import Any

from dev.cluster.errors import ClusterError
from e2e.support.pods import pod
from e2e.support.world import RECORD, World

JSON = dict[str, Any]

# Bounded in number, in time and in how many are under way. Of the clients every other one keeps its
# connection, as pools do, and the others make one for each request. Nothing is tried again.
BURST = """
import http.client, json, os, threading, time
env = os.environ
count, rate, clients = int(env["COUNT"]), float(env["RATE"]), int(env["CLIENTS"])
headers = {"Content-Type": "application/json", "Host": env["HOST"] or env["TARGET"]}
headers.update(json.loads(env["HEADERS"]))
lock, began = threading.Lock(), time.monotonic()
told = {"sent": 0, "codes": {}, "lost": [], "answered_by": {}, "cookies": {}}

def next_one():
    with lock:
        n = told["sent"]
        if n >= count:
            return None
        told["sent"] = n + 1
    wait = began + n / rate - time.monotonic()
    if wait > 0:
        time.sleep(wait)
    return n

def note(code, revision="", cookie="", why=""):
    with lock:
        told["codes"][code] = told["codes"].get(code, 0) + 1
        if revision:
            told["answered_by"][revision] = told["answered_by"].get(revision, 0) + 1
        if cookie:
            told["cookies"][cookie] = told["cookies"].get(cookie, 0) + 1
        if why and len(told["lost"]) < 20:
            told["lost"].append(f"{time.monotonic() - began:.1f} s: {why}")

def client(keeps):
    connection = http.client.HTTPConnection(env["TARGET"], timeout=30)
    while next_one() is not None:
        try:
            connection.request("POST", env["REQUEST_PATH"], env["BODY"], headers)
            answer = connection.getresponse()
            body = answer.read()
            why = "" if answer.status == 200 else f"{answer.status} {body[:200]!r}"
            revision = answer.getheader("Evenkeel-Revision") or ""
            note(str(answer.status), revision, answer.getheader("Set-Cookie") or "", why)
            if not keeps or answer.getheader("Connection") == "close":
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            kind = "kept" if keeps else "new"
            note(type(error).__name__, why=f"on a {kind} connection: {error!r}")
            connection.close()

threads = [threading.Thread(target=client, args=(n % 2 == 0,)) for n in range(clients)]
for thread in threads:
    thread.start()
while any(thread.is_alive() for thread in threads):
    time.sleep(0.5)
    with lock:
        print(json.dumps(told), flush=True)
print(json.dumps(told | {"ended": True}), flush=True)
"""


class Burst:
    """A pod that sends requests to a model."""

    def __init__(
        self,
        world: World,
        name: str,
        target: str,
        model: str,
        *,
        count: int,
        rate: float,
        clients: int = 8,
        host: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        self.world, self.name, self.count = world, name, count
        env = {
            "TARGET": target,
            "HOST": host,
            "HEADERS": json.dumps(headers or {}),
            "REQUEST_PATH": f"/v2/models/{model}/infer",
            "COUNT": str(count),
            "RATE": str(rate),
            "CLIENTS": str(clients),
            "BODY": json.dumps(RECORD),
        }
        container = {
            "image": "docker.io/evenkeel/demo:dev",
            "command": ["python3", "-c", BURST],
            "env": [{"name": k, "value": v} for k, v in env.items()],
        }
        world.apply(pod(name, container, restartPolicy="Never", activeDeadlineSeconds=600))

    def told(self) -> JSON:
        """What it has sent, and what was answered, so far."""
        try:
            lines = self.world.kubectl("logs", self.name, "--tail=1").strip().splitlines()
        except ClusterError as error:
            if "waiting to start" in error.cause:
                return {"sent": 0}
            raise
        found: JSON = json.loads(lines[-1]) if lines else {"sent": 0}
        return found

    def has_sent(self, number: int) -> bool:
        """Whether it is under way so far."""
        return int(self.told()["sent"]) >= number

    def ended(self, seconds: float = 300) -> JSON:
        """Waits for its end; fails with the errors of requests that were lost."""
        done: JSON = self.world.until(
            f"{self.name} has sent all requests", lambda: self._end(), seconds
        )
        self.world.kubectl("delete", "pod", self.name, "--wait=false")
        assert not done["lost"], f"{self.name} lost requests: {done}"
        assert done["codes"] == {"200": self.count}, done
        return done

    def _end(self) -> JSON | None:
        told = self.told()
        return told if told.get("ended") else None
