"""Elec2 as arrays: one record per half-hour from 7 May 1996, in the order of time."""

import gzip
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FEATURES = ("period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer")
RECORDS = 45_312
RECORDS_PER_DAY = 48
RECORDS_PER_WEEK = 7 * RECORDS_PER_DAY
FIRST_MOMENT = datetime(1996, 5, 7)
# Until the market was widened, the three columns about Victoria hold one constant each.
MARKET_CHANGE = 17_424


@dataclass(frozen=True)
class Elec2:
    """features: (n, 6) floats scaled to 0..1; up: (n,) 1 where the price is above its 24 h mean."""

    features: NDArray[np.float64]
    up: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.up)


def load(path: Path) -> Elec2:
    """Reads the gzipped CSV that `demo.data.fetch` wrote.

    Raises ValueError when the file is not the data set (columns or number of records differ).
    """
    with gzip.open(path, "rt", encoding="ascii") as file:
        header = file.readline().strip().split(",")
        table = np.loadtxt(file, delimiter=",", ndmin=2)
    if len(header) != len(FEATURES) + 1 or table.shape != (RECORDS, len(FEATURES) + 1):
        raise ValueError(
            f"{path}: expected {RECORDS} records of {len(FEATURES) + 1} columns, found "
            f"{table.shape[0]} of {table.shape[1]}; fetch it again: python -m demo.data.fetch"
        )
    return Elec2(table[:, :-1], table[:, -1].astype(np.int64))


def moment(record: int) -> datetime:
    """Start of the half-hour that a record describes, in the market's local time."""
    return FIRST_MOMENT + timedelta(minutes=30 * record)
