"""What the gate of a canary's step is asked, and its answer in the status.

It is asked once the status says that the step waits for it. What it allows is kept there, so that
it is asked no more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from evenkeel.api.gates import StepWebhookStatus
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import CanaryStatus
from evenkeel.api.rollout import Step
from evenkeel.meta.names import digest
from evenkeel.meta.times import precise
from evenkeel.outside.gates import KIND, GateAnswer, GateQuestion
from evenkeel.outside.poll import Poll, Sighting
from evenkeel.rollout.exposure import present_step, step_number

NAME = "gate"


def polls(md: ModelDeployment) -> dict[str, Poll]:
    """What is asked now; nothing unless a step waits for its gate."""
    canary, step = md.status.canary, _waiting(md)
    if canary is None or step is None or step.webhook is None:
        return {}
    url, _, query = step.webhook.url.partition("?")
    asked = GateQuestion(
        query, _body(md, canary), _delivery(md, canary), float(step.webhook.timeout_seconds)
    )
    interval = float(step.webhook.interval_seconds)
    return {NAME: Poll(KIND, url, asked, interval, step.webhook.secret_name or "")}


def with_answer(md: ModelDeployment, seen: Mapping[str, Sighting[object]]) -> ModelDeployment:
    """The object with what its gate has said, as far as it was asked."""
    canary, step, sighting = md.status.canary, _waiting(md), seen.get(NAME)
    if canary is None or step is None or step.webhook is None or sighting is None:
        return md
    url = step.webhook.url
    known = canary.webhook
    if known is None or known.url != url:
        known = StepWebhookStatus(url=url)
    found = _told(known, sighting)
    if found == canary.webhook:
        return md
    one = canary.model_copy(update={"webhook": found})
    return md.model_copy(update={"status": md.status.model_copy(update={"canary": one})})


def _told(known: StepWebhookStatus, sighting: Sighting[object]) -> StepWebhookStatus:
    if (failure := sighting.failure) is not None:
        since = known.unanswered_since or precise(failure.since)
        why = {"message": failure.message[:1024], "unanswered_since": since}
        return known.model_copy(update=why)
    answer = sighting.answer
    if not isinstance(answer, GateAnswer):
        return known
    return StepWebhookStatus(url=known.url, answer=answer.answer, message=answer.message[:1024])


def _waiting(md: ModelDeployment) -> Step | None:
    """The step, if it waits for its gate alone."""
    canary = md.status.canary
    if md.metadata.deletion_timestamp is not None or canary is None:
        return None
    waits = canary.stage == "Stepping" and canary.awaiting == "Webhook"
    return present_step(md.spec.rollout, canary) if waits else None


def _body(md: ModelDeployment, canary: CanaryStatus) -> str:
    stable = md.status.stable
    told = {
        "namespace": md.metadata.namespace,
        "name": md.metadata.name,
        "revision": canary.revision,
        "version": canary.version,
        "uri": canary.uri,
        "stable": "" if stable is None else stable.revision,
        "step": step_number(md.spec.rollout, canary),
        "weight": canary.weight,
        "attempt": canary.attempt,
        "trial": canary.start_time,
    }
    return json.dumps(told, sort_keys=True)


def _delivery(md: ModelDeployment, canary: CanaryStatus) -> str:
    """The same for one step of one trial."""
    step = str(step_number(md.spec.rollout, canary))
    return digest(md.metadata.uid, canary.revision, canary.start_time, step, length=32)
