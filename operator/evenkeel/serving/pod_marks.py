"""Labels and annotations that pods are given while they serve, without a restart.

A pod has them as long as an entry of the list wants them; what it has already is not written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from evenkeel.meta.objects import Manifest, Ref


class ServingPod(NamedTuple):
    """A revision's pod as far as marks are concerned: those of its labels and annotations that the
    operator knows of. divides: whether its meter can be told whom to pass requests on to."""

    ref: Ref
    revision: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    divides: bool = False


class Marks(NamedTuple):
    """Labels and annotations by their keys; None takes one away."""

    labels: Mapping[str, str | None] = {}
    annotations: Mapping[str, str | None] = {}


Entry = Callable[[ServingPod], Marks]
"""What a pod is to have, for one purpose."""


def marked(
    pods: Iterable[ServingPod], entries: Sequence[Entry]
) -> tuple[tuple[Ref, Manifest], ...]:
    """The merge patches of the pods that are not as the entries want them."""
    found = ((pod.ref, _change(pod, [entry(pod) for entry in entries])) for pod in pods)
    return tuple((ref, {"metadata": change}) for ref, change in found if change)


def _change(pod: ServingPod, wanted: Sequence[Marks]) -> dict[str, dict[str, str | None]]:
    fields = (
        ("labels", pod.labels, [marks.labels for marks in wanted]),
        ("annotations", pod.annotations, [marks.annotations for marks in wanted]),
    )
    found = {
        field: {k: v for marks in all_ for k, v in marks.items() if has.get(k) != v}
        for field, has, all_ in fields
    }
    return {field: change for field, change in found.items() if change}
