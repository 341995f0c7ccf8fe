"""The order of a model's versions: by the time of their training, which outlives their objects."""

from __future__ import annotations

from datetime import datetime, timedelta

from evenkeel.api.modelversion import ModelVersion
from evenkeel.meta.times import parse

Age = tuple[datetime, str]


def age(version: ModelVersion) -> Age:
    """Orders versions, older ones first."""
    return trained(version), version.metadata.name


def trained(version: ModelVersion) -> datetime:
    """When the version was trained, as far as it tells; at the latest when it was created."""
    told = version.spec.trained_time or version.status.trained_time
    return trained_at(version.metadata.creation_timestamp, told)


def trained_at(creation: str, told: str | None) -> datetime:
    """When a version was trained that was created then and tells that time, if any. Raises
    ValueError for a creation that is no time."""
    created = parse(creation)
    try:
        # The API server cuts fractions off.
        return min(parse(told), created + timedelta(seconds=1)) if told else created
    except ValueError:
        return created


def tied(version: ModelVersion, other: ModelVersion) -> bool:
    """Whether nothing but their names tells which of the two is the newer."""
    dated = version.spec.trained_time and other.spec.trained_time
    return not dated and trained(version) == trained(other)
