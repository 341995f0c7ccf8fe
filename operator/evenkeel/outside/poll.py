"""A question that an outside system is asked again and again, and what is known of its answer."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Poll:
    """One question; equal ones of a namespace are asked once.

    kind: the protocol, such as git. url: the address that is asked, which credentials are for.
    question: what is asked there, frozen. interval: seconds from one answer to the next question.
    secret: name of a Secret in the namespace of whoever asks, with what the address is shown; empty
    if nothing.
    """

    kind: str
    url: str
    question: Hashable
    interval: float
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer now. message: one line, of whom it was and what to do. since: UTC."""

    reason: str
    message: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Sighting(Generic[A]):
    """What is known: the last answer, also while asking fails; None if there was none yet.

    since: when that answer was first given. asked: when it was given last. Both are UTC.
    """

    answer: A | None = None
    since: datetime | None = None
    asked: datetime | None = None
    failure: Failure | None = None
