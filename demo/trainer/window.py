"""Which records train the model and which judge it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """Half-open ranges of record numbers: train = [start, split), hold-out = [split, until)."""

    start: int
    split: int
    until: int

    @property
    def revision(self) -> str:
        """Names the data exactly; the same text means the same records."""
        return f"elec2:{self.start}-{self.split}-{self.until}"


def window(until: int, window: int, holdout: int, records: int) -> Window:
    """The last `holdout` known records are held out, and the `window` before them train.

    At the stream's beginning the training window is shorter than asked for. Raises ValueError when
    fewer than `holdout` records are left to train on, or when `until` lies outside the data set.
    """
    if not 0 < until <= records:
        raise ValueError(f"DATA_UNTIL={until}: the data set has records 1 to {records}")
    split = until - holdout
    start = max(0, split - window)
    if (left := split - start) < holdout:
        raise ValueError(
            f"DATA_UNTIL={until} leaves {max(0, left)} records to train on, fewer than the "
            f"{holdout} held out: wait for more labels or lower DATA_HOLDOUT"
        )
    return Window(start, split, until)
