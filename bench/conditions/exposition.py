"""What a simulated model server answers a scrape with: its runtime's own metric names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bench.conditions.servers import Pod

BUCKETS = ("0.05", "0.1", "0.25", "0.5", "0.75", "1", "2.5", "5", "7.5", "10")
SLOW = 2.5
"""A slow answer takes this many seconds, a fast one less than the first bucket's."""
MIDDLING = 0.3


OPEN_METRICS = "openmetrics"
"""The variable METRICS for pods that speak OpenMetrics, whatever their runtime."""
OPEN_METRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def text(pod: Pod, now: float) -> str:
    """The page of a pod whose counters stand at `now`."""
    runtime, _, form = pod.dialect.partition("+")
    lines = [f"process_start_time_seconds {pod.started or now:.2f}"]
    match runtime:
        case "triton":
            lines += _triton(pod)
        case "plain":
            lines += _plain(pod)
        case _:
            lines += _mlserver(pod, now)
    if form == OPEN_METRICS:
        lines = [*_open_metrics(lines, pod.started or now), "# EOF"]
    return "\n".join(lines) + "\n"


def content_type(pod: Pod) -> str:
    """Of the page."""
    return OPEN_METRICS_TYPE if pod.dialect.endswith(OPEN_METRICS) else "text/plain"


def _open_metrics(lines: list[str], started: float) -> Iterator[str]:
    """The same in OpenMetrics: counters end in _total, and tell when they began."""
    last = ""
    for line in lines:
        series, number = line.rsplit(" ", 1)
        name, brace, labels = series.partition("{")
        family = re.sub(r"_(total|bucket|count)$", "", name)
        if name.endswith(("_bucket", "_count")):
            kind, sample = "histogram", name
        elif name.startswith("process_"):
            kind, sample = "gauge", name
        else:
            kind, sample = "counter", f"{family}_total"
        if family != last:
            yield f"# TYPE {family} {kind}"
            last = family
        yield f"{sample}{brace}{labels} {number}"
        if kind == "counter" or name.endswith("_count"):
            yield f"{family}_created{brace}{labels} {started:.3f}"


def _mlserver(pod: Pod, now: float) -> list[str]:
    counts, model = pod.counts, pod.model
    labels = f'{{model="{model}",version="1"}}'
    lines = [f"model_infer_request_success_total{labels} {counts.total - counts.bad}"]
    if counts.bad:
        # It appears with the first failure, as MLServer's does.
        lines.append(f"model_infer_request_failure_total{labels} {counts.bad}")
    total = pod.total_behind(now) if pod.server.lead else counts.total
    name, path = "rest_server_request_duration_seconds", f"/v2/models/{model}/infer"
    inside = f'method="POST",path="{path}",status_code="200"'
    fast = counts.total - counts.slow
    for bound in BUCKETS:
        number = fast if float(bound) < SLOW else counts.total
        number -= counts.middling if float(bound) < MIDDLING else 0
        lines.append(f'{name}_bucket{{{inside},le="{bound}"}} {number}')
    lines.append(f'{name}_bucket{{{inside},le="+Inf"}} {max(total, counts.total)}')
    lines.append(f"{name}_count{{{inside}}} {total}")
    return lines


def _triton(pod: Pod) -> list[str]:
    labels = f'{{model="{pod.model}",version="1"}}'
    good = pod.counts.total - pod.counts.bad
    return [
        f"nv_inference_request_success{labels} {good}",
        f"nv_inference_request_failure{labels} {pod.counts.bad}",
    ]


def _plain(pod: Pod) -> list[str]:
    """An application's own counters, with as many label sets as the server has clients."""
    number, lines = pod.server.clients, []
    odd = {"nan": "NaN", "negative": "-1"}.get(pod.server.odd)
    for index in range(number):
        total = _part(pod.counts.total, number, index)
        bad = _part(pod.counts.bad, number, index)
        lines.append(f'app_requests_total{{client="{index}"}} {total}')
        if pod.server.odd == "vanishes" and pod.counts.total > 1000:
            continue
        lines.append(f'app_failures_total{{client="{index}"}} {odd or min(bad, total)}')
    return lines


def _part(whole: int, parts: int, index: int) -> int:
    return whole // parts + (index < whole % parts)
