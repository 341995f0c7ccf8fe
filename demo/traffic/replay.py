"""Sends the stream's records to the model at a bounded rate."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from demo.data.elec2 import Elec2
from demo.traffic.labels import DelayedLabels, Outcome
from demo.traffic.metrics import Metrics
from demo.traffic.settings import Settings

CONCURRENCY = 16
TIMEOUT_SECONDS = 5.0
CLASSES = ("down", "up")
Classes = NDArray[np.int64]


class Replay:
    """One replay of the stream; `labels.labelled` says how far its labels are known.

    baseline: another model's class for each of the replayed records.
    """

    def __init__(
        self, chosen: Settings, data: Elec2, metrics: Metrics, baseline: Classes | None = None
    ) -> None:
        self._chosen = chosen
        self._data = data
        self._metrics = metrics
        self._baseline = baseline
        self.labels = DelayedLabels(max(0, chosen.start - chosen.delay), chosen.delay)

    async def run(self, client: httpx.AsyncClient) -> int:
        """Sends records until a bound is reached; returns how many were sent.

        A request that cannot start in time waits for one of CONCURRENCY places, so that a slow
        server slows the replay down and is never flooded.
        """
        places = asyncio.Semaphore(CONCURRENCY)
        began = time.monotonic()
        chosen = self._chosen
        sent = 0
        async with asyncio.TaskGroup() as group:
            for number, record in enumerate(self._requests()):
                wait = began + number / chosen.rate - time.monotonic()
                await asyncio.sleep(max(0.0, wait))
                await places.acquire()
                if time.monotonic() - began >= chosen.seconds:
                    places.release()
                    break
                task = group.create_task(self._one(client, record))
                task.add_done_callback(lambda _: places.release())
                if record - chosen.start == sent:
                    sent += 1
                    self._after(record)
        # Answers to the last records may have come after the loop looked.
        self._judge(chosen.start + sent)
        return sent

    def _requests(self) -> Iterator[int]:
        """The number of the record that each request asks about."""
        chosen = self._chosen
        for record in range(chosen.start, chosen.start + chosen.records):
            for _ in range(chosen.clients if record >= chosen.busy_from else 1):
                yield record

    def _after(self, record: int) -> None:
        self._metrics.record.labels(self._chosen.model).set(record)
        self._judge(record + 1)

    def _judge(self, sent: int) -> None:
        model, metrics = self._chosen.model, self._metrics
        for outcome in self.labels.arrived(sent):
            metrics.labelled.labels(model, outcome.version, _text(outcome.correct)).inc()
            if self._baseline is not None:
                said = self._baseline[outcome.record - self._chosen.start]
                right = bool(said == self._data.up[outcome.record])
                metrics.baseline.labels(model, _text(right)).inc()

    async def _one(self, client: httpx.AsyncClient, record: int) -> None:
        model = self._chosen.model
        began = time.perf_counter()
        try:
            answer = await client.post(
                f"{self._chosen.url}/v2/models/{model}/infer",
                json=request(self._data.features[record]),
                headers={"Host": self._chosen.host} if self._chosen.host else None,
            )
        except httpx.HTTPError:
            self._metrics.requests.labels(model, "error").inc()
            return
        self._metrics.latency.labels(model).observe(time.perf_counter() - began)
        self._metrics.requests.labels(model, str(answer.status_code)).inc()
        if answer.status_code != httpx.codes.OK:
            return
        predicted, version = prediction(answer.json())
        self._metrics.predictions.labels(model, version, CLASSES[predicted]).inc()
        correct = predicted == int(self._data.up[record])
        self.labels.predicted(Outcome(record, version, correct))


def _text(correct: bool) -> str:
    return "true" if correct else "false"


def request(features: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    """The record as a request of the Open Inference Protocol (V2)."""
    tensor = {
        "name": "predict",
        "shape": [1, len(features)],
        "datatype": "FP64",
        "data": features.tolist(),
    }
    return {"inputs": [tensor]}


def prediction(answer: dict[str, Any]) -> tuple[int, str]:
    """(class 0 or 1, the model's version or "") of a V2 answer; ValueError for anything else."""
    try:
        value = int(answer["outputs"][0]["data"][0])
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"not an answer of the V2 protocol: {str(answer)[:200]}") from error
    if value not in (0, 1):
        raise ValueError(f"predicted class {value}; the model knows 0 (down) and 1 (up)")
    return value, str(answer.get("model_version") or "")
