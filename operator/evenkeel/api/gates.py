"""What a step waits for besides pause and verdict, and how it stands."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from evenkeel.api.common import ChildMetadata, job_pod
from evenkeel.api.prometheus import ObjectName, url_rules
from evenkeel.meta.model import ATOMIC, Model, OpenObject, Rule, cel
from evenkeel.meta.times import Timestamp

Gate = Literal["Job", "Webhook", "Approval"]
"""What alone may hold a step of which pause and analysis are over."""


class StepPodTemplate(Model):
    """A pod template whose spec the API server validates when the Job is created."""

    metadata: Annotated[
        ChildMetadata | None, Field(description="Labels and annotations of the pod.")
    ] = None
    spec: Annotated[
        OpenObject,
        Field(
            description="A core/v1 PodSpec with at least one container.",
            json_schema_extra=job_pod(
                "Containers. Each is given EVENKEEL_URL, EVENKEEL_STABLE_URL and what else tells "
                "of the trial.",
                "backoffLimit",
                ATOMIC,
            ),
        ),
    ]


class StepJob(Model):
    """A Job that has to succeed before the step is left, such as a smoke test."""

    pod_template: Annotated[StepPodTemplate, Field(description="Its pod.")]
    backoff_limit: Annotated[
        int, Field(ge=0, le=10, description="How often a failed pod is tried again.")
    ] = 0
    active_deadline_seconds: Annotated[
        int, Field(ge=1, le=86400, description="Seconds that the Job may take, pods included.")
    ] = 600


class StepJobStatus(Model):
    """The Job of the step that the canary is at."""

    name: Annotated[str, Field(max_length=63, description="Its name.")]
    uid: Annotated[str, Field(max_length=64, description="Its UID, once it was seen.")] = ""
    outcome: Annotated[
        Literal["Running", "Passed", "Failed", "Unfinished"],
        Field(description="How it stands. Unfinished: it ended by no fault of the model."),
    ] = "Running"
    message: Annotated[str, Field(max_length=1024, description="That in words.")] = ""


class StepWebhook(Model):
    """A system outside that lets a canary leave its step, or not."""

    url: Annotated[
        str,
        Field(
            max_length=1024,
            description="Address that is sent what is asked, JSON by POST. It answers with "
            "allow (true or false) or wait, and may have a message.",
            json_schema_extra=cel(
                *url_rules("secretName", query=True),
                Rule("self.matches('^[!-~]+$')", "url must be printable ASCII"),
            ),
        ),
    ]
    secret_name: Annotated[
        ObjectName | None,
        Field(
            description="Secret in the ModelDeployment's namespace: signingKey, which questions "
            "are signed with, and what the address is shown: token, username and password, "
            "headers, ca.crt, tls.crt and tls.key."
        ),
    ] = None
    timeout_seconds: Annotated[int, Field(ge=1, le=20, description="Seconds for an answer.")] = 10
    interval_seconds: Annotated[
        int,
        Field(
            ge=5,
            le=3600,
            description="Seconds until it is asked again after it said to wait; twice as long with "
            "each failure, ten minutes or this at most.",
        ),
    ] = 30


class StepWebhookStatus(Model):
    """What the gate of the step that the canary is at has said."""

    url: Annotated[str, Field(max_length=1024, description="Whose answer it is.")]
    answer: Annotated[
        Literal["Allow", "Wait", "Deny"] | None,
        Field(description="Its last answer; absent if it gave none."),
    ] = None
    message: Annotated[
        str, Field(max_length=1024, description="Its words, or why there is no answer.")
    ] = ""
    unanswered_since: Annotated[
        Timestamp | None, Field(description="Since when it has given no answer when asked.")
    ] = None
