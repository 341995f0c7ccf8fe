"""IndicatorTemplate and ClusterIndicatorTemplate, which are read only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evenkeel.api.analysis import IndicatorSpec
from evenkeel.api.indicatortemplate import (
    ClusterIndicatorTemplate,
    IndicatorTemplate,
    IndicatorTemplateSpec,
)
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.controllers.kind import Kind
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.verdict.templates import Made, made_of_templates

JSON = dict[str, Any]


def concerns(store: Store, template: JSON) -> Iterator[Key]:
    """Every ModelDeployment that has an indicator of it."""
    meta, kind = template["metadata"], template["kind"]
    for md in store.all(ModelDeployment.kind, meta.get("namespace") or None):
        if (kind, meta["name"]) in set(_named(md["spec"])):
            yield Key(ModelDeployment.kind, md["metadata"]["namespace"], md["metadata"]["name"])


def with_templates(store: Store, md: ModelDeployment) -> Made:
    """The ModelDeployment with its indicators as their templates make them."""

    def known(indicator: IndicatorSpec) -> IndicatorTemplateSpec | None:
        ref = indicator.template_ref
        assert ref is not None
        if ref.kind == IndicatorTemplate.kind:
            obj = store.get(Key(ref.kind, md.metadata.namespace, ref.name))
            return None if obj is None else store.parse(IndicatorTemplate, obj).spec
        obj = store.get(Key(ref.kind, "", ref.name))
        return None if obj is None else store.parse(ClusterIndicatorTemplate, obj).spec

    return made_of_templates(md, known)


def _named(spec: JSON) -> Iterator[tuple[str, str]]:
    probation = (spec.get("rollout") or {}).get("probation") or {}
    for part in (spec.get("analysis") or {}, probation):
        for indicator in part.get("indicators") or ():
            if ref := indicator.get("templateRef"):
                yield ref.get("kind", IndicatorTemplate.kind), ref["name"]


NAMESPACED = Kind(IndicatorTemplate, concerns=concerns)
CLUSTER = Kind(ClusterIndicatorTemplate, concerns=concerns)
