"""Events as a real API server keeps them."""

from __future__ import annotations

from evenkeel.kube.client import Client
from evenkeel.kube.events import EventSource, Recorder
from evenkeel.kube.events_correlator import COMBINED, WORDINGS
from evenkeel.meta.objects import Event, Key
from evenkeel.meta.resources import DEPLOYMENT, EVENT

from tests.support.api_server import ApiServer
from tests.support.operating import configuration

OWNER = {"metadata": {"uid": "u-1"}}
SOURCE = EventSource("tests", "example.com/tests")
TYPES = {"Deployment": DEPLOYMENT}


async def test_an_event_recorded_three_times_is_one_object(
    api_server: ApiServer, namespace: str
) -> None:
    key = Key("Deployment", namespace, "fraud")
    async with Client(configuration(api_server), field_manager="tests") as client:
        recorder = Recorder(client, TYPES, SOURCE, lambda: False)
        for _ in range(3):
            recorder.record(key, OWNER, (Event("Warning", "Failed", "no"),))
            await recorder.flush()
        (found,), _ = await client.list(EVENT, namespace=namespace)
        assert (found["count"], found["reason"], found["message"]) == (3, "Failed", "no")
        assert found["involvedObject"]["apiVersion"] == "apps/v1"

        await client.delete(EVENT, namespace, found["metadata"]["name"], "")
        recorder.record(key, OWNER, (Event("Warning", "Failed", "no"),))
        await recorder.flush()
        (again,), _ = await client.list(EVENT, namespace=namespace)
        assert (again["count"], again["metadata"]["name"]) == (4, found["metadata"]["name"])


async def test_similar_events_are_combined_in_one_object(
    api_server: ApiServer, namespace: str
) -> None:
    key = Key("Deployment", namespace, "fraud")
    async with Client(configuration(api_server), field_manager="tests") as client:
        recorder = Recorder(client, TYPES, SOURCE, lambda: False)
        for n in range(WORDINGS + 2):
            recorder.record(key, OWNER, (Event("Normal", "Seen", f"{n}" + "x" * 2000),))
        await recorder.flush()
        found, _ = await client.list(EVENT, namespace=namespace)
    assert len(found) == WORDINGS
    (combined,) = [e for e in found if e["message"].startswith(COMBINED)]
    assert combined["count"] == 3
    assert sum(e["count"] for e in found) == WORDINGS + 2
