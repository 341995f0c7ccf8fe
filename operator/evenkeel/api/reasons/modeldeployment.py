"""Reasons of a ModelDeployment, but for those of its rollouts."""

from __future__ import annotations

from evenkeel.api.reasons.indicators import INDICATORS
from evenkeel.api.reasons.monitoring import MONITORING
from evenkeel.api.reasons.performance import PERFORMANCE
from evenkeel.api.reasons.reason import APPLY_FAILED, REFUSED, Carrier, Reason
from evenkeel.api.reasons.source import source_reasons

_STATE = (
    Reason("Serving", ("Ready",), "The wanted revision serves with all of its pods."),
    Reason(
        "ScaledToZero",
        ("Ready", "Available", "rollout"),
        "`spec.replicas` is 0: the model is stopped, a trial waits, and a new revision takes over "
        "without one.",
    ),
    Reason(
        "PodsStarting",
        ("Ready",),
        "Pods of the stable revision are not ready yet; the message says why, where that is known.",
    ),
    Reason(
        "RolloutInProgress",
        ("Ready",),
        "A canary is on trial; the message has its stage, weight and what it waits for.",
    ),
    Reason(
        "RouteNotAccepted",
        ("Ready",),
        "The gateway does not take the HTTPRoute or what it leads to, so no request arrives by it.",
        "Read the gateway's answer in the message: name, namespace, listener, host name or filter.",
    ),
    Reason(
        "RolledBack",
        ("Ready", "RolloutHealthy", "Event"),
        "The wanted revision was taken back; the message has the verdict with its counts.",
        "Change the model, or name the revision in `rollout.promote`.",
    ),
    APPLY_FAILED._replace(
        remedy="Correct what the answer names, usually in `podTemplate`, a quota or a policy."
    ),
    Reason(
        "NameTaken",
        ("Ready", "Event"),
        "An object of somebody else has a name that is needed; it is left as it is, and no new "
        "revision begins. The message names it, and who has it.",
        "Delete it, give the ModelDeployment another name, or hand it over: its annotation "
        "`evenkeel.dev/adopt` names the ModelDeployment.",
    ),
    Reason(
        "AwaitingGarbageCollection",
        ("Ready",),
        "A former ModelDeployment of this name still has an object that is needed; the garbage "
        "collector removes it.",
        "If that lasts, see why the object stays: a finalizer, or `--cascade=orphan`.",
    ),
    Reason(
        "Contested",
        ("Event",),
        "Another operator, of another version or with other settings, writes a child as well; the "
        "two answer each other ever more seldom.",
        "Let one of them watch other namespaces (`watchNamespaces`).",
    ),
    Reason("Resolved", ("ModelResolved",), "Model and model server are known."),
    Reason(
        "DeadlineBeforeStartUp",
        ("ModelResolved",),
        "Model and model server are known, but `rollout.progressDeadlineSeconds` ends before the "
        "download may and the pods' probes give up: what loads slowly is taken back.",
        "Remove the deadline, which then follows them, or set a longer one.",
    ),
    Reason("PodsReady", ("Available",), "The stable revision has a ready pod."),
    Reason(
        "NoReadyPods",
        ("Available", "AliasCurrent"),
        "No pod of the stable revision is ready.",
        "See the message of Ready.",
    ),
    Reason(
        "NoRevision",
        ("Available", "AliasCurrent"),
        "No revision serves yet.",
        "See the message of ModelResolved.",
    ),
    Reason("NoRollout", ("RolloutHealthy",), "No rollout has taken place yet."),
    Reason("FirstRevision", ("Event", "rollout"), "The first revision serves without a trial."),
    Reason(
        "RevisionNotOnTrial",
        ("SteeringAccepted", "Event"),
        "`rollout.promote`, `abort`, `retry`, `approve`, `skip` or `restart` names a revision or a "
        "step that it can do nothing to.",
        "Name the one on trial, which the message gives, or remove the field.",
    ),
    Reason("Accepted", ("SteeringAccepted",), "What steers the rollout names what is known."),
    Reason("MembersAgree", ("GroupComplete",), "All members name the same group."),
    Reason(
        "MemberMissing",
        ("GroupComplete",),
        "A member of `rollout.group` is not there or names no group: nothing is promoted.",
        "Make it, give it the same `rollout.group`, or take it off `members` everywhere.",
    ),
    Reason(
        "MembersDiffer",
        ("GroupComplete",),
        "Members of `rollout.group` give it another name or other members: nothing is promoted.",
        "Write the same `name` and `members` in each of them.",
    ),
    Reason("RolloutStarted", ("Event",), "A canary begins."),
    Reason("RolloutRestarted", ("Event",), "`rollout.restart`: the canary begins again."),
    Reason("CanaryStarting", ("Event",), "After `rollout.stopFirst` has made room."),
    Reason("CanaryWarmingUp", ("Event",), "The canary gets its first requests, not yet judged."),
    Reason("CanaryStepping", ("Event",), "The canary enters a step; the message has its weight."),
    Reason("CanaryPromoting", ("Event",), "The canary has passed and grows to its full size."),
    Reason("CanaryProbation", ("Event",), "The canary has taken over and is on probation."),
    Reason("CanaryReturning", ("Event",), "The probation failed; the former revision comes back."),
    Reason("Promoted", ("RolloutHealthy", "Event"), "The canary has become the stable revision."),
    Reason(
        "Superseded",
        ("RolloutHealthy", "Event", "rollout"),
        "Another revision was wanted before the trial had ended.",
    ),
)

_MODEL = (
    Reason(
        "NoApprovedVersion",
        REFUSED,
        "`model.follow` names a model of which no ModelVersion is approved; what serves goes on.",
        "Decide on the version that the message names, train one, or create one.",
    ),
    Reason(
        "AwaitingApproval",
        (*REFUSED, "rollout", "Event"),
        "The ModelVersion that `model.version` names waits for its gates or for a person. Of a "
        "canary: its step has passed all else, and waits for a person.",
        "Set the version's `spec.approval.decision`; for a step set `rollout.approve`.",
    ),
    Reason(
        "VersionNotFound",
        REFUSED,
        "`model.version` names a ModelVersion that the namespace does not have, or the one in "
        "production is gone and all others are older; what serves goes on.",
        "Create it or correct the name.",
    ),
    Reason(
        "OrderUnknown",
        REFUSED,
        "`model.follow` cannot tell which version is the newest: several were created in the same "
        "second and do not say when they were trained; what serves goes on.",
        "Set `spec.trainedTime` in the versions that the message names, or name one by "
        "`model.version`.",
    ),
    Reason(
        "VersionNotApproved",
        REFUSED,
        "`model.version` names a ModelVersion that was denied or whose gates failed.",
        "Name another.",
    ),
    Reason(
        "InvalidModelURI",
        REFUSED,
        "The model's URI has no form that storage understands.",
        "Write it as the message says; docs/storage.md has all forms.",
    ),
)

_REGISTRY_REFUSED: tuple[Carrier, ...] = (*REFUSED, "RegistryRead")

_REGISTRY = (
    Reason(
        "RegistryAnswered",
        ("RegistryRead",),
        "The registry has told which version is meant; it is in `status.registry`.",
    ),
    Reason(
        "VersionsTagged",
        ("RegistryTold",),
        "The versions have tags in the registry that tell how their rollouts went.",
    ),
    Reason(
        "AliasSet",
        ("AliasCurrent",),
        "The alias in `spec.servedAlias` means the registered version that serves.",
    ),
    Reason(
        "AliasMovedByOthers",
        ("AliasCurrent",),
        "Somebody else has moved the alias away from what serves; it is left there until another "
        "version serves.",
        "Move it back, or delete it to have it set again.",
    ),
    Reason(
        "AliasLoop",
        ("AliasCurrent",),
        "The alias leads back to the one that the ModelDeployment follows, so each promotion would "
        "be the next one's cause; nothing is moved.",
        "Name another alias in `servedAlias`.",
    ),
    Reason(
        "AliasTaken",
        ("AliasCurrent",),
        "An older ModelDeployment of the namespace moves the alias; nothing is moved from here.",
        "Name another alias in `servedAlias`, or take it out there.",
    ),
    Reason(
        "NotRegistered",
        ("AliasCurrent",),
        "What serves is in no registry, or not yet; the alias stays where it is.",
        "Set `spec.registration` in the RetrainSchedule, TrainingRun or ModelVersion.",
    ),
    Reason(
        "ServesAnotherModel",
        ("AliasCurrent",),
        "What serves is a version of another registered model than `servedAlias` names.",
        "Correct `servedAlias.name` or `servedAlias.registry`.",
    ),
    Reason(
        "AwaitingRegistry",
        (*_REGISTRY_REFUSED, "RegistryTold", "AliasCurrent"),
        "The registry was not asked yet; what serves goes on.",
    ),
    Reason(
        "RegistryNotFound",
        (*_REGISTRY_REFUSED, "AliasCurrent"),
        "`model.registry`, `servedAlias` or the version's `spec.mlflow` names a ModelRegistry that "
        "the namespace does not have; what serves goes on.",
        "Create it or correct the name.",
    ),
    Reason(
        "AliasNotFound",
        _REGISTRY_REFUSED,
        "The registered model has no such alias (any more); what serves goes on.",
        "Set the alias in the registry, or correct `model.registry.alias`.",
    ),
    Reason(
        "RegisteredModelNotFound",
        (*_REGISTRY_REFUSED, "AliasCurrent"),
        "The registry has no model of that name; what serves goes on.",
        "Register it, or correct `model.registry.name`.",
    ),
    Reason(
        "RegisteredVersionNotFound",
        (*_REGISTRY_REFUSED, "RegistryTold", "AliasCurrent"),
        "The registry does not have the version (any more); what serves goes on.",
        "Correct `model.registry.version`, or move the alias to another version.",
    ),
    Reason(
        "RegisteredVersionNotReady",
        _REGISTRY_REFUSED,
        "The version is not ready in the registry, by the registry's own words.",
        "See there why, or move the alias to another version.",
    ),
    Reason(
        "FlavorsUnknown",
        _REGISTRY_REFUSED,
        "The version has no MLmodel that can be read, so its format is not known.",
        "Log the model by MLflow, or set `model.format`.",
    ),
    Reason(
        "FlavorNotServed",
        _REGISTRY_REFUSED,
        "The version's MLmodel has no flavor `python_function`, by which runtimes of the format "
        "mlflow serve.",
        "Log it with one, or set `model.format` and a runtime for it.",
    ),
    Reason(
        "ArtifactNotServable",
        _REGISTRY_REFUSED,
        "The version's artefacts are where no pod can fetch them; what serves goes on.",
        "Store them as the message says, and log the model again.",
    ),
    *source_reasons(*_REGISTRY_REFUSED, "RegistryTold", "AliasCurrent", "Monitored", "rollout"),
)

_SERVER = (
    Reason(
        "NoModelFormat",
        REFUSED,
        "The model has no format by which a runtime could be chosen.",
        "Set `model.format` or `runtime`.",
    ),
    Reason(
        "NoRuntimeForFormat",
        REFUSED,
        "No runtime offers the model's format by autoSelect.",
        "Name one of the message's in `runtime`, or install one.",
    ),
    Reason(
        "RuntimeNotFound",
        REFUSED,
        "The runtime that is named does not exist.",
        "Correct `runtime`, or create it.",
    ),
    Reason(
        "RuntimeDisabled",
        REFUSED,
        "The runtime that is named is disabled.",
        "Enable it, or name another.",
    ),
    Reason(
        "FormatNotSupported",
        REFUSED,
        "The runtime that is named does not serve the model's format.",
        "Name another in `runtime`.",
    ),
    Reason(
        "RuntimeWithoutPort",
        REFUSED,
        "The runtime's model server has no port to send requests to.",
        "Give its container a port named http.",
    ),
    Reason(
        "InvalidPodSpec",
        REFUSED,
        "Runtime or `podTemplate` give something that is no PodSpec.",
        "Correct the field that the message names.",
    ),
    Reason(
        "NothingToRemove",
        REFUSED,
        "A path in `podTemplate.remove` leads to nothing that the runtime's pod template has.",
        "Correct it after what the message lists, or take it out.",
    ),
    Reason(
        "WarmUpWithoutPath",
        REFUSED,
        "`warmUp` has no path, and the runtime none for it.",
        "Set `warmUp.path`.",
    ),
    Reason(
        "WarmUpWithoutBody",
        REFUSED,
        "`warmUp` has no body, and the model is in the runtime's image, where no other container "
        "can read a file.",
        "Give `warmUp.body`.",
    ),
    Reason(
        "MeterNameTaken",
        REFUSED,
        "The runtime has a container named `meter`, as that of `monitoring` is.",
        "Rename the runtime's container, or remove `monitoring`.",
    ),
    Reason(
        "UnknownPlaceholder",
        REFUSED,
        "A runtime or an indicator's query has a placeholder without a value.",
        "Take one of those that the message lists.",
    ),
)

MODEL_DEPLOYMENT = _STATE + _MODEL + _REGISTRY + _SERVER + INDICATORS + MONITORING + PERFORMANCE
