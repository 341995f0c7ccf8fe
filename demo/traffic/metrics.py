"""What the traffic tells Prometheus, and the number of labelled records it tells the trainer."""

import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import make_wsgi_app

LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """All series carry the model's name."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.requests = Counter(
            "demo_requests",
            "Inference requests by HTTP status code; code=error where no answer came",
            ["model", "code"],
            registry=registry,
        )
        self.latency = Histogram(
            "demo_request_duration_seconds",
            "Time from sending a request to its whole answer",
            ["model"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.baseline = Counter(
            "demo_baseline_labelled",
            "What the baseline model, which serves nobody, predicts for the same labelled requests",
            ["model", "correct"],
            registry=registry,
        )
        self.record = Gauge(
            "demo_record", "Number of the record sent last", ["model"], registry=registry
        )


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def serve(metrics: Metrics, labelled: Callable[[], int], port: int) -> WSGIServer:
    """Serves /metrics, and /labelled as a decimal number in plain text, from a thread."""
    exposition = make_wsgi_app(metrics.registry)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/labelled":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [str(labelled()).encode()]
        answer: Iterable[bytes] = exposition(environ, start_response)
        return answer

    server = make_server("", port, app, server_class=_Server, handler_class=_Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
