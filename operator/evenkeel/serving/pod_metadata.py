"""Labels and annotations of users that pods have for as long as their revision has a role.

What is remembered of a pod are the operator's own labels and annotations alone, so one of these
tells what the pod was given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from evenkeel.api.common import ChildMetadata
from evenkeel.api.labels import GIVEN
from evenkeel.serving.pod_marks import Entry, Marks, ServingPod

NOTHING = ChildMetadata()


def given(annotations: Mapping[str, str]) -> ChildMetadata:
    """What a pod was given; nothing where that cannot be read."""
    try:
        found: Any = json.loads(annotations.get(GIVEN, ""))
        return ChildMetadata.model_validate(found)
    except ValueError:
        return NOTHING


def with_given(pod: ServingPod) -> ServingPod:
    """The pod with what it was given, of which only a note is remembered."""
    had = given(pod.annotations)
    return pod._replace(
        labels={**had.labels, **pod.labels}, annotations={**had.annotations, **pod.annotations}
    )


def role_marks(roles: Mapping[str, ChildMetadata]) -> Entry:
    """By revision what its pods have; those of all others have none of it."""

    def marks(pod: ServingPod) -> Marks:
        wanted, had = roles.get(pod.revision, NOTHING), given(pod.annotations)
        told = None if wanted == NOTHING else json.dumps(wanted.wire(), sort_keys=True)
        return Marks(
            labels={**dict.fromkeys(had.labels), **wanted.labels},
            annotations={**dict.fromkeys(had.annotations), **wanted.annotations, GIVEN: told},
        )

    return marks
