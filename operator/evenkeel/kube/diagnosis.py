"""Why something that is tried again and again fails: for people, in the log and on /readyz."""

from __future__ import annotations

import logging
import time
from typing import NamedTuple

from evenkeel.kube.client import ApiError
from evenkeel.meta.resources import ResourceType

REPEAT = 60.0
"""Seconds after which a fault that stays the same is logged again."""


class Diagnosis(NamedTuple):
    """What is wrong. lasts: until a person does something about it."""

    message: str
    lasts: bool


def diagnose(type_: ResourceType, error: ApiError) -> Diagnosis:
    """What a refused request for objects of a type means."""
    if error.status == 404:
        what = f"{type_.plural} of {type_.api_version} are not served"
        named = f"{type_.plural}.{type_.group}"
        remedy = f"; install the CustomResourceDefinition {named}" if "." in type_.group else ""
        return Diagnosis(what + remedy, True)
    if error.status == 403:
        return Diagnosis(f"a right is missing: {error.message}", True)
    if error.status == 401:
        return Diagnosis("the API server does not accept the credentials (401)", True)
    if error.status == 0:
        return Diagnosis(f"the API server gives no answer: {error.message}", False)
    return Diagnosis(f"{type_.plural}: {error}", False)


def refusal(type_: ResourceType, error: ApiError) -> str:
    """Why an object of the type was not created; of a type that is not served the API server only
    says that there is no such page."""
    lacks = error.status == 404 and "namespaces" not in error.message
    return diagnose(type_, error).message if lacks else error.message


class Repeated:
    """Logs a fault when it begins and once a minute while it stays the same."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._said: tuple[str, float] = ("", 0.0)

    def warn(self, message: str) -> None:
        """Logs the message unless it was logged within the last minute."""
        now = time.monotonic()
        if message == self._said[0] and now - self._said[1] < REPEAT:
            self._log.debug("%s", message)
            return
        self._said = (message, now)
        self._log.warning("%s", message)
