"""Words for faults on the way to a server."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from evenkeel.adapters.address import Address
from evenkeel.adapters.fault import told


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("http://mlflow:5000", "; of a Service write NAME.NAMESPACE"),
        ("http://mlflow.pricing:5000", ""),
        ("https://mlflow.example.com", ""),
    ],
)
def test_a_name_without_its_namespace(url: str, remedy: str) -> None:
    address = Address.parse(url)
    key = ConnectionKey(address.host, address.port, False, True, None, None, None)
    error = aiohttp.ClientConnectorDNSError(key, OSError())
    assert str(told(address, error)) == f"{address}: its name cannot be resolved{remedy}"
