"""Posts labels to the endpoint of the ModelDeployment, with the tokens that its answers brought."""

import asyncio
import json
from collections.abc import Callable, Iterable

import httpx

from demo.traffic.labels import Answer

PAUSE_SECONDS = 1.0
MOST_LINES = 5000


class Feedback:
    """Labels on their way. url: of the endpoint, or None to keep them.

    label: of a record. counted: told of each answer whose label was taken.
    """

    def __init__(
        self,
        url: str | None,
        label: Callable[[int], int],
        counted: Callable[[Answer], None],
    ) -> None:
        self._url = url
        self._label = label
        self._counted = counted
        self._waiting: list[Answer] = []

    def arrived(self, answers: Iterable[Answer]) -> None:
        """Their labels are known."""
        self._waiting.extend(answers)

    async def keep_posting(self, client: httpx.AsyncClient) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            await self.post(client)

    async def post(self, client: httpx.AsyncClient) -> None:
        """Posts what has arrived. What was not taken is posted again, which counts once."""
        batch = self._waiting[:MOST_LINES]
        if self._url is None or not batch:
            return
        lines = (json.dumps({"token": a.token, "label": self._label(a.record)}) for a in batch)
        try:
            answer = await client.post(self._url, content="\n".join(lines))
        except httpx.HTTPError as error:
            print(f"labels wait: {self._url}: {error}", flush=True)
            return
        if answer.status_code != httpx.codes.OK:
            print(f"labels wait: {self._url}: {answer.status_code} {answer.text}", flush=True)
            return
        del self._waiting[: len(batch)]
        for one in batch:
            self._counted(one)
