"""Indicators that the meter counts in front of each model server, whatever that is.

As at gateways, answers of 400 and above are bad, of gRPC all but 0: clients do send invalid
requests, but to both revisions alike, and a new model that rejects what the old one takes is worse.
People are called for the server's faults alone (docs/monitoring-rules.yaml). The codes 200 and 0
are there from the start, so good requests are never missing. Bounds are those of its histograms.

Of streamed texts those that their client left tell nothing of the server, and are not counted.

Labels are counted by the server for labels, all revisions' by one. Its processes are told apart by
a label of their own, since one may begin in the former one's pod; a count of no revision, which
stays 0, is there before a revision's first labels.
"""

from __future__ import annotations

from evenkeel.api.servingruntime import MetricQuery

_OF = 'namespace="{{namespace}}",pod=~"{{pods}}"'
BOUNDS = (
    *("0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5"),
    *("1", "2.5", "5", "10", "30", "60"),
)
_TOKEN_BOUNDS = (
    *("0.001", "0.0025", "0.005", "0.01", "0.015", "0.02", "0.025", "0.03", "0.04", "0.05"),
    *("0.075", "0.1", "0.15", "0.25", "0.5", "1", "2.5", "5", "10", "30", "60"),
)
_STREAMS = f'evenkeel_model_streams_total{{{_OF},end!="client"'

LABELS = "labels"
_LABELS = (
    "evenkeel_labels_total{"
    'namespace="{{namespace}}",deployment="{{deployment}}",revision=~"|{{revision}}",slice=""'
)


def _histogram(name: str, metric: str, bounds: tuple[str, ...] = BOUNDS) -> MetricQuery:
    return MetricQuery(
        name=name,
        total=f"sum by (pod) ({metric}_count{{{_OF}}})",
        good=f'sum by (pod) ({metric}_bucket{{{_OF},le=~"{{{{le}}}}"}})',
        thresholds=bounds,
    )


METER: tuple[MetricQuery, ...] = (
    MetricQuery(
        name="errors",
        total=f"sum by (pod) (evenkeel_model_requests_total{{{_OF}}})",
        good=f'sum by (pod) (evenkeel_model_requests_total{{{_OF},code=~"[123]..|0"}})',
    ),
    _histogram("latency", "evenkeel_model_request_duration_seconds"),
    _histogram("time-to-first-token", "evenkeel_model_time_to_first_token_seconds"),
    _histogram(
        "time-per-output-token", "evenkeel_model_time_per_output_token_seconds", _TOKEN_BOUNDS
    ),
    _histogram("inter-token-latency", "evenkeel_model_inter_token_seconds", _TOKEN_BOUNDS),
    MetricQuery(
        name="stream-errors",
        total=f"sum by (pod) ({_STREAMS}}})",
        good=f'sum by (pod) ({_STREAMS},end="done"}})',
    ),
    MetricQuery(
        name=LABELS,
        total=f"sum by (process) ({_LABELS}}})",
        good=f'sum by (process) ({_LABELS},result="good"}})',
    ),
)
