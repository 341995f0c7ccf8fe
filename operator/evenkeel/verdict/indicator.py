"""The limits that an indicator is held to, as the statistics take them."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite


@dataclass(frozen=True, slots=True)
class Indicator:
    """What counts as too bad for one indicator (errors, slow requests, a class of predictions).

    tolerance: how much worse than stable is still fine, relative: 0.25 allows 1.25 times stable's
        ratio. acceptable: bad/total ratio that is fine whatever stable does; 0 for none.
    max_ratio: bad/total ratio that fails whatever stable does. alpha: greatest probability that
        a canary within these limits ever fails. beta: greatest probability that a canary beyond
        them ever passes.
    confirmations: successive comparisons with stable that must agree. 2 keeps an incident that
        hits both sides, but shows on one a scrape earlier, from deciding; it costs one scrape.
    paired: whether both sides answered the same requests, and bad events are those of one side
        alone; acceptable is then by how much the canary's bad ratio may exceed stable's.
    alone: whether max_ratio alone is the limit.
    Raises ValueError if a value is out of its range.
    """

    name: str
    tolerance: float = 0.25
    acceptable: float = 0.005
    max_ratio: float | None = None
    alpha: float = 0.01
    beta: float = 0.05
    confirmations: int = 1
    paired: bool = False
    alone: bool = False

    def __post_init__(self) -> None:
        if not (isfinite(self.tolerance) and self.tolerance >= 0):
            raise ValueError(f"{self.name}: tolerance must be 0 or more, not {self.tolerance}")
        if not 0 <= self.acceptable < 1:
            raise ValueError(
                f"{self.name}: acceptable must be a ratio from 0 to below 1, not {self.acceptable}"
            )
        if self.max_ratio is not None and not self.acceptable <= self.max_ratio < 1:
            raise ValueError(
                f"{self.name}: maxRatio must be from acceptable ({self.acceptable}) to below 1,"
                f" not {self.max_ratio}"
            )
        for limit, value in (("alpha", self.alpha), ("beta", self.beta)):
            if not 0 < value < 1:
                raise ValueError(f"{self.name}: {limit} must be between 0 and 1, not {value}")

        if self.confirmations < 1:
            raise ValueError(
                f"{self.name}: confirmations must be 1 or more, not {self.confirmations}"
            )

    @property
    def fail_threshold(self) -> float:
        """E-value at which a fail test rejects; alpha is halved if there are two ways to fail."""
        return (1 if self.max_ratio is None else 2) / self.alpha

    @property
    def pass_threshold(self) -> float:
        """E-value at which a pass test rejects; beta is halved: there are two ways to pass."""
        return 2 / self.beta

    @property
    def terms(self) -> str:
        """The limits that evidence is gathered against, as kept with it."""
        kind = " paired" if self.paired else ""
        limits = f"tolerance={self.tolerance} acceptable={self.acceptable}"
        return f"{limits} maxRatio={self.max_ratio}{kind}"
