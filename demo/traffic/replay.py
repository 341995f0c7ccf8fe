"""Sends the stream's records to the model at a bounded rate."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from demo.data.elec2 import Elec2
from demo.traffic.feedback import Feedback
from demo.traffic.labels import Answer, DelayedLabels
from demo.traffic.metrics import Metrics
from demo.traffic.settings import Settings

CONCURRENCY = 16
TIMEOUT_SECONDS = 5.0
TOKEN = "Evenkeel-Feedback-Token"
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
        self._feedback = Feedback(chosen.feedback, lambda r: int(data.up[r]), self._counted)

    async def run(self, client: httpx.AsyncClient) -> int:
        """Sends records until a bound is reached, and the labels that become known meanwhile.

        Returns how many records were sent.
        """
        posting = asyncio.create_task(self._feedback.keep_posting(client))
        try:
            sent = await self._send(client)
        finally:
            posting.cancel()
        # Answers to the last records may have come after the loop looked.
        self._judge(self._chosen.start + sent)
        await self._feedback.post(client)
        return sent

    async def _send(self, client: httpx.AsyncClient) -> int:
        """Sends records until a bound is reached; returns how many were sent.

        A request that cannot start in time waits for one of CONCURRENCY places, so that a slow
        server slows the replay down and is never flooded.
        """
        places = asyncio.Semaphore(CONCURRENCY)
        began = time.monotonic()
        chosen = self._chosen
        sent = 0
        async with asyncio.TaskGroup() as group:
            for number, (record, labelled) in enumerate(self._requests()):
                wait = began + number / chosen.rate - time.monotonic()
                await asyncio.sleep(max(0.0, wait))
                await places.acquire()
                if time.monotonic() - began >= chosen.seconds:
                    places.release()
                    break
                task = group.create_task(self._one(client, record, labelled))
                task.add_done_callback(lambda _: places.release())
                if record - chosen.start == sent:
                    sent += 1
                    self._after(record)
        return sent

    def _requests(self) -> Iterator[tuple[int, bool]]:
        """The number of the record that each request asks about, and whether its label is posted.

        One client posts them, since what comes true is one and the same for all.
        """
        chosen = self._chosen
        for record in range(chosen.start, chosen.start + chosen.records):
            for client in range(chosen.clients if record >= chosen.busy_from else 1):
                yield record, client == 0

    def _after(self, record: int) -> None:
        self._metrics.record.labels(self._chosen.model).set(record)
        self._judge(record + 1)

    def _judge(self, sent: int) -> None:
        self._feedback.arrived(self.labels.arrived(sent))

    def _counted(self, answer: Answer) -> None:
        if self._baseline is not None:
            said = self._baseline[answer.record - self._chosen.start]
            right = "true" if said == self._data.up[answer.record] else "false"
            self._metrics.baseline.labels(self._chosen.model, right).inc()

    async def _one(self, client: httpx.AsyncClient, record: int, labelled: bool) -> None:
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
        if labelled and (token := answer.headers.get(TOKEN)):
            self.labels.answered(Answer(record, token))


def request(features: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    """The record as a request of the Open Inference Protocol (V2)."""
    tensor = {
        "name": "predict",
        "shape": [1, len(features)],
        "datatype": "FP64",
        "data": features.tolist(),
    }
    return {"inputs": [tensor]}
