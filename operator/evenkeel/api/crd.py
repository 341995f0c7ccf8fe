"""Generates the CustomResourceDefinitions from the pydantic models.

`python -m evenkeel.api.crd DIR` writes one YAML file per kind.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from evenkeel.api import GROUP, KINDS, VERSION, Resource
from evenkeel.meta.model import Model

Schema = dict[str, Any]


class _WithRules(GenerateJsonSchema):
    """Adds each model's CEL rules to its schema."""

    def model_schema(self, schema: Any) -> Schema:
        json_schema = super().model_schema(schema)
        cls = schema["cls"]
        if issubclass(cls, Model) and (rules := cls.validations()):
            json_schema["x-kubernetes-validations"] = [r._asdict() for r in rules]
        return json_schema


def structural(model: type[BaseModel]) -> Schema:
    """The model's schema in Kubernetes' structural form: references resolved, nulls removed."""
    root = model.model_json_schema(by_alias=True, schema_generator=_WithRules)
    definitions: dict[str, Schema] = root.pop("$defs", {})

    def resolve(node: Any) -> Any:
        if isinstance(node, list):
            return [resolve(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            target = definitions[node["$ref"].rsplit("/", 1)[1]]
            node = {**target, **{k: v for k, v in node.items() if k != "$ref"}}
        if "x-int-or-string" in node:
            node = {k: v for k, v in node.items() if k not in ("x-int-or-string", "anyOf")}
            node["x-kubernetes-int-or-string"] = True
        if "x-message" in node:
            node = _with_message(node)
        if "anyOf" in node:
            (kept,) = [o for o in node["anyOf"] if o.get("type") != "null"]
            outer = {k: v for k, v in node.items() if k != "anyOf"}
            node = {**resolve(kept), **outer}
            if node.get("default", 0) is None:
                del node["default"]
            return resolve(node)
        return {key: _value(key, value) for key, value in node.items() if key != "title"}

    def _value(key: str, value: Any) -> Any:
        if key == "properties":
            return {name: resolve(schema) for name, schema in value.items()}
        if key in ("default", "enum", "required", "x-kubernetes-validations"):
            return value
        return resolve(value)

    result: Schema = _without_null_defaults(resolve(root))
    return result


def _with_message(node: Schema) -> Schema:
    """A pattern as a rule: a failed pattern shows the expression, a rule says what to write."""
    rule = {"rule": f"self.matches(r'{node['pattern']}')", "message": node["x-message"]}
    kept = {k: v for k, v in node.items() if k not in ("pattern", "x-message")}
    validations = [*kept.get("x-kubernetes-validations", ()), rule]
    return {**kept, "x-kubernetes-validations": validations}


def _without_null_defaults(node: Any) -> Any:
    """Drops defaults that a null or an empty value stands for, which the API server rejects, and
    those that are not stated."""
    if isinstance(node, list):
        return [_without_null_defaults(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "x-unstated" in node:
        node = {k: v for k, v in node.items() if k not in ("x-unstated", "default")}
    out = {}
    for key, value in node.items():
        if key == "default":
            if value in (None, "", [], {}):
                if value != {} or "properties" not in node:
                    continue
            elif isinstance(value, dict):
                # The API server fills the inner defaults by itself.
                value = {}
        if key in ("const", "additionalProperties") and value is False:
            continue
        out[key] = _of_each(value) if key == "properties" else _without_null_defaults(value)
    if "const" in out:
        out["enum"] = [out.pop("const")]
    if out.get("x-kubernetes-preserve-unknown-fields"):
        out.pop("additionalProperties", None)
    return out


def _of_each(properties: Schema) -> Schema:
    """The same of fields, one of which may be called default."""
    return {name: _without_null_defaults(schema) for name, schema in properties.items()}


def _without_defaults(node: Any) -> Any:
    """A status is written by the operator alone: defaults there would only be noise."""
    if isinstance(node, list):
        return [_without_defaults(item) for item in node]
    if isinstance(node, dict):
        return {k: _without_defaults(v) for k, v in node.items() if k != "default"}
    return node


def definition(kind: type[Resource]) -> Schema:
    """The CustomResourceDefinition of a kind."""
    schema = structural(kind)
    properties = schema["properties"]
    properties["apiVersion"] = {"type": "string", "description": "Version of this schema."}
    properties["kind"] = {"type": "string", "description": "Kind of the object."}
    properties["metadata"] = {"type": "object"}
    if "status" in properties:
        properties["status"] = _without_defaults(properties["status"])
    schema["required"] = ["spec"]
    version: Schema = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "additionalPrinterColumns": [
            {
                "name": c.name,
                "type": c.type,
                "jsonPath": c.path,
                **({"priority": 1} if c.wide else {}),
            }
            for c in kind.columns
        ],
    }
    if kind.has_status:
        version["subresources"] = {"status": {}}
    if kind.scale is not None:
        version["subresources"]["scale"] = {
            "specReplicasPath": kind.scale.replicas,
            "statusReplicasPath": kind.scale.present,
            "labelSelectorPath": kind.scale.selector,
        }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": list(kind.short_names),
                "categories": ["evenkeel"],
            },
            "versions": [version],
        },
    }


def render(kind: type[Resource]) -> str:
    """The YAML text of a kind's CRD."""
    return yaml.safe_dump(definition(kind), sort_keys=False, width=100, allow_unicode=True)


def main(folder: str) -> None:
    for kind in KINDS:
        Path(folder, f"{kind.plural}.yaml").write_text(render(kind))


if __name__ == "__main__":
    main(sys.argv[1])
