"""What a Prometheus has of the meters of one revision: how they count, and what, block by block."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

BLOCK, METER = "meter-block", "meter"
"""Kinds of the polls."""


@dataclass(frozen=True, slots=True)
class MeterQuestion:
    """How the meters of a revision count now. server: how the Prometheus is reached, as the spec
    says it. pods: a regular expression for their names."""

    server: Hashable
    namespace: str
    pods: str


@dataclass(frozen=True, slots=True)
class MeterSeen:
    """state: of the profile, Used, Absent or Broken; empty where no meter is scraped. why: it is.

    counted: whether values were counted. mismatched: whether more bodies than that did not fit the
    profile, in the last hour.
    """

    state: str = ""
    digest: str = ""
    why: str = ""
    counted: bool = False
    mismatched: bool = False


@dataclass(frozen=True, slots=True)
class BlockQuestion:
    """What the meters counted in the block that ends then. Its answer is the same whenever it is
    asked. end: Unix seconds. labels: the deployment and the revision whose labels are counted, if
    they are to be."""

    server: Hashable
    namespace: str
    pods: str
    seconds: int
    end: int
    labels: tuple[str, str] | None = None


Cell = tuple[str, str, str]
"""Kind (feature or prediction), name, and label of the bin."""


@dataclass(frozen=True, slots=True)
class BlockCounts:
    """Rows by cell: in the block, and in the reference with what a person reads of the bin.

    digest: of the reference. void: why nothing can be told of the rows, if so. labels: how many
    were bad, of how many; None where none were counted. Parts of labels, such as losses, are
    rounded so that they never show more than there was.
    """

    end: int
    digest: str = ""
    reference: tuple[tuple[Cell, str, int], ...] = ()
    rows: tuple[tuple[Cell, int], ...] = ()
    void: str = ""
    labels: tuple[int, int] | None = None
