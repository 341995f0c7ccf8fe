"""The Deployments of a model's revisions, as far as their pod templates are known."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import NamedTuple

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.meta.objects import Manifest, Ref
from evenkeel.serving.children import deployment


class Deployments(NamedTuple):
    """`scales`: existing Deployments with the number of replicas to set beside what is applied."""

    applies: list[Manifest]
    scales: list[tuple[Ref, int]]


def deployments(
    md: ModelDeployment,
    replicas: Mapping[str, int | None],
    templates: Mapping[str, Manifest],
    existing: Container[str],
) -> Deployments:
    """By revision its replicas (None: an autoscaler owns them) and, if known, its pod template.

    Only the wanted revision's template is sure to be known; the others' Deployments stay as they
    are but for their replicas.
    """
    made = Deployments([], [])
    for revision, number in replicas.items():
        template = templates.get(revision)
        if template is not None:
            # An autoscaler will own the number: it is set by another field manager then, since a
            # field that is no longer applied would fall back to its default.
            own = None if md.spec.autoscaling else number
            made.applies.append(deployment(md, revision, template, own))
        exists = template is not None or revision in existing
        if number is not None and exists and (md.spec.autoscaling or template is None):
            ref = Ref("apps/v1", "Deployment", md.metadata.namespace, revision)
            made.scales.append((ref, number))
    return made
