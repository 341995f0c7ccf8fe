"""What MLflow's webhooks say: that something of a registered model may have changed.

https://mlflow.org/docs/latest/ml/webhooks/. They are tried a few times and then dropped, so
that they only make a question be asked sooner.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

ID, TIME, SIGNATURE = "X-MLflow-Delivery-Id", "X-MLflow-Timestamp", "X-MLflow-Signature"
SCHEME = "v1,"
ENTITIES = ("model_version", "model_version_alias")
"""What a notification is about that may change what an alias means; tags do not."""
FRESH = 300.0
"""Seconds by which a notification's time may differ from the clock."""


class Malformed(ValueError):
    """It is no notification of MLflow's."""


def verified(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Whether it was signed with the secret, of late."""
    told, signature = headers.get(TIME, ""), headers.get(SIGNATURE, "")
    signed = f"{headers.get(ID, '')}.{told}.".encode(errors="replace") + body
    mac = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    expected = SCHEME + base64.b64encode(mac).decode()
    same = hmac.compare_digest(signature.encode(errors="replace"), expected.encode())
    try:
        sent = datetime.fromtimestamp(int(told), UTC)
    except (ValueError, OverflowError, OSError):
        return False
    return bool(secret) and same and abs((now - sent).total_seconds()) <= FRESH


def model_named(body: bytes) -> str:
    """The registered model that it is about, empty for other things. Raises Malformed."""
    try:
        found: Any = json.loads(body)
        data = found["data"]
        name = data.get("name", "") if found["entity"] in ENTITIES else ""
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Malformed("the body is no notification of MLflow's") from None
    return name if isinstance(name, str) else ""
