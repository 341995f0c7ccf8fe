"""What a reconcile knows of the stable revision's drift."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evenkeel.api.modeldeploymentstatus import ModelDeploymentStatus
from evenkeel.api.monitoringstatus import MonitoringStatus
from evenkeel.meta.objects import Event
from evenkeel.outside.poll import Sighting


@dataclass(frozen=True, slots=True)
class Drift:
    """status: None without a meter. meters: how they count, or why that or a block is not known.
    due: seconds until a block is over."""

    status: MonitoringStatus | None = None
    meters: Sighting[object] | None = None
    due: float | None = None

    def of(self, revision: str) -> MonitoringStatus | None:
        """What is known of the revision."""
        same = self.status is not None and self.status.revision == revision
        return self.status if same else None


def began(before: ModelDeploymentStatus, now: MonitoringStatus | None) -> Iterator[Event]:
    """Told once: afterwards the condition says so."""
    if now is None:
        return
    known = before.monitoring
    groups = known.groups if known is not None and known.revision == now.revision else ()
    since = {one.name: one.drifted_since for one in groups}
    for one in now.groups:
        if one.drifted_since is not None and since.get(one.name) is None:
            names = ", ".join(feature.name for feature in one.features)
            message = f"{one.name} of revision {now.revision}"
            yield Event("Warning", "Drifted", f"{message}: {names}" if names else message)
