"""Which trigger of a schedule an alert fires, and which triggers cannot work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from evenkeel.api.cause import Alert
from evenkeel.api.trigger import Trigger
from evenkeel.retraining.triggers import cron, matchers


class MatchedAlert(NamedTuple):
    """A firing alert and the trigger that it matched."""

    trigger: str
    alert: Alert


def first_match(triggers: Iterable[Trigger], labels: Mapping[str, str]) -> str | None:
    """The first trigger that the alert fires, so that one alert counts once; None if none does.

    A trigger with an invalid regular expression matches nothing; `problems` reports it.
    """
    for trigger in triggers:
        if trigger.alert is None:
            continue
        try:
            if matchers.matches(trigger.alert.matchers, labels):
                return trigger.name
        except matchers.InvalidMatcher:
            continue
    return None


def problems(triggers: Iterable[Trigger]) -> tuple[str, ...]:
    """One sentence for each trigger that cannot work."""
    found = []
    for trigger in triggers:
        try:
            if trigger.alert is not None:
                matchers.check(trigger.alert.matchers)
            if trigger.cron is not None:
                cron.check(trigger.cron)
        except (matchers.InvalidMatcher, cron.InvalidCron) as problem:
            found.append(f"trigger {trigger.name}: {problem}")
    return tuple(found)
