"""The variables that Kubernetes sets in a pod for each Service of its namespace.

A Service named `evenkeel-webhook` gives EVENKEEL_WEBHOOK_PORT=tcp://10.96.0.7:8088, among others,
unless the pod says enableServiceLinks: false. They are nobody's settings.
"""

from __future__ import annotations

import re

_NAME = re.compile(
    r"[A-Z0-9_]+_SERVICE_HOST"
    r"|[A-Z0-9_]+_SERVICE_PORT(_[A-Z0-9_]+)?"
    r"|[A-Z0-9_]+_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?"
)
_ADDRESS = re.compile(r"(tcp|udp|sctp)://\S+:[0-9]+")


def is_service_link(name: str, value: str) -> bool:
    """Whether the variable has the name, or for `<SERVICE>_PORT` the value, of a service link."""
    if name.endswith("_PORT") and _ADDRESS.fullmatch(value):
        return True
    return _NAME.fullmatch(name) is not None
