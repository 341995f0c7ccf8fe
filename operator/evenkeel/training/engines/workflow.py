"""The workflow engine: Argo Workflows runs the templates of a Workflow.

The report is the output parameter `result` of the entrypoint, or of any template that gives it the
globalName `result`; where there is none, the termination message of a pod's container `main`.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from evenkeel.api.common import TrainingTemplate
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.admission import explained
from evenkeel.meta.objects import Manifest
from evenkeel.meta.resources import POD, READ, ResourceType, Watch
from evenkeel.meta.times import parse, seconds_since
from evenkeel.pods.slim import slim
from evenkeel.training.engine import Engine, Observed, State, labels_of, manifest_of
from evenkeel.training.environment import (
    OPTIONAL,
    RESERVED,
    environment,
    extensible,
    facts_of,
)
from evenkeel.training.main_object import of_its_life, seconds_left, why_suspended, without_report
from evenkeel.training.result import Place
from evenkeel.training.trainer_pods import last_report, running, unfinished, waiting
from evenkeel.training.workflow_nodes import NODES, REPORT_BYTES, RESULT, slim_workflow

Json = Mapping[str, Any]
JSON = dict[str, Any]

WORKFLOW = ResourceType("argoproj.io", "v1alpha1", "workflows", "Workflow")
MAIN = "main"
"""Argo's name for the container that a template describes."""
PARAMETER = Place(
    f"output parameter {RESULT}", "let the entrypoint put one JSON object out", REPORT_BYTES
)
GRACE_SECONDS = 30.0
"""For so long after the time is over Argo may need to end the Workflow by itself."""
_PATH = "training.workflow.spec"
_PARAMETER = re.compile(r"[-a-zA-Z0-9_]+")
_TAG = re.compile(r"\{(?=\{)")
_REFUSED = {
    "suspend": "write training.suspend in place of suspend",
    "activeDeadlineSeconds": "write training.timeoutSeconds in place of activeDeadlineSeconds",
    "shutdown": "take shutdown out; who deletes the TrainingRun ends the Workflow",
}


def problem(training: TrainingTemplate) -> str | None:
    """What would keep the Workflow from taking the run's parameters, labels and environment."""
    assert training.workflow is not None
    return _shape_problem(training.workflow.spec) or _parameter_problem(training.parameters)


def _shape_problem(spec: JSON) -> str | None:
    if ("templates" in spec) == ("workflowTemplateRef" in spec):
        return f"{_PATH} needs exactly one of templates or workflowTemplateRef"
    for field, remedy in _REFUSED.items():
        if field in spec:
            return f"{_PATH}: {remedy}"
    templates, arguments = spec.get("templates", []), spec.get("arguments", {})
    if not _objects(templates):
        return f"{_PATH}.templates must be a list of objects"
    if not isinstance(arguments, dict) or not _objects(arguments.get("parameters", [])):
        return f"{_PATH}.arguments.parameters must be a list of objects"
    labels = spec.get("podMetadata", {})
    if not isinstance(labels, dict) or not isinstance(labels.get("labels", {}), dict):
        return f"{_PATH}.podMetadata.labels must be an object"
    if not all(map(extensible, _containers(templates))):
        return (
            f"{_PATH}.templates: containers and scripts must be objects and their env lists of "
            "objects with a name"
        )
    return None


def _objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _parameter_problem(parameters: Mapping[str, str]) -> str | None:
    for name, value in parameters.items():
        if not _PARAMETER.fullmatch(name):
            return (
                f"training.parameters: {name!r} cannot be a parameter of a Workflow: its name "
                "needs letters, digits, hyphens and underscores"
            )
        if "{{" in value:
            return (
                f"training.parameters: the value of {name!r} has {{{{, which Argo would expand; "
                f"write it in {_PATH}"
            )
    return None


def workflow(run: TrainingRun, champion: ModelVersion | None = None) -> Manifest:
    """The Workflow; the template must have no `problem`."""
    template, training = run.spec.training.workflow, run.spec.training
    assert template is not None
    spec = copy.deepcopy(template.spec)
    spec["suspend"] = training.suspend
    if not training.suspend:
        # Argo's own deadline does not stand still during a suspension.
        spec["activeDeadlineSeconds"] = training.timeout_seconds
    spec["arguments"] = _arguments(run, champion, spec.get("arguments", {}))
    pods = spec.get("podMetadata", {})
    spec["podMetadata"] = {**pods, "labels": {**pods.get("labels", {}), **labels_of(run)}}
    for container in _containers(spec.get("templates", [])):
        container["env"] = environment(run, champion, container.get("env") or [], inert)
    return manifest_of(WORKFLOW, run, spec)


def _arguments(run: TrainingRun, champion: ModelVersion | None, own: JSON) -> JSON:
    """With the run's parameters and facts; Argo fails for one that is asked for and missing."""
    parameters, every = run.spec.training.parameters, own.get("parameters", [])
    users = {*parameters, *(p.get("name") for p in every)}
    lacked = (name for name in OPTIONAL if name.startswith(RESERVED) or name not in users)
    found = {**dict.fromkeys(lacked, ""), **facts_of(run, champion)}
    given = {**parameters, **{k: inert(v) for k, v in found.items()}}
    kept = [p for p in every if p.get("name") not in given]
    return {**own, "parameters": [*kept, *({"name": k, "value": v} for k, v in given.items())]}


def inert(value: str) -> str:
    """The value without {{, where Argo would look for a tag: in JSON the same by an escape, in
    other text with a blank between."""
    return _TAG.sub("\\\\u007b" if value.startswith('{"') else "{ ", value)


def _containers(templates: Sequence[JSON]) -> Iterator[Any]:
    """What runs for the user in these templates: containers and scripts, no sidecars."""
    for template in templates:
        yield from (template[kind] for kind in ("container", "script") if kind in template)
        several = template.get("containerSet")
        yield from several.get("containers") or () if isinstance(several, dict) else ()


def workflow_state(run: TrainingRun, observed: Observed, now: datetime) -> State:
    """How the Workflow stands: by its phase, and by the run's clock should Argo be away."""
    main = observed.main or {}
    spec, told, nodes = (main.get(part) or {} for part in ("spec", "status", NODES))
    pods = of_its_life(main, observed.of(POD.kind))
    if told.get("phase") == "Succeeded":
        return _succeeded(run, told, nodes, pods, now)
    if told.get("phase") in ("Failed", "Error"):
        return _failed(spec, told, nodes)
    if spec.get("suspend"):
        return State("Suspended", why_suspended(run, WORKFLOW.kind, main))
    going = _going_on(told, nodes, [pod for pod in pods if unfinished(pod)])
    left = seconds_left(run, now, grace=GRACE_SECONDS if "activeDeadlineSeconds" in spec else 0.0)
    if left > 0:
        return going._replace(requeue_after=left)
    return State("TimedOut", going.message if going.phase == "Pending" else "", stop=True)


def _succeeded(
    run: TrainingRun, told: Json, nodes: Json, pods: Sequence[Json], now: datetime
) -> State:
    ended = told.get("finishedAt")
    if run.spec.training.result_from is not None:
        return State("Succeeded", "", completed=ended)
    if found := str(nodes.get("result") or ""):
        return State("Succeeded", "", found, completed=ended, place=PARAMETER)
    if found := last_report(pods, MAIN):
        return State("Succeeded", "", found, completed=ended)
    late = without_report(run, WORKFLOW.kind, {"lastTransitionTime": ended}, now)
    if late.phase == "Running" and (not pods or any(map(unfinished, pods))):
        return late
    if where := nodes.get("hidden"):
        words = (
            f"the Workflow is complete, but Argo keeps its nodes {where}, where their output "
            f"parameters cannot be read: give the parameter the globalName {RESULT}, or write the "
            "report to /dev/termination-log"
        )
        return State("ReportLost", words)
    return State("Succeeded", "", "", completed=ended) if pods else late


def _failed(spec: Json, told: Json, nodes: Json) -> State:
    words = str(told.get("message") or "")
    if words.startswith("invalid spec: "):
        return State("InvalidTemplate", f"Argo refuses the Workflow: {words}; correct {_PATH}")
    texts = (words, str(nodes.get("failure") or ""))
    words = ": ".join(filter(None, texts)) or "Argo gives no reason"
    began, ended = told.get("startedAt"), told.get("finishedAt")
    limit = spec.get("activeDeadlineSeconds")
    if limit and began and ended and seconds_since(began, parse(ended)) >= limit:
        return State("TimedOut", words)
    return State("Failed", words)


def _going_on(told: Json, nodes: Json, pods: Sequence[Json]) -> State:
    phase, words = told.get("phase"), str(told.get("message") or "")
    if not phase:
        return State(
            "Pending",
            "Argo has not taken the Workflow up; if that lasts, see whether its controller runs "
            "and has this namespace",
        )
    why = waiting(pods) or explained(str(nodes.get("pending") or ""))
    if why and not running(pods):
        return State("Pending", why)
    if phase == "Pending":
        return State("Pending", words or "Argo has not begun")
    if step := nodes.get("waits"):
        return State("Running", f"the step {step} waits until somebody resumes it")
    done, _, steps = str(told.get("progress") or "").partition("/")
    if not steps:
        return State("Pending", "no step has begun")
    return State("Running", "; ".join(filter(None, (f"{done} of {steps} steps are done", why))))


WORKFLOW_ENGINE = Engine(
    field="workflow",
    type=WORKFLOW,
    watches=(
        Watch(WORKFLOW, verbs=(*READ, "create", "delete"), slim=slim_workflow),
        Watch(POD, verbs=READ, slim=slim),
    ),
    problem=problem,
    manifest=workflow,
    state=workflow_state,
    # Argo tells in the Workflow itself what it is refused.
    events=lambda _: (),
    refusals=(),
    integration="workflow",
)
