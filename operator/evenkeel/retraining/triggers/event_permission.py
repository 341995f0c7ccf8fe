"""What an intermediary asks before it delivers events: whether they are wanted here.

It keeps senders from being misused against servers that expect no events; it proves nothing of the
sender, whose token does. There is no limit of the rate: what is too much is answered by 503.
Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md, section 4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from evenkeel.retraining.triggers.kind import MalformedBody

ORIGIN = "webhook-request-origin"
_NAME = re.compile(r"[A-Za-z0-9*_]([A-Za-z0-9*_.-]{0,251}[A-Za-z0-9*_])?")


def permission(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The answer's headers; those of the request are by names in lower case.

    Raises MalformedBody for a request that names no origin.
    """
    origin = headers.get(ORIGIN, "").strip()
    if not _NAME.fullmatch(origin):
        raise MalformedBody(
            "WebHook-Request-Origin is missing or no DNS name; send the name of the system that "
            "delivers events, such as events.example.com"
        )
    return {"Allow": "POST", "WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"}
