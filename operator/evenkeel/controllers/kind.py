"""What a kind of the API is to the operator: an entry of the table in kinds.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from evenkeel.adapters import Adapters
from evenkeel.api.base import Resource
from evenkeel.api.resources import OWN
from evenkeel.controllers.inbox import Inbox
from evenkeel.controllers.looks.looks import Looks
from evenkeel.controllers.polls.polls import Polls
from evenkeel.kube.client import Client
from evenkeel.kube.index import Index
from evenkeel.kube.ownership import Ownership
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.meta.plan import Plan
from evenkeel.meta.resources import READ, ResourceType, Watch
from evenkeel.serving.pod_template import PodSettings

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """What reconciles read from.

    looks: what is known of canaries by Prometheus. ownership: whose objects have planned names.
    polls: what is known of systems outside the cluster.
    integrations: those that are switched on. data_image: of the containers that bring data.
    """

    client: Client
    store: Store
    inbox: Inbox
    adapters: Adapters
    pods: PodSettings
    looks: Looks
    ownership: Ownership
    polls: Polls
    integrations: frozenset[str] = frozenset()
    data_image: str = ""


Reconcile = Callable[[Context, Key, JSON, str | None], Awaitable[Plan]]
"""Observes and plans one object, given what the API server last called invalid, if anything."""


def _nothing() -> tuple[Watch, ...]:
    return ()


def _to_nobody(kind: str, obj: JSON) -> str | None:
    return None


def _unlabelled() -> tuple[str, ...]:
    return ()


def _by_nothing() -> tuple[Index, ...]:
    return ()


def _nobody(store: Store, obj: JSON) -> Iterator[Key]:
    return iter(())


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: what is watched, written and reconciled follows from these entries.

    reconcile: None for a kind that is only read. children: what its reconciles own or read beside
    the API's own kinds. concerns: the keys of other objects that a change of such an object
    concerns. belongs: which object of this kind a child of some kind belongs to, by name. labels:
    those by which its reconciles look for objects, and indices: by what else; the store has an
    index of each. verbs: the rights on objects of the kind; status follows for those that are
    reconciled. owner: whether objects are created with an owner reference to it.
    """

    model: type[Resource]
    reconcile: Reconcile | None = None
    children: Callable[[], tuple[Watch, ...]] = _nothing
    concerns: Callable[[Store, JSON], Iterator[Key]] = _nobody
    belongs: Callable[[str, JSON], str | None] = _to_nobody
    labels: Callable[[], tuple[str, ...]] = _unlabelled
    indices: Callable[[], tuple[Index, ...]] = _by_nothing
    owner: bool = False
    verbs: tuple[str, ...] = READ

    @property
    def name(self) -> str:
        """The kind, such as ModelDeployment."""
        return self.model.kind

    @property
    def type(self) -> ResourceType:
        """Where it lives in the REST API."""
        return OWN[self.model.kind]
