"""Reads a reference out of the metrics of the meter that has learned it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Collection, Iterable
from math import isfinite

from evenkeel.adapters.answer import Sample
from evenkeel.outside.meters import Learning

Asks = Callable[[str], Awaitable[tuple[Sample, ...]]]
PARTS = 512
"""The meter makes fewer."""
_PROFILE = "evenkeel_model_learned_profile"
_DIGEST = re.compile(r"[0-9a-f]{12}")


async def learning(ask: Asks, selector: str, used: Collection[str]) -> Learning | None:
    """How far the meters that the selector finds are, and what one of them has learned; None if
    they do not learn. used: digests of references that pods use. Raises PrometheusError."""
    ratios = await ask(f"max(evenkeel_model_learning_ratio{{{selector}}})")
    sizes = await ask(f"max by (digest) ({_PROFILE}{{{selector}}})")
    ratio = max((one.value for one in ratios if isfinite(one.value)), default=0.0)
    percent = int(10 * min(max(ratio, 0.0), 1.0)) * 10
    for size in sorted(sizes, key=lambda one: _rank(one, used)):
        digest = size.labels.get("digest", "")
        if not _DIGEST.fullmatch(digest) or not 0 < size.value <= PARTS:
            continue
        of = f'{selector},digest="{digest}"'
        parts = await ask(f"max by (part, text) ({_PROFILE}{{{of}}})")
        text = _joined(parts)
        # Parts may be of two scrapes, or lost on the way.
        if len(parts) == size.value and hashlib.sha256(text.encode()).hexdigest()[:12] == digest:
            return Learning(100, text)
        break
    return Learning(percent) if ratios or sizes else None


def _rank(one: Sample, used: Collection[str]) -> tuple[bool, str]:
    """What a pod uses comes first: it was shared once, and is to be shared again."""
    digest = one.labels.get("digest", "")
    return digest not in used, digest


def _joined(parts: Iterable[Sample]) -> str:
    ordered = sorted(parts, key=lambda one: one.labels.get("part", ""))
    return "".join(one.labels.get("text", "") for one in ordered)
