"""What went wrong on the way to a server, in words that hold no URL and no credentials."""

from __future__ import annotations

import ssl

import aiohttp

from evenkeel.adapters.address import Address
from evenkeel.adapters.answer import AddressRefused, PrometheusError, Unavailable
from evenkeel.adapters.connections import NeverElsewhere
from evenkeel.adapters.words import one_line


def told(address: Address, error: Exception) -> PrometheusError:
    """The error to raise instead. Exceptions of libraries may quote URLs and headers."""
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(
        error.os_error, NeverElsewhere
    ):
        return AddressRefused(f"{address}: {error.os_error}")
    if isinstance(error, aiohttp.ClientConnectorDNSError) and "." not in address.host:
        # The operator's own namespace is another one than that of whoever wrote it.
        return Unavailable(f"{address}: {_why(error)}; of a Service write NAME.NAMESPACE")
    return Unavailable(f"{address}: {_why(error)}")


def _why(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate is not trusted: {_tls(error.certificate_error)}"
        case aiohttp.ClientConnectorSSLError():
            return f"no TLS connection: {_tls(error.os_error)}"
        case aiohttp.ClientConnectorDNSError():
            return "its name cannot be resolved"
        case aiohttp.ClientConnectorError():
            why = error.os_error.strerror or type(error.os_error).__name__
            return f"cannot connect: {one_line(why)}"
        case aiohttp.ServerDisconnectedError():
            return "it closed the connection without an answer"
        case aiohttp.ClientPayloadError():
            return "its answer broke off"
        case aiohttp.ClientOSError() if isinstance(error.__cause__, ssl.SSLError):
            # A server of TLS 1.3 judges the client's certificate after the handshake.
            return f"it ended the TLS connection: {_tls(error.__cause__)}"
        case aiohttp.ClientOSError():
            return f"the connection broke: {one_line(error.strerror or '')}".removesuffix(": ")
        case _:
            return f"no answer that HTTP knows ({type(error).__name__})"


def _tls(error: Exception) -> str:
    why = getattr(error, "verify_message", "") or getattr(error, "reason", "")
    return one_line(str(why or type(error).__name__))


def broke(error: Exception) -> bool:
    """Whether an open connection ended without an answer, as an idle one may that is used again."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return False
    return isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
