"""What a gate outside the cluster is asked of a step, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

KIND = "gate"
"""Kind of the polls."""
SIGNING_KEY = "signingKey"
"""Key of a Secret: what questions are signed with."""


@dataclass(frozen=True, slots=True)
class GateQuestion:
    """What the address is sent by POST.

    query: what follows ? in the address, encoded. body: JSON. delivery: the same for one step of
    one trial, however often it is asked. timeout: seconds for the answer.
    """

    query: str
    body: str
    delivery: str
    timeout: float


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """message: the gate's own words, empty if it has none."""

    answer: Literal["Allow", "Wait", "Deny"]
    message: str = ""
