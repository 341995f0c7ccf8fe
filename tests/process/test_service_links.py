"""Which variables Kubernetes sets for Services, and which only look alike."""

from __future__ import annotations

import pytest
from evenkeel.process.service_links import is_service_link


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EVENKEEL_SERVICE_HOST", "10.96.0.7"),
        ("EVENKEEL_SERVICE_PORT", "8088"),
        ("EVENKEEL_WEBHOOK_SERVICE_HOST", "10.96.0.7"),
        ("EVENKEEL_WEBHOOK_SERVICE_PORT_HTTP", "8088"),
        ("EVENKEEL_PORT", "tcp://10.96.0.7:8088"),
        ("EVENKEEL_METRICS_PORT", "udp://[fd00::7]:9090"),
        ("EVENKEEL_PORT_8088_TCP", "tcp://10.96.0.7:8088"),
        ("EVENKEEL_WEBHOOK_PORT_8088_TCP_PROTO", "tcp"),
        ("EVENKEEL_WEBHOOK_PORT_8088_TCP_PORT", "8088"),
        ("EVENKEEL_WEBHOOK_PORT_8088_SCTP_ADDR", "10.96.0.7"),
    ],
)
def test_service_links(name: str, value: str) -> None:
    assert is_service_link(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EVENKEEL_WEBHOOK_PORT", "8088"),
        ("EVENKEEL_PORT", "8088"),
        ("EVENKEEL_METRICS_PORT", "http://10.96.0.7:9090"),
        ("EVENKEEL_PORT_8088", "tcp"),
        ("EVENKEEL_PORT_TCP", "tcp://10.96.0.7:8088"),
        ("EVENKEEL_SERVICE_HOSTS", "10.96.0.7"),
        ("EVENKEEL_WORKERS", "32"),
        ("EVENKEEL_PROMETHEUS_URL", "tcp://10.96.0.7:9090"),
    ],
)
def test_others(name: str, value: str) -> None:
    assert not is_service_link(name, value)
