"""Notifications of alerts: Alertmanager's webhook (version 4) and Grafana's (version 1).

They are read alert by alert, since a storm is megabytes of JSON and whoever reads it as a whole
keeps all other threads waiting meanwhile.
Sources: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config and
https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from evenkeel.retraining.triggers.kind import Batch, MalformedBody, Message

VERSIONS = {"4": "Alertmanager", "1": "Grafana"}
_SPACE = re.compile(r"[ \t\n\r]*")
_VALUE = json.JSONDecoder().raw_decode


def _texts(value: object) -> object:
    return {} if value is None else value


Texts = Annotated[dict[str, str], BeforeValidator(_texts)]


class NotifiedAlert(NamedTuple):
    """An alert of a notification, as far as it is kept; few objects, for there may be many."""

    firing: bool
    labels: dict[str, str]
    summary: str
    starts_at: str
    fingerprint: str
    generator_url: str


class _Alert(BaseModel):
    """An alert as it stands in the notification."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    status: Literal["firing", "resolved"]
    labels: Texts
    annotations: Texts = Field(default_factory=dict)
    starts_at: str
    fingerprint: str
    generator_url: str = Field(default="", alias="generatorURL")


class _Reader:
    """Goes through one notification; alerts are kept as they come."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.alerts: list[NotifiedAlert] | None = None
        self.faults: list[str] = []
        self.fields: dict[str, Any] = {}

    def read(self) -> None:
        """Raises ValueError for what is no JSON object."""
        self._skip()
        if self._text[self._at : self._at + 1] != "{":
            self._value()
            raise ValueError("Input should be an object")
        self._items("}", self._field)
        self._skip()
        if self._at != len(self._text):
            raise ValueError("Invalid JSON: there is more behind its end")

    def _field(self) -> None:
        name = self._value()
        self._skip()
        if self._text[self._at : self._at + 1] != ":" or not isinstance(name, str):
            raise ValueError(f"Invalid JSON: a name and a colon expected at {self._at}")
        self._at += 1
        self._skip()
        if name == "alerts" and self._text[self._at : self._at + 1] == "[":
            self.alerts = []
            self._items("]", self._alert)
        else:
            self.fields[name] = self._value()

    def _alert(self) -> None:
        assert self.alerts is not None
        found = self._value()
        try:
            self.alerts.append(_kept(_Alert.model_validate(found)))
        except ValidationError as error:
            position = len(self.alerts) + len(self.faults)
            self.faults.append(_fault(error, "alerts", str(position)))

    def _items(self, end: str, read: Callable[[], None]) -> None:
        """What stands between the brackets, the first of which is next."""
        self._at += 1
        self._skip()
        if self._text[self._at : self._at + 1] == end:
            self._at += 1
            return
        while True:
            self._skip()
            read()
            self._skip()
            found = self._text[self._at : self._at + 1]
            self._at += 1
            if found == end:
                return
            if found != ",":
                raise ValueError(f"Invalid JSON: a comma or {end} expected at {self._at - 1}")

    def _value(self) -> Any:
        try:
            value, self._at = _VALUE(self._text, self._at)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"Invalid JSON: {error}") from None
        return value

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at


def read(message: Message) -> Batch[NotifiedAlert]:
    """The firing alerts of a notification. Raises MalformedBody if there is none to be read."""
    try:
        reader = _Reader(message.body.decode())
        reader.read()
    except ValueError as fault:
        raise _malformed(str(fault)) from None
    version = reader.fields.get("version")
    if version not in VERSIONS:
        known = " or ".join(f"{v!r} ({who})" for v, who in VERSIONS.items())
        raise _malformed(f"version: Input should be {known}, not {version!r}"[:200])
    if reader.alerts is None:
        raise _malformed("alerts: Field required, a list")
    if reader.faults and not reader.alerts:
        raise _malformed(reader.faults[0])
    group = reader.fields.get("groupKey")
    return Batch(
        tuple(a for a in reader.alerts if a.firing),
        received=len(reader.alerts) + len(reader.faults),
        group=group if isinstance(group, str) else "",
        warning=_warning(reader, VERSIONS[version]),
    )


def _kept(alert: _Alert) -> NotifiedAlert:
    # Cut to what the API keeps: Prometheus' annotations have no limits.
    return NotifiedAlert(
        alert.status == "firing",
        alert.labels,
        alert.annotations.get("summary", "")[:1024],
        alert.starts_at[:64],
        alert.fingerprint[:64],
        alert.generator_url[:2048],
    )


def _warning(reader: _Reader, sender: str) -> str:
    said = []
    left_out = reader.fields.get("truncatedAlerts")
    if isinstance(left_out, int) and left_out > 0:
        remedy = {"Alertmanager": "max_alerts", "Grafana": "Max Alerts"}[sender]
        said.append(f"{sender} left out {left_out} alerts; set {remedy} to 0 to have them counted")
    if reader.faults:
        said.append(f"{len(reader.faults)} alerts cannot be read: {reader.faults[0]}")
    return "; ".join(said)


def _malformed(fault: str) -> MalformedBody:
    return MalformedBody(f"not an Alertmanager or Grafana notification: {fault}")


def _fault(error: ValidationError, *place: str) -> str:
    fault = error.errors(include_url=False, include_input=False)[0]
    return ": ".join(filter(None, (".".join((*place, *map(str, fault["loc"]))), fault["msg"])))
