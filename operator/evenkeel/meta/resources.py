"""Where kinds live in the REST API."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple


class ResourceType(NamedTuple):
    """Group, version and plural of a kind.

    kind: the store keeps objects by it. Objects that are found by a selector of their own have a
    kind of their own, so that two watches of pods do not take each other's away.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """`group/version`, or `version` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """URL path of the collection, of an object or of a subresource."""
        root = f"/apis/{self.group}" if self.group else "/api"
        parts = [root, self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [p for p in (name, subresource) if p]
        return "/".join(parts)


DEPLOYMENT = ResourceType("apps", "v1", "deployments", "Deployment")
SERVICE = ResourceType("", "v1", "services", "Service")
POD = ResourceType("", "v1", "pods", "Pod")
SECRET = ResourceType("", "v1", "secrets", "Secret")
CONFIG_MAP = ResourceType("", "v1", "configmaps", "ConfigMap")
EVENT = ResourceType("", "v1", "events", "Event")
JOB = ResourceType("batch", "v1", "jobs", "Job")
HPA = ResourceType("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
PDB = ResourceType("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
HTTP_ROUTE = ResourceType("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
INFERENCE_POOL = ResourceType(
    "inference.networking.k8s.io", "v1", "inferencepools", "InferencePool"
)
LEASE = ResourceType("coordination.k8s.io", "v1", "leases", "Lease")

READ = ("get", "list", "watch")
OWNED = (*READ, "create", "patch", "delete")

Slim = Callable[[dict[str, Any]], dict[str, Any] | None]
"""What is kept of an object, metadata included; None where it is none of the operator's."""


class Watch(NamedTuple):
    """A kind of object that the operator reads or owns: what is watched, and with which rights.

    kept: the fields of its spec that plans read; the store drops the others. selector: the label
    selector of the watch. optional: whether a cluster may lack the kind. slim: what is kept of
    each object, instead of `kept`, where there are many of them. integrations: without any of them
    switched on there is no watch; empty: there always is.
    """

    type: ResourceType
    kept: tuple[str, ...] = ()
    selector: str = ""
    verbs: tuple[str, ...] = OWNED
    optional: bool = False
    slim: Slim | None = None
    integrations: tuple[str, ...] = ()

    def wanted(self, switched_on: Collection[str]) -> bool:
        """Whether there is to be such a watch while these integrations are switched on."""
        return not self.integrations or any(name in switched_on for name in self.integrations)

    def merged(self, other: Watch) -> Watch:
        """One watch for two purposes.

        Raises ValueError where they select different objects or keep them in different ways.
        """
        if self.selector != other.selector:
            raise ValueError(f"{self.type.plural} are watched by two selectors")
        if self.slim is not other.slim:
            raise ValueError(f"{self.type.plural} are kept in two ways")
        return self._replace(
            kept=tuple(dict.fromkeys((*self.kept, *other.kept))),
            verbs=tuple(dict.fromkeys((*self.verbs, *other.verbs))),
            optional=self.optional and other.optional,
            integrations=self.integrations
            and other.integrations
            and tuple(dict.fromkeys((*self.integrations, *other.integrations))),
        )


def distinct(watches: Iterable[Watch]) -> tuple[Watch, ...]:
    """The watches with one a type."""
    found: dict[ResourceType, Watch] = {}
    for watch in watches:
        known = found.get(watch.type)
        found[watch.type] = watch if known is None else known.merged(watch)
    return tuple(found.values())
