"""What is remembered of what each revision's runtime counts."""

from __future__ import annotations

from evenkeel.api.modeldeploymentstatus import CanaryStatus, RevisionMetrics, RevisionStatus
from evenkeel.controllers.modeldeployment.snapshot import DeploymentSnapshot
from evenkeel.meta.refusal import Refused
from evenkeel.rollout.probation import judged_by
from evenkeel.serving.wanted import Revision
from evenkeel.verdict.catalogue import remembered


def revision_metrics(
    snapshot: DeploymentSnapshot,
    wanted: Revision | Refused,
    status: RevisionStatus | CanaryStatus,
) -> RevisionMetrics | None:
    """Those of the runtime as long as it gives this revision, then what was remembered."""
    md, runtime = snapshot.deployment, snapshot.runtime
    wants = not isinstance(wanted, Refused) and wanted.name == status.revision
    if wants and not isinstance(runtime, Refused):
        return remembered(judged_by(md), runtime.spec.metrics)
    before = md.status.canary
    if status.metrics is None and before is not None and before.revision == status.revision:
        # It was on trial until now.
        return before.metrics
    return status.metrics
