"""Indicators that gateways count for each backend Service, whatever the model server is.

Answers of 400 and above are bad. Clients do send invalid requests, but to both revisions alike,
and a new model that rejects what the old one takes is worse. Queries count good requests where
they can: series that are missing then never look like health.

Traefik 3.7.6 and later names the service of an HTTPRoute's backend
`httproute-NS-ROUTE-gw-...-svc-NS-SERVICE-INDEX@kubernetesgateway`; the bounds are its defaults.
Istio's gateways report as source and name the destination's Service.
"""

from __future__ import annotations

from collections.abc import Mapping

from evenkeel.api.servingruntime import MetricQuery

_TRAEFIK = (
    'service=~"httproute-{{namespace}}-{{route}}-gw-.+-svc-{{namespace}}-{{service}}-[0-9]+'
    '@kubernetesgateway"'
)
_ISTIO = (
    'reporter="source",destination_service_namespace="{{namespace}}",'
    'destination_service_name="{{service}}"'
)

GATEWAYS: Mapping[str, tuple[MetricQuery, ...]] = {
    "Traefik": (
        MetricQuery(
            name="errors",
            total=f"sum by (instance, pod) (traefik_service_requests_total{{{_TRAEFIK}}})",
            good=f"sum by (instance, pod) (traefik_service_requests_total{{{_TRAEFIK},"
            'code=~"[123].."})',
        ),
        MetricQuery(
            name="latency",
            total="sum by (instance, pod) "
            f"(traefik_service_request_duration_seconds_count{{{_TRAEFIK}}})",
            good="sum by (instance, pod) "
            f'(traefik_service_request_duration_seconds_bucket{{{_TRAEFIK},le=~"{{{{le}}}}"}})',
            thresholds=("0.1", "0.3", "1.2", "5"),
        ),
    ),
    "Istio": (
        MetricQuery(
            name="errors",
            total=f"sum by (instance, pod) (istio_requests_total{{{_ISTIO}}})",
            good=f"sum by (instance, pod) (istio_requests_total{{{_ISTIO},"
            'response_code=~"[123].."})',
        ),
        MetricQuery(
            name="latency",
            total=f"sum by (instance, pod) (istio_request_duration_milliseconds_count{{{_ISTIO}}})",
            good="sum by (instance, pod) "
            f'(istio_request_duration_milliseconds_bucket{{{_ISTIO},le=~"{{{{leMillis}}}}"}})',
            thresholds=(
                "0.0005",
                "0.001",
                "0.005",
                "0.01",
                "0.025",
                "0.05",
                "0.1",
                "0.25",
                "0.5",
                "1",
                "2.5",
                "5",
                "10",
                "30",
                "60",
                "300",
                "600",
                "1800",
                "3600",
            ),
        ),
    ),
}
