"""When what a pod has learned becomes the reference of its revision."""

from __future__ import annotations

from evenkeel.controllers.modeldeployment.snapshot import DeploymentSnapshot
from evenkeel.meta.objects import Manifest
from evenkeel.meta.resources import DEPLOYMENT
from evenkeel.outside.meters import MeterSeen
from evenkeel.serving import learned
from evenkeel.serving.children import own_labels


def reference(snapshot: DeploymentSnapshot, revision: str) -> tuple[Manifest, ...]:
    """The ConfigMap with the reference of the revision that serves, while a pod has none yet.

    It is offered: made if there is none of that name, and else left as it is. So no revision has
    two, whatever another pod learns later, and whatever a process does not know that has just begun
    to lead.
    """
    md, drift = snapshot.deployment, snapshot.drift
    seen = drift.meters.answer if drift.meters is not None else None
    if drift.of(revision) is None or not isinstance(seen, MeterSeen) or not learned.wanted(md):
        return ()
    if seen.learning is None or not seen.learning.text:
        return ()
    labels, text = own_labels(md, revision), seen.learning.text
    return tuple(
        learned.config_map(child.ref, labels, text)
        for child in snapshot.children
        if child.ref.kind == DEPLOYMENT.kind and child.revision == revision
    )
