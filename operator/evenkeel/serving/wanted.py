"""The revision that a ModelDeployment asks for, and the stable one made anew."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import ResolvedModel, RevisionStatus
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.uri import is_proxied
from evenkeel.meta.objects import Manifest
from evenkeel.meta.refusal import Refused
from evenkeel.serving.model_source import Target
from evenkeel.serving.pod_template import PodSettings, pod_template
from evenkeel.serving.revision import revision_name
from evenkeel.serving.runtime_selection import Selected


class Revision(NamedTuple):
    """One model with one way to serve it: its name, its model and the template of its pods."""

    name: str
    target: Target
    template: Manifest


def wanted_revision(
    md: ModelDeployment, target: Target | Refused, runtime: Selected | Refused, pods: PodSettings
) -> Revision | Refused:
    """What the spec asks for; Refused where model, runtime or pod template cannot be had."""
    if isinstance(target, Refused):
        return target
    if isinstance(runtime, Refused):
        return runtime
    name = revision_name(md.metadata.name, target, runtime.spec, md.spec)
    template = pod_template(md, name, target, runtime.spec, pods)
    return template if isinstance(template, Refused) else Revision(name, target, template)


def stable_revision(
    md: ModelDeployment,
    runtime: Selected | Refused,
    versions: Iterable[ModelVersion],
    pods: PodSettings,
) -> Revision | None:
    """The stable revision's model, served as runtime and spec have it now; None if it cannot be."""
    stable = md.status.stable
    if stable is None:
        return None
    target = Target(
        stable.uri,
        stable.version,
        stable.format,
        stable.digest,
        md.spec.model.follow or "",
        _registered(md, stable),
    )
    version = next((v for v in versions if v.metadata.name == stable.version), None)
    if version is not None:
        target = target._replace(
            digest=version.spec.digest or "",
            model=version.spec.model,
            download=version.status.download,
        )
    if is_proxied(target.uri) and target.shown is None:
        return None
    made = wanted_revision(md, target, runtime, pods)
    return None if isinstance(made, Refused) else made


def _registered(md: ModelDeployment, stable: RevisionStatus) -> ResolvedModel | None:
    """What the revision is in its registry, as far as it matters to its pods."""
    found, known = md.status.registry, stable.registered
    if found is None or known is None:
        return None
    return found.model_copy(update={"name": known.name, "version": known.version})


def stable_template(
    md: ModelDeployment,
    runtime: Selected | Refused,
    versions: Iterable[ModelVersion],
    pods: PodSettings,
) -> Manifest | None:
    """The stable revision's pod template, if runtime and spec still give the same revision."""
    made, stable = stable_revision(md, runtime, versions, pods), md.status.stable
    if made is None or stable is None or made.name != stable.revision:
        return None
    return made.template
