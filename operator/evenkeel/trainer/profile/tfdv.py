"""A profile from statistics of TensorFlow Data Validation, such as TFX's StatisticsGen writes."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from evenkeel.trainer.profile.bins import (
    NEAR,
    Binned,
    Scale,
    can_be_written,
    check_sizes,
    counted,
    cuts,
    of_constant,
)
from evenkeel.trainer.profile.document import InvalidProfile, Profile
from evenkeel.trainer.profile.schema import FEATURES, VERSION, WHOLE
from evenkeel.trainer.profile.wire import Message, records

ALL = "All Examples"
"""TFDV's name for the whole beside slices."""
_INT, _QUANTILES = 0, 1
_UNREADABLE = ("__BYTES_VALUE__", "__LARGE_BYTES__")
"""What TFDV writes in place of such texts."""


def from_tfdv(
    statistics: Any,
    *,
    only: Iterable[str] | None = None,
    dataset: str | None = None,
    bins: int = 10,
    categories: int = 20,
    tensor: str | None = None,
) -> Profile:
    """The profile of what TFDV counted; without predictions, which TFDV does not know.

    statistics: a DatasetFeatureStatisticsList, its bytes, or the path of a file with them (binary
    or TFRecord). dataset: the name of a split or slice, if there are several. only: the features
    that requests have; the label is none of them. Features with lists are left out, with a warning.
    bins, categories, tensor: as of `profile`. TFDV's quantiles are off by its epsilon, 0.01 of the
    rows, at most. Raises InvalidProfile, and OSError for a file.
    """
    check_sizes(bins, categories)
    chosen = _dataset(_bytes(statistics), dataset)
    rows = chosen.whole(2)
    if not rows:
        raise InvalidProfile("the statistics are of no examples")
    found: dict[str, dict[str, Any]] = {}
    wanted = None if only is None else list(dict.fromkeys(only))
    positions: dict[str, int] = {}
    for feature in chosen.messages(3):
        name = _name(feature)
        positions[name] = len(positions)
        if wanted is not None and name not in wanted:
            continue
        try:
            column = _column(feature, rows, bins, categories)
        except InvalidProfile as problem:
            if wanted is not None:
                raise InvalidProfile(f"the feature {name!r:.80}: {problem}") from None
            warnings.warn(f"the feature {name!r:.80} is left out: {problem}", stacklevel=2)
            continue
        found[name] = {"name": name, **column}
    names = list(found) if wanted is None else wanted
    if lost := [name for name in names if name not in found]:
        known = ", ".join(positions)[:500]
        raise InvalidProfile(f"the statistics lack the feature {lost[0]!r:.80}; they have {known}")
    if len(names) > FEATURES:
        raise InvalidProfile(f"{len(names)} features, {FEATURES} at most: choose some (only=)")
    features = [{**found[name], **_place(tensor, positions[name])} for name in names]
    document = {"features": features, "predictions": [], "rows": rows, "source": "tfdv"}
    return Profile({"schema": VERSION, **document})


def _bytes(statistics: Any) -> bytes:
    if isinstance(statistics, bytes):
        return statistics
    if isinstance(statistics, (str, os.PathLike)):
        return Path(statistics).read_bytes()
    if hasattr(statistics, "SerializeToString"):
        return bytes(statistics.SerializeToString())
    raise InvalidProfile(
        f"statistics are of the type {type(statistics).__name__}: hand in a "
        "DatasetFeatureStatisticsList, its bytes, or the path of its file"
    )


def _dataset(content: bytes, name: str | None) -> Message:
    try:
        found = [part for record in records(content) for part in Message(record).messages(1)]
        names = [part.text(1) for part in found]
    except InvalidProfile as problem:
        raise InvalidProfile(
            f"these are no statistics of TFDV: {problem}; hand in a binary file, such as "
            "FeatureStats.pb of StatisticsGen, or a TFRecord"
        ) from None
    if name is None:
        name = names[0] if len(found) == 1 else ALL
    if name not in names:
        known = ", ".join(map(repr, names))[:500] or "none"
        raise InvalidProfile(f"choose one of the statistics' datasets (dataset=): {known}")
    return found[names.index(name)]


def _name(feature: Message) -> str:
    """A path's steps are joined as TFDV writes them."""
    steps = [step.decode(errors="replace") for step in feature.message(8).contents(1)]
    return ".".join(steps) or feature.text(1)


def _place(tensor: str | None, position: int) -> Mapping[str, Any]:
    return {} if tensor is None else {"tensor": tensor, "column": position}


def _column(feature: Message, rows: int, bins: int, categories: int) -> dict[str, Any]:
    numeric = feature.has(3)
    if not numeric and not feature.has(4):
        raise InvalidProfile("it has neither numbers nor texts")
    statistics = feature.message(3 if numeric else 4)
    common = statistics.message(1)
    values = common.whole(8)
    if common.whole(4) > 1:
        raise InvalidProfile(f"it has up to {common.whole(4)} values in an example, not one")
    if values > rows:
        raise InvalidProfile(f"it has {values} values in {rows} examples")
    if not numeric:
        found = _categorical(statistics, values, categories)
        return counted(found, rows - values, Scale(rows))
    histograms = [h for h in statistics.messages(8) if h.whole(4) == _QUANTILES]
    nan = min(histograms[-1].whole(1), values) if histograms else 0
    if values > nan and not (histograms and histograms[-1].has(3)):
        raise InvalidProfile("it has no histogram of quantiles")
    buckets = histograms[-1].messages(3) if histograms else []
    whole = feature.whole(2) == _INT
    return counted(_numeric(buckets, values - nan, bins, whole), rows - values + nan, Scale(rows))


def _categorical(statistics: Message, values: int, categories: int) -> Binned:
    """The ranks are in order of frequency."""
    kept: dict[str, int] = {}
    for bucket in statistics.message(5).messages(1):
        label, count = bucket.text(4), round(bucket.number(5))
        if len(kept) < categories and can_be_written(label) and label not in _UNREADABLE:
            kept[label] = count
    if sum(kept.values()) > values:
        raise InvalidProfile(f"its ranks have more than its {values} values")
    other = values - sum(kept.values())
    return Binned("categorical", {"categories": list(kept)}, list(kept.values()), other)


def _numeric(buckets: Iterable[Message], values: int, bins: int, whole: bool) -> Binned:
    """TFDV's buckets hold low < x <= high as well: their weights are those up to a quantile."""
    found: dict[float, float] = {}
    for bucket in buckets:
        high = bucket.number(2)
        found[high] = found.get(high, 0) + max(bucket.number(4), 0)
    highs = sorted(found)
    below = [0, *accumulate(found[high] for high in highs)]
    if not (below[-1] > 0 and math.isfinite(below[-1])):
        return Binned("numeric", {"edges": []}, [values], None)
    if len(highs) == 1 and math.isfinite(highs[0]):
        edges, counts = of_constant(highs[0], values)
        return Binned("numeric", {"edges": edges}, counts, None)
    # Beyond an infinite quantile there is no edge.
    chosen = [cut for cut in cuts(below, bins) if math.isfinite(highs[cut - 1])]
    edges = _beyond([highs[cut - 1] for cut in chosen], whole)
    ends = [below[cut] for cut in chosen] + [below[-1]]
    scale = values / below[-1]
    counts = [(end - start) * scale for start, end in zip([0, *ends], ends)]
    return Binned("numeric", {"edges": edges}, counts, None)


def _beyond(highs: Sequence[float], whole: bool) -> list[float]:
    """A little above the values, which requests may have in another precision."""
    if whole and all(abs(high) < WHOLE / 2 for high in highs):
        return [high + 0.5 for high in highs]
    beyond = [high + abs(high) * NEAR for high in highs]
    rising = all(low < high for low, high in zip(beyond, beyond[1:]))
    return beyond if rising and all(map(math.isfinite, beyond)) else list(highs)
