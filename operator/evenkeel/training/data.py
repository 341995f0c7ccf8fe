"""Data for a trainer: the containers that bring them, of which revision, and what was brought.

The program in them is evenkeel.sidecars.data; its last words are read here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from evenkeel.api.cause import Cause
from evenkeel.api.common import TrainingTemplate
from evenkeel.api.data import UsedData
from evenkeel.api.trainingdata import DvcSource, S3Source, TrainingData
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.objects import Manifest
from evenkeel.pods.expansion import literal_env
from evenkeel.pods.secret_variables import secret_variable, secret_variables
from evenkeel.pods.security import restricted
from evenkeel.pods.slim import BRINGS
from evenkeel.training.trainer_pods import age

Json = Mapping[str, Any]
JSON = dict[str, Any]

FOLDER = "/evenkeel/data"
"""Where the containers have the volume."""
CONTENT = "content"
"""The folder in it that the trainer sees."""
CERTIFICATES = {
    "DATA_STORE_CA": "ca.crt",
    "DATA_STORE_CERTIFICATE": "tls.crt",
    "DATA_STORE_KEY": "tls.key",
}
"""By variable the key of a store's Secret."""
RESOURCES: Json = {
    "requests": {"cpu": "100m", "memory": "128Mi"},
    "limits": {"memory": "1Gi"},
}


def problem(training: TrainingTemplate) -> str | None:
    """What in the pod template would keep data from being brought; None if nothing does."""
    assert training.pod_template is not None
    pod = training.pod_template.spec
    lists = (pod.get("volumes"), pod["containers"][0].get("volumeMounts"))
    if training.data and not all(isinstance(one or [], list) for one in lists):
        return "training.podTemplate.spec: volumes and the trainer's volumeMounts must be lists"
    return None


def with_data(job: Manifest, run: TrainingRun, image: str) -> Manifest:
    """The Job, whose pods bring the run's data first; the template must have no `problem`."""
    template = job["spec"]["template"]
    pod, data = template["spec"], run.spec.training.data
    trainer, *others = pod["containers"]
    mounts = [_mount(one) for one in data]
    trainer = {**trainer, "volumeMounts": [*(trainer.get("volumeMounts") or ()), *mounts]}
    brought = {
        **pod,
        "containers": [trainer, *others],
        "initContainers": [
            *(_container(one, run.spec.cause, image) for one in data),
            *(pod.get("initContainers") or ()),
        ],
        "volumes": [
            *(pod.get("volumes") or ()),
            *({"name": f"{BRINGS}{one.name}", "emptyDir": {}} for one in data),
        ],
    }
    template = {**template, "spec": restricted(brought)}
    return {**job, "spec": {**job["spec"], "template": template}}


def _mount(data: TrainingData) -> JSON:
    return {
        "name": f"{BRINGS}{data.name}",
        "mountPath": data.mount_path,
        "subPath": CONTENT,
        "readOnly": True,
    }


def _container(data: TrainingData, cause: Cause, image: str) -> JSON:
    found: JSON = {
        "name": f"{BRINGS}{data.name}",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-m", "evenkeel.sidecars.data"],
        "env": [
            *literal_env({"DATA_FOLDER": FOLDER, "DATA_WAIT_SECONDS": str(data.wait_seconds)}),
            *_variables(data, cause),
        ],
        "resources": data.resources or dict(RESOURCES),
        "volumeMounts": [{"name": f"{BRINGS}{data.name}", "mountPath": FOLDER}],
        "securityContext": {"readOnlyRootFilesystem": True},
    }
    if secret := _store_secret(data):
        found["envFrom"] = [{"secretRef": {"name": secret}}]
        found["env"] += [secret_variable(name, secret, key) for name, key in CERTIFICATES.items()]
    return found


def _store_secret(data: TrainingData) -> str | None:
    if data.s3 is not None:
        return data.s3.secret_name
    return data.dvc.remote_secret_name if data.dvc is not None else None


def _variables(data: TrainingData, cause: Cause) -> list[JSON]:
    if data.s3 is not None:
        return _s3_variables(data.s3)
    assert data.dvc is not None
    dvc = data.dvc
    told = {
        "DATA_REPO": dvc.repo,
        "DATA_PATH": dvc.path,
        "DATA_REV": pinned(dvc, cause) or dvc.rev or "",
        "DATA_REMOTE": dvc.remote or "",
        "DATA_GIT_FROM": dvc.secret_name or "",
    }
    return [*literal_env(told), *secret_variables("DATA_GIT_", dvc.secret_name)]


def _s3_variables(s3: S3Source) -> list[JSON]:
    return literal_env(
        {
            "DATA_S3_URI": s3.uri,
            "DATA_S3_ENDPOINT": s3.endpoint or "",
            "DATA_S3_ADDRESSING": s3.addressing,
            "DATA_S3_REGION": s3.region,
        }
    )


def pinned(dvc: DvcSource, cause: Cause) -> str:
    """The commit that the cause names for the data; empty if it names none."""
    told = cause.data
    if told is None or _plain(told.repo) != _plain(dvc.repo):
        return ""
    return told.rev if told.path == dvc.path or dvc.rev is None else ""


def _plain(repo: str) -> str:
    return repo.rstrip("/").removesuffix(".git")


def used(run: TrainingRun, pods: Iterable[Json] = ()) -> tuple[UsedData, ...]:
    """The data of the newest pod, as its containers tell of them; else what the run knows.

    Those that its cause is about are among them, also if the trainer brings them itself.
    """
    pod: Json = max(pods, key=age, default={})
    cause, told = run.spec.cause, _told(pod)
    found = [_used(one, cause, told.get(one.name, {})) for one in run.spec.training.data]
    if (data := cause.data) is not None:
        place = _plain(data.repo), data.path
        if not any(one.repo and (_plain(one.repo), one.path) == place for one in found):
            found.append(UsedData(name=cause.trigger, **data.model_dump()))
    addresses = {one.uri.rstrip("/") for one in found if one.uri}
    if (objects := cause.objects) is not None and objects.uri.rstrip("/") not in addresses:
        facts = objects.model_dump(include={"uri", "digest", "size"})
        found.append(UsedData(name=cause.trigger, files=objects.objects, **facts))
    return tuple(found)


def _used(data: TrainingData, cause: Cause, told: Json) -> UsedData:
    if data.s3 is not None:
        return UsedData(name=data.name, uri=data.s3.uri, **told)
    assert data.dvc is not None
    dvc, known = data.dvc, {}
    if (rev := pinned(dvc, cause)) and cause.data is not None:
        known = {"rev": rev}
        if cause.data.path == dvc.path:
            known = cause.data.model_dump(include={"rev", "digest", "size", "files"})
    return UsedData(name=data.name, repo=dvc.repo, path=dvc.path, **{**known, **told})


def _told(pod: Json) -> Mapping[str, Json]:
    """By name of the data what is told of them; nothing of those that are not there."""
    found = {}
    for container in _containers(pod):
        ended = (container.get("state") or {}).get("terminated") or {}
        if ended.get("exitCode") == 0:
            name = str(container["name"]).removeprefix(BRINGS)
            found[name] = _facts(str(ended.get("message") or ""))
    return found


def _facts(words: str) -> Json:
    """rev, digest, size and files, as far as they are told and make sense."""
    try:
        told = json.loads(words)
        known = {key: told[key] for key in ("rev", "digest", "size", "files") if told.get(key)}
        UsedData(name="", repo="", **known)
    except (ValueError, TypeError, AttributeError, RecursionError, ValidationError):
        return {}
    return known


def being_brought(pods: Iterable[Json]) -> str:
    """Which data a pod still brings; empty if none does."""
    for pod in pods:
        for container in _containers(pod):
            if "running" in (container.get("state") or {}):
                name = str(container["name"])
                return (
                    f"data {name.removeprefix(BRINGS)} are being brought or waited for; the log of "
                    f"container {name} tells more"
                )
    return ""


def _containers(pod: Json) -> list[Json]:
    statuses = (pod.get("status") or {}).get("initContainerStatuses") or ()
    return [one for one in statuses if str(one.get("name", "")).startswith(BRINGS)]
