"""The operator's and the users' rights (RBAC) as they follow from the table of kinds.

`python -m evenkeel.controllers.rights` prints the rules as the chart takes them.
"""

from __future__ import annotations

import sys
from typing import Any

import yaml

from evenkeel.api.base import GROUP
from evenkeel.controllers.kinds import KINDS, OFFERED, children, integrations
from evenkeel.meta.resources import EVENT, READ

Rule = dict[str, Any]


def namespaced() -> list[Rule]:
    """What it needs in each namespace that it watches."""
    own = [kind for kind in KINDS if kind.type.namespaced]
    reconciled = [kind.type.plural for kind in own if kind.reconcile is not None]
    return [
        *(_rule(GROUP, [kind.type.plural], kind.verbs) for kind in own),
        _rule(GROUP, [f"{plural}/status" for plural in reconciled], ("get", "patch")),
        # Owner references that block the owner's deletion need this where it is enforced.
        _rule(GROUP, [f"{k.type.plural}/finalizers" for k in own if k.owner], ("update",)),
        *(_rule(w.type.group, [w.type.plural], w.verbs) for w in children() if w.wanted(())),
        *(_rule(type_.group, [type_.plural], ("create",)) for type_ in OFFERED),
        _rule(EVENT.group, [EVENT.plural], ("list", "create", "patch")),
    ]


def of_integrations() -> dict[str, list[Rule]]:
    """What it needs besides in such a namespace, by integration that is switched on."""
    given = {(w.type.group, w.type.plural): set(w.verbs) for w in children() if w.wanted(())}
    return {
        name: [
            _rule(w.type.group, [w.type.plural], w.verbs)
            for w in children()
            if name in w.integrations
            and not set(w.verbs) <= given.get((w.type.group, w.type.plural), set())
        ]
        for name in integrations()
    }


def clusterwide() -> list[Rule]:
    """What it needs of kinds without a namespace."""
    own = (kind for kind in KINDS if not kind.type.namespaced)
    return [_rule(GROUP, [kind.type.plural], kind.verbs) for kind in own]


def view() -> list[Rule]:
    """What people may read who may view a namespace."""
    return [
        _rule(GROUP, [kind.type.plural for kind in KINDS], READ),
        _rule(GROUP, _scales(), ("get",)),
    ]


def edit() -> list[Rule]:
    """What people may write who may edit a namespace; status belongs to the operator."""
    plurals = [kind.type.plural for kind in KINDS if kind.type.namespaced]
    return [
        _rule(GROUP, plurals, ("create", "update", "patch", "delete", "deletecollection")),
        _rule(GROUP, _scales(), ("get", "update", "patch")),
    ]


def _scales() -> list[str]:
    """The subresources by which kubectl scale and autoscalers set a number of replicas."""
    return [f"{kind.type.plural}/scale" for kind in KINDS if kind.model.scale is not None]


def approve() -> list[Rule]:
    """What people need beside `view` who decide on versions; the admission policy asks for it."""
    return [_rule(GROUP, ["modelversions"], (*READ, "update", "patch", "approve"))]


def _rule(group: str, resources: list[str], verbs: tuple[str, ...]) -> Rule:
    return {"apiGroups": [group], "resources": resources, "verbs": list(verbs)}


def render() -> str:
    """All lists of rules as YAML, by purpose."""
    rules: dict[str, Any] = {
        "clusterwide": clusterwide(),
        "namespaced": namespaced(),
        "view": view(),
        "edit": edit(),
        "approve": approve(),
        "integrations": of_integrations(),
    }
    return yaml.safe_dump(rules, sort_keys=False)


if __name__ == "__main__":
    sys.stdout.write(render())
