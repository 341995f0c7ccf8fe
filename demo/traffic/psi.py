"""Population stability index of a sample against a reference, per feature."""

import numpy as np
from numpy.typing import NDArray

BINS = 10
Floats = NDArray[np.float64]


class Reference:
    """One feature's distribution at training time, as shares of quantile bins.

    A constant feature has three bins (below, equal, above), so that any change of it shows.
    """

    def __init__(self, values: Floats) -> None:
        if values.size == 0:
            raise ValueError("a PSI reference needs at least one value")
        edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
        if len(edges) == 1:
            edges = np.array([edges[0], np.nextafter(edges[0], np.inf)])
        self._edges = edges
        self._shares = self._binned(values)

    def psi(self, values: Floats) -> float:
        """0 for the same distribution; above 0.2 is by convention a significant shift."""
        shares = self._binned(values)
        return float(np.sum((shares - self._shares) * np.log(shares / self._shares)))

    def _binned(self, values: Floats) -> Floats:
        bins = len(self._edges) + 1
        counts = np.bincount(np.digitize(values, self._edges), minlength=bins)
        # Half a count in each bin keeps the logarithm finite where a bin is empty.
        shares: Floats = (counts + 0.5) / np.float64(values.size + 0.5 * bins)
        return shares
