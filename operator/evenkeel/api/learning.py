"""A reference from a model's first requests, where the trainer left none."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from evenkeel.meta.model import Model, Rule


class Learn(Model):
    """What is taken as the reference where the model's folder has no profile."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.rows) || self.rows == 0 || self.rows >= 100",
            "learn.rows is 0, or 100 at least: fewer rows are no reference",
        ),
    )

    rows: Annotated[
        int,
        Field(
            ge=0,
            le=100000,
            description="So many rows that a pod has counted at least; 0: none is learned.",
        ),
    ] = 10000
    seconds: Annotated[
        int,
        Field(
            ge=0,
            le=2678400,
            description="They span so much time at least: as long as a block, or the hours of one "
            "part of the cycle are held against all of them.",
        ),
    ] = 86400
