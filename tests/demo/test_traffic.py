"""The replay against a real HTTP server, and its measures against known answers."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import httpx
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from demo.data.elec2 import Elec2
from demo.traffic.labels import Answer, DelayedLabels
from demo.traffic.metrics import Metrics, serve
from demo.traffic.replay import TOKEN, Replay
from demo.traffic.settings import Settings, settings

ENV = {"SERVICE_URL": "http://127.0.0.1:1", "MODEL_NAME": "elec2"}


def test_labels_arrive_after_the_delay_whatever_the_order_of_answers() -> None:
    labels = DelayedLabels(first=0, delay=3)
    for record in (1, 0, 2):
        labels.answered(Answer(record, "token"))
    assert list(labels.arrived(3)) == []
    assert [answer.record for answer in labels.arrived(5)] == [1, 0]
    assert labels.labelled == 2
    labels.answered(Answer(1, "token"))
    assert [answer.record for answer in labels.arrived(5)] == [1]


@pytest.mark.parametrize(
    ("env", "variable"),
    [
        ({"SERVICE_URL": "elec2"}, "SERVICE_URL"),
        ({"MODEL_NAME": ""}, "MODEL_NAME"),
        ({"RATE": "0"}, "RATE"),
        ({"RATE": "1000"}, "RATE"),
        ({"CLIENTS": "0"}, "CLIENTS"),
        ({"START": "99999"}, "START"),
        ({"LABEL_DELAY": "soon"}, "LABEL_DELAY"),
        ({"DURATION_SECONDS": "nan"}, "DURATION_SECONDS"),
    ],
)
def test_bad_settings_name_the_variable(env: dict[str, str], variable: str) -> None:
    with pytest.raises(ValueError, match=variable):
        settings({**ENV, **env})


class _Model(BaseHTTPRequestHandler):
    """Answers with the record's second feature as the token; fails every fifth record.

    labels: what was posted to its feedback endpoint, which is busy at first.
    """

    hosts: ClassVar[list[str]] = []
    labels: ClassVar[list[dict[str, object]]] = []
    busy: ClassVar[bool] = False

    def do_POST(self) -> None:
        self.hosts.append(self.headers["Host"])
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/v1/feedback":
            self._taken([json.loads(line) for line in text.splitlines()])
            return
        data = json.loads(text)["inputs"][0]["data"]
        assert self.path == "/v2/models/elec2/infer"
        headers = {} if data[0] else {TOKEN: repr(data[1])}
        self._answer(500 if data[0] else 200, headers)

    def _taken(self, lines: list[dict[str, object]]) -> None:
        if self.busy:
            type(self).busy = False
            self._answer(503, {})
            return
        self.labels.extend(lines)
        self._answer(200, {})

    def _answer(self, code: int, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {**headers, "Content-Length": "2"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Model)
    _Model.labels.clear()
    # Stopping takes as long as the server polls, half a second by default.
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def data() -> Elec2:
    features = np.random.default_rng(5).random((200, 6))
    features[:, 0] = [record % 5 == 0 for record in range(200)]
    up = (features[:, 1] > features[:, 2]).astype(np.int64)
    return Elec2(features, up)


def _settings(url: str, **changes: object) -> Settings:
    bounds = {"start": 50, "records": 100, "seconds": 30.0, "rate": 200.0, "delay": 10}
    posted = {"feedback": f"{url}/v1/feedback"}
    fixed = {"url": url, "host": None, "model": "elec2", "data": Path(), "port": 0}
    clients = {"clients": 1, "busy_from": 0, "baseline": None}
    return Settings(**{**fixed, **posted, **bounds, **clients, **changes})  # type: ignore[arg-type]


async def test_replay_counts_answers_and_posts_each_label_late(url: str, data: Elec2) -> None:
    registry = CollectorRegistry()
    replay = Replay(_settings(url), data, Metrics(registry))
    async with httpx.AsyncClient() as client:
        assert await replay.run(client) == 100

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {"model": "elec2", **labels})

    assert value("demo_requests_total", code="200") == 80
    assert value("demo_requests_total", code="500") == 20
    assert value("demo_request_duration_seconds_count") == 100
    # Records 50 to 139 have labels; each fifth failed.
    assert replay.labels.labelled == 140
    expected = [
        {"token": repr(float(data.features[record][1])), "label": int(data.up[record])}
        for record in range(50, 140)
        if record % 5
    ]
    assert sorted(_Model.labels, key=str) == sorted(expected, key=str)
    assert value("demo_record") == 149


async def test_busy_records_are_asked_for_by_every_client(url: str, data: Elec2) -> None:
    registry = CollectorRegistry()
    replay = Replay(
        _settings(url, records=20, clients=4, busy_from=60, delay=0), data, Metrics(registry)
    )
    async with httpx.AsyncClient() as client:
        assert await replay.run(client) == 20
    answers = [
        registry.get_sample_value("demo_requests_total", {"model": "elec2", "code": code})
        for code in ("200", "500")
    ]
    # Ten records once, ten four times; of each ten, two fail.
    assert answers == [8 + 32, 2 + 8]
    assert replay.labels.labelled == 70
    assert len(_Model.labels) == 8 + 8, "what comes true is one and the same for all clients"


async def test_labels_that_were_not_taken_are_posted_again(url: str, data: Elec2) -> None:
    _Model.busy = True
    settings = _settings(url, records=20, delay=0, rate=15.0)
    async with httpx.AsyncClient() as client:
        await Replay(settings, data, Metrics(CollectorRegistry())).run(client)
    assert not _Model.busy
    assert len(_Model.labels) == 16


async def test_a_baseline_is_judged_on_the_same_requests(url: str, data: Elec2) -> None:
    registry = CollectorRegistry()
    baseline = data.up[50:70].copy()
    baseline[:5] = 1 - baseline[:5]
    replay = Replay(_settings(url, records=20, delay=0), data, Metrics(registry), baseline)
    async with httpx.AsyncClient() as client:
        await replay.run(client)
    # Of the twenty, records 50, 55, 60 and 65 got no prediction; of the wrong five, one.
    counts = [
        registry.get_sample_value(
            "demo_baseline_labelled_total", {"model": "elec2", "correct": correct}
        )
        for correct in ("true", "false")
    ]
    assert counts == [12, 4]


async def test_a_gateway_is_told_the_host(url: str, data: Elec2) -> None:
    _Model.hosts.clear()
    settings = _settings(url, records=1, host="elec2.example.com")
    async with httpx.AsyncClient() as client:
        await Replay(settings, data, Metrics(CollectorRegistry())).run(client)
    assert _Model.hosts == ["elec2.example.com"]


async def test_replay_stops_at_its_time_bound(url: str, data: Elec2) -> None:
    replay = Replay(_settings(url, seconds=0.5, rate=20.0), data, Metrics(CollectorRegistry()))
    began = time.monotonic()
    async with httpx.AsyncClient() as client:
        sent = await replay.run(client)
    assert 5 <= sent <= 11
    assert time.monotonic() - began < 5


async def test_no_answer_counts_as_an_error(data: Elec2) -> None:
    registry = CollectorRegistry()
    settings = _settings("http://127.0.0.1:1", records=5)
    async with httpx.AsyncClient() as client:
        await Replay(settings, data, Metrics(registry)).run(client)
    labels = {"model": "elec2", "code": "error"}
    assert registry.get_sample_value("demo_requests_total", labels) == 5


def test_serves_metrics_and_the_number_of_labelled_records() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.record.labels("elec2").set(17)
    server = serve(metrics, lambda: 42, 0)
    base = f"http://127.0.0.1:{server.server_port}"
    assert httpx.get(f"{base}/labelled").text == "42"
    assert 'demo_record{model="elec2"} 17.0' in httpx.get(f"{base}/metrics").text
    server.shutdown()
    server.server_close()
