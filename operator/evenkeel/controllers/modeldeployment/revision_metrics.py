"""What is remembered of what each revision counts: its runtime, and whether it has the meter."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import CanaryStatus, RevisionMetrics, RevisionStatus
from evenkeel.controllers.modeldeployment.snapshot import DeploymentSnapshot
from evenkeel.meta.refusal import Refused
from evenkeel.rollout.probation import judged_by
from evenkeel.serving.wanted import Revision
from evenkeel.verdict.catalogue import remembered

T = TypeVar("T")


def revision_metrics(
    snapshot: DeploymentSnapshot,
    wanted: Revision | Refused,
    status: RevisionStatus | CanaryStatus,
) -> RevisionMetrics | None:
    """Those of the runtime as long as it gives this revision, then what was remembered."""
    md, runtime = snapshot.deployment, snapshot.runtime
    if _wants(wanted, status) and not isinstance(runtime, Refused):
        return remembered(judged_by(md), runtime.spec.metrics)
    return status.metrics or _on_trial(md, status, lambda before: before.metrics)


def revision_meter(
    md: ModelDeployment, wanted: Revision | Refused, status: RevisionStatus | CanaryStatus
) -> bool | None:
    """Whether the revision has the meter: as spec says if it is of this spec, else as known."""
    if _wants(wanted, status):
        return md.spec.monitoring is not None or None
    return status.meter or _on_trial(md, status, lambda before: before.meter)


def _wants(wanted: Revision | Refused, status: RevisionStatus | CanaryStatus) -> bool:
    return not isinstance(wanted, Refused) and wanted.name == status.revision


def _on_trial(
    md: ModelDeployment,
    status: RevisionStatus | CanaryStatus,
    known: Callable[[CanaryStatus], T | None],
) -> T | None:
    """What was known of the revision if it was on trial until now."""
    before = md.status.canary
    return known(before) if before is not None and before.revision == status.revision else None
