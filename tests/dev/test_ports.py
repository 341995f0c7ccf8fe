"""Ports for programs that many tests start at once."""

from __future__ import annotations

import errno
import socket

import pytest

from dev.cluster.ports import free_port, is_free


def test_a_server_can_take_the_port() -> None:
    port = free_port()
    assert is_free(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)


def test_the_kernel_keeps_the_port_from_others() -> None:
    port = free_port()
    with socket.socket() as other, pytest.raises(OSError, match="in use") as refused:
        other.bind(("127.0.0.1", port))
    assert refused.value.errno == errno.EADDRINUSE


def test_no_port_is_given_twice() -> None:
    ports = [free_port() for _ in range(500)]
    assert len(set(ports)) == len(ports)
