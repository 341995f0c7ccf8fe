"""When what a pod has learned becomes the reference of its revision."""

from __future__ import annotations

from evenkeel.controllers.modeldeployment.snapshot import DeploymentSnapshot
from evenkeel.meta.objects import Manifest
from evenkeel.meta.resources import CONFIG_MAP
from evenkeel.outside.meters import MeterSeen
from evenkeel.serving import learned
from evenkeel.serving.children import own_labels


def reference(snapshot: DeploymentSnapshot, revision: str) -> list[Manifest]:
    """The ConfigMap with the reference of the revision that serves, if it is to be made now.

    It is made once and never applied again, so that no revision has two: whatever another pod
    learns later, and whatever a process does not know that has just begun to lead.
    """
    md, drift = snapshot.deployment, snapshot.drift
    seen = drift.meters.answer if drift.meters is not None else None
    if drift.of(revision) is None or not isinstance(seen, MeterSeen) or seen.learning is None:
        return []
    made = any(c.ref.kind == CONFIG_MAP.kind and c.revision == revision for c in snapshot.children)
    if made or not seen.learning.text or not learned.wanted(md):
        return []
    return [learned.config_map(md, revision, own_labels(md, revision), seen.learning.text)]
