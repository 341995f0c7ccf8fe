"""Clients of language models: they ask for streamed answers, and read each to its end."""

from __future__ import annotations

from typing import Any

from e2e.support.pods import pod

# Runs in a pod: bounded in number and time, one connection a request so that shares show. An
# answer is told by its code, and by `broken` if its stream ended without [DONE].
CLIENT = """
import http.client, json, os, sys, threading, time
target, body = os.environ["TARGET"], os.environ["BODY"]
count, workers, rate = (int(os.environ[n]) for n in ("COUNT", "WORKERS", "RATE"))
told, lock, began = {"chunks": 0}, threading.Lock(), time.monotonic()

def ask():
    c = http.client.HTTPConnection(target, timeout=30)
    try:
        c.request("POST", "/v1/completions", body, {"Content-Type": "application/json"})
        answer, chunks, last = c.getresponse(), 0, b""
        for line in answer:
            if line.startswith(b"data: "):
                chunks, last = chunks + 1, line.strip()
        whole = answer.status != 200 or last == b"data: [DONE]"
        return str(answer.status) if whole else "broken", chunks
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__, 0
    finally:
        c.close()

def work(first):
    for n in range(first, count, workers):
        time.sleep(max(0, began + n / rate - time.monotonic()))
        code, chunks = ask()
        with lock:
            told[code], told["chunks"] = told.get(code, 0) + 1, told["chunks"] + chunks

threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(workers)]
for thread in threads:
    thread.start()
while any(thread.is_alive() for thread in threads):
    time.sleep(1)
    with lock:
        print(json.dumps(told), flush=True)
"""


def streaming(
    name: str, target: str, body: str, *, count: int, rate: int, workers: int = 4
) -> dict[str, Any]:
    """A pod that asks `count` times, `rate` times a second at most, and prints its answers."""
    env = {
        "TARGET": target,
        "BODY": body,
        "COUNT": str(count),
        "WORKERS": str(workers),
        "RATE": str(rate),
    }
    container = {
        "image": "docker.io/evenkeel/demo:dev",
        "command": ["python3", "-c", CLIENT],
        "env": [{"name": k, "value": v} for k, v in env.items()],
    }
    return pod(name, container, restartPolicy="Never", activeDeadlineSeconds=900)
