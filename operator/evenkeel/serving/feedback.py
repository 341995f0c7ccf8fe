"""The server that takes labels: a Deployment of one pod, and the Service that leads to it.

It is the meter's image with the argument `feedback`, and belongs to the model and not to one of its
revisions. Its pod does not have the labels of the model's pods, so that no selector of those takes
it for one. What was counted is told by its metrics alone, which carry the revision.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evenkeel.api.labels import FEEDBACK, MANAGED_BY, MANAGER
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.monitoring import Feedback
from evenkeel.meta.names import child_name
from evenkeel.meta.objects import Manifest
from evenkeel.pods.expansion import literal_env
from evenkeel.pods.security import restricted
from evenkeel.serving import feedback_keys
from evenkeel.serving.children import child
from evenkeel.serving.pod_template import APP
from evenkeel.serving.ports import HTTP, METRICS, scraped_at

NAME = "feedback"
PORT, ADMIN_PORT, SERVICE_PORT = 8080, 8092, 80
FOLDER = "/var/run/evenkeel/feedback"
USER = 65532
"""The image's, whose group a claim's files are given."""
RESOURCES: Mapping[str, Any] = {
    "requests": {"cpu": "50m", "memory": "64Mi"},
    "limits": {"memory": "256Mi"},
}
"""A million answers that are remembered take 55 MiB."""
_SEEN = "seen"


def feedback_name(deployment: str) -> str:
    """The name of both objects."""
    return child_name(deployment, NAME)


def feedback_of(md: ModelDeployment) -> Feedback | None:
    """spec.monitoring.feedback."""
    return None if md.spec.monitoring is None else md.spec.monitoring.feedback


def feedback_url(md: ModelDeployment) -> str:
    """Where labels are posted, from within the cluster."""
    return f"http://{feedback_name(md.metadata.name)}.{md.metadata.namespace}.svc/v1/feedback"


def feedback_objects(md: ModelDeployment, image: str) -> list[Manifest]:
    """Both; none without spec.monitoring.feedback. image: the meter's."""
    asked = feedback_of(md)
    if asked is None:
        return []
    name, selected = feedback_name(md.metadata.name), {FEEDBACK: md.metadata.name}
    ports = [
        {
            "name": HTTP,
            "port": SERVICE_PORT,
            "targetPort": HTTP,
            "protocol": "TCP",
            "appProtocol": "http",
        }
    ]
    return [
        child(
            md,
            "apps/v1",
            "Deployment",
            name,
            {
                "replicas": 1,
                # Two never share a folder.
                "strategy": {"type": "Recreate"},
                "revisionHistoryLimit": 2,
                "selector": {"matchLabels": selected},
                "template": _template(md, asked, name, image),
            },
        ),
        child(
            md,
            "v1",
            "Service",
            name,
            {"type": "ClusterIP", "selector": selected, "ports": ports},
        ),
    ]


def _template(md: ModelDeployment, asked: Feedback, name: str, image: str) -> Manifest:
    seen: dict[str, Any] = {"emptyDir": {}}
    owner: dict[str, Any] = {}
    if asked.claim_name is not None:
        seen = {"persistentVolumeClaim": {"claimName": asked.claim_name}}
        # Else the claim's files are root's. Some clusters allow no group of one's own choice.
        owner = {"fsGroup": USER, "fsGroupChangePolicy": "OnRootMismatch"}
    spec = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": owner,
        "containers": [_container(md, asked, image)],
        "volumes": [
            feedback_keys.volume(asked),
            {"name": _SEEN, **seen},
        ],
    }
    return {
        "metadata": {
            "labels": {APP: name, MANAGED_BY: MANAGER, FEEDBACK: md.metadata.name},
            "annotations": scraped_at(ADMIN_PORT, "/metrics"),
        },
        "spec": restricted(spec),
    }


def _container(md: ModelDeployment, asked: Feedback, image: str) -> dict[str, Any]:
    told = {
        "FEEDBACK_LISTEN": f":{PORT}",
        "FEEDBACK_ADMIN_LISTEN": f":{ADMIN_PORT}",
        "FEEDBACK_DEPLOYMENT": md.metadata.name,
        "FEEDBACK_KEYS": feedback_keys.PATH,
        "FEEDBACK_FOLDER": FOLDER,
        "FEEDBACK_MAX_AGE_SECONDS": str(asked.max_age_seconds),
        "FEEDBACK_WINDOW_SECONDS": str(asked.window_seconds),
        **({"FEEDBACK_LOSS_THRESHOLD": asked.loss.threshold} if asked.loss else {}),
    }
    ready, live = ({"path": path, "port": METRICS} for path in ("/ready", "/live"))
    return {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": [NAME],
        "env": literal_env(told),
        "ports": [
            {"name": HTTP, "containerPort": PORT},
            {"name": METRICS, "containerPort": ADMIN_PORT},
        ],
        "readinessProbe": {"httpGet": ready, "periodSeconds": 2, "failureThreshold": 1},
        "livenessProbe": {"httpGet": live, "timeoutSeconds": 5, "failureThreshold": 6},
        "resources": dict(RESOURCES) if asked.resources is None else asked.resources,
        "securityContext": {"readOnlyRootFilesystem": True},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [feedback_keys.mount(), {"name": _SEEN, "mountPath": FOLDER}],
    }
