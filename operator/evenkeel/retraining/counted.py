"""Which alerts and events a schedule has counted already: what is sent again counts once.

An alert is known by its group, fingerprint and start, an event by its source and id; a whole
delivery, of any size, by all that is in it. What a run counts is noted on the run as well, should
the status after it not be written.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import ValidationError

from evenkeel.api.retrainschedule import (
    DIGEST,
    KEPT_ALERT_DIGESTS,
    KEPT_DELIVERY_DIGESTS,
    KEPT_EVENT_DIGESTS,
    CountedAlerts,
)
from evenkeel.meta.times import parse, timestamp
from evenkeel.retraining.triggers import Matched

RETRIES = timedelta(seconds=45)
"""For so long the same alert is a retry of its sender; later, it is still firing."""
Counted = tuple[CountedAlerts, ...]
_MOST = {
    "deliveries": KEPT_DELIVERY_DIGESTS * DIGEST,
    "alerts": KEPT_ALERT_DIGESTS * DIGEST,
    "events": KEPT_EVENT_DIGESTS * DIGEST,
}
"""Characters of digests that are remembered; a storm of alerts lets no event be forgotten."""


class Sorted(NamedTuple):
    """fresh: never counted. repeated: counted once, and still firing. Retries are in neither."""

    fresh: tuple[Matched, ...]
    repeated: tuple[Matched, ...]


def digest(parts: Iterable[str]) -> str:
    """48 bits in eight characters."""
    text = "\0".join(parts).encode(errors="replace")
    return urlsafe_b64encode(hashlib.blake2b(text, digest_size=DIGEST * 3 // 4).digest()).decode()


def sort(counted: Counted, alerts: Sequence[Matched]) -> Sorted:
    """The alerts by whether they are counted. One without an identity is always fresh."""
    times = _times(counted) if alerts else {}
    fresh, repeated, seen = [], [], set[str]()
    for alert in alerts:
        if not alert.identity:
            fresh.append(alert)
            continue
        if alert.identity in seen:
            continue
        seen.add(alert.identity)
        time = times.get(alert.identity) or times.get(alert.delivery)
        if time is None:
            fresh.append(alert)
        elif not alert.record.repeats:
            continue
        elif alert.arrived is not None and alert.arrived >= time + RETRIES:
            repeated.append(alert)
    return Sorted(tuple(fresh), tuple(repeated))


def note(alerts: Sequence[Matched], now: datetime) -> CountedAlerts | None:
    """What is remembered of alerts that are counted now; None of those without identities."""
    alerts = [a for a in alerts if a.identity]
    if not alerts:
        return None
    deliveries = dict.fromkeys(a.delivery for a in alerts if a.delivery)
    return CountedAlerts(
        time=timestamp(now),
        deliveries="".join(list(deliveries)[-KEPT_DELIVERY_DIGESTS:]),
        alerts="".join([a.identity for a in alerts if a.record.repeats][-KEPT_ALERT_DIGESTS:]),
        events="".join([a.identity for a in alerts if not a.record.repeats][-KEPT_EVENT_DIGESTS:]),
    )


def remember(counted: Counted, new: CountedAlerts, now: datetime) -> Counted:
    """The memory with the note; the oldest digests give way."""
    old: list[CountedAlerts] = []
    recent: list[CountedAlerts] = []
    for entry in (*counted, new):
        (recent if parse(entry.time) + RETRIES > now else old).append(entry)
    entries = [_joined(old)] if old else []
    for second in dict.fromkeys(e.time for e in recent):
        entries.append(_joined([e for e in recent if e.time == second]))
    room = dict(_MOST)
    kept = []
    for entry in reversed(entries):
        digests = {name: _end(getattr(entry, name), left) for name, left in room.items()}
        room = {name: left - len(digests[name]) for name, left in room.items()}
        if any(digests.values()):
            kept.append(entry.model_copy(update=digests))
    return tuple(reversed(kept))


def from_run(annotation: str) -> CountedAlerts | None:
    """What a run's annotation says that it counts; None if it says nothing that can be read."""
    try:
        return CountedAlerts.model_validate_json(annotation)
    except ValidationError:
        return None


def _joined(entries: Sequence[CountedAlerts]) -> CountedAlerts:
    digests = {
        name: _end("".join(getattr(e, name) for e in entries), most) for name, most in _MOST.items()
    }
    return CountedAlerts(time=max(e.time for e in entries), **digests)


def _end(digests: str, most: int) -> str:
    return digests[-most:] if most else ""


def _times(counted: Counted) -> Mapping[str, datetime]:
    """When each digest was counted last."""
    times = {}
    for entry in counted:
        time = parse(entry.time)
        for digests in (entry.deliveries, entry.alerts, entry.events):
            for start in range(0, len(digests), DIGEST):
                times[digests[start : start + DIGEST]] = time
    return times
