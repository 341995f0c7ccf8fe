"""Trains on every node a shard of the clicks; rank 0 averages the nodes' models and reports.

No framework: nodes find each other by the variables that Kubeflow Trainer gives to torchrun, and
exchange parameters by a socket. With PyTorch, torchrun and its collectives stand here.
"""

import json
import os
import pickle
import socket
import time
from pathlib import Path

import joblib
import numpy as np
from evenkeel.trainer.profile import profile
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import roc_auc_score

RANK = int(os.environ.get("PET_NODE_RANK", os.environ.get("JOB_COMPLETION_INDEX", "0")))
NODES = int(os.environ.get("PET_NNODES", "1"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
FEATURES = ("age_of_item", "similarity", "seen_before", "price_rank")
PATIENCE = 300.0
"""Seconds until the other nodes have to be there."""


def clicks(seed: int, count: int = 8000) -> tuple[np.ndarray, np.ndarray]:
    """What visitors were shown, and whether they clicked. Replace it by your own shard."""
    draw = np.random.default_rng(seed)
    shown = draw.normal(size=(count, len(FEATURES)))
    wish = shown @ np.array([-0.6, 1.4, -0.9, 0.3]) - 0.5
    return shown, (draw.random(count) < 1 / (1 + np.exp(-wish))).astype(int)


def address() -> tuple[str, int]:
    return os.environ.get("PET_MASTER_ADDR", "127.0.0.1"), int(
        os.environ.get("PET_MASTER_PORT", "29400")
    )


def peers() -> list[socket.socket]:
    """Rank 0's connections to all others, or theirs to it."""
    if RANK == 0:
        server = socket.create_server(("", address()[1]))
        server.settimeout(PATIENCE)
        return [server.accept()[0] for _ in range(NODES - 1)]
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return [socket.create_connection(address(), timeout=PATIENCE)]
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(1)


def send(peer: socket.socket, weights: np.ndarray) -> None:
    data = pickle.dumps(weights)
    peer.sendall(len(data).to_bytes(8, "big") + data)


def receive(peer: socket.socket) -> np.ndarray:
    with peer.makefile("rb") as stream:
        return pickle.loads(stream.read(int.from_bytes(stream.read(8), "big")))


def averaged(weights: np.ndarray, others: list[socket.socket]) -> np.ndarray:
    """The mean over all nodes, the same on each."""
    if RANK != 0:
        send(others[0], weights)
        return receive(others[0])
    mean = np.mean([weights, *(receive(peer) for peer in others)], axis=0)
    for peer in others:
        send(peer, mean)
    return mean


def main() -> None:
    shown, clicked = clicks(seed=100 + RANK)
    model = SGDClassifier(loss="log_loss", random_state=RANK)
    others = peers()
    for _ in range(ROUNDS):
        model.partial_fit(shown, clicked, classes=[0, 1])
        mean = averaged(np.append(model.coef_[0], model.intercept_), others)
        model.coef_, model.intercept_ = mean[None, :-1], mean[-1:]
    print(f"rank {RANK} of {NODES}: {np.round(model.coef_[0], 3)}")
    if RANK == 0:
        report(model)


def report(model: SGDClassifier) -> None:
    shown, clicked = clicks(seed=1)
    run = os.environ["EVENKEEL_RUN"]
    folder = Path("/models/recommendations") / run
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "model.joblib")
    profile(shown, model.predict(shown), names=FEATURES).save(folder)
    result = {
        "uri": f"pvc://models/recommendations/{run}",
        "format": {"name": "sklearn"},
        "metrics": {
            "auc": round(float(roc_auc_score(clicked, model.decision_function(shown))), 4),
            "nodes": NODES,
        },
    }
    Path("/dev/termination-log").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
