"""What Pod Security's level "restricted" asks for, wherever the pod leaves it open.

A field that is set stays; null is unset. Whoever makes a container privileged or root on purpose
gets one that the API server takes and the kubelet starts, and the containers beside it are still
restricted. The user a container runs as is left to its image or runtime.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_ADMINISTRATOR = "containeradministrator"
"""What the kubelet takes for root on Windows, in any case."""


def restricted(pod_spec: Json) -> Json:
    """A copy of the PodSpec with its missing security fields filled in; nothing set is changed.

    What has the wrong shape is left as it is: the API server says best what is wrong with it.
    """
    pod = _context(pod_spec)
    if pod is None:
        return dict(pod_spec)
    windows = _object(pod_spec.get("os")).get("name") == "windows"
    # The pod's word binds every container that has none of its own.
    bound = [c for c in _contexts(pod_spec) if c.get("runAsNonRoot") is None]
    some_root = any(_root(pod, context, windows) for context in ({}, *bound))
    each = some_root and pod.get("runAsNonRoot") is None
    if not some_root:
        _fill(pod, "runAsNonRoot", True)
    if not windows:
        _fill(pod, "seccompProfile", {"type": "RuntimeDefault"})
    secured = dict(pod_spec)
    if pod:
        secured["securityContext"] = pod
    for field in _CONTAINERS:
        if isinstance(pod_spec.get(field), list):
            secured[field] = [_container(c, pod, windows, each) for c in pod_spec[field]]
    return secured


def _container(container: Any, pod: Json, windows: bool, each: bool) -> Any:
    """The container restricted; `each`: runAsNonRoot is said by containers, not by the pod."""
    context = _context(container)
    if context is None:
        return container
    if each and not _root(pod, context, windows):
        _fill(context, "runAsNonRoot", True)
    if not windows and not _privileged(context):
        _fill_linux(context)
    return {**container, "securityContext": context} if context else container


def _fill_linux(context: Json) -> None:
    added = _added(context)
    # The kernel's no_new_privs is no restriction that an administrator could work under, and the
    # API server refuses it beside CAP_SYS_ADMIN.
    if not added & {"ALL", "SYS_ADMIN"}:
        _fill(context, "allowPrivilegeEscalation", False)
    _fill(context, "capabilities", {})
    # Container runtimes drop ALL before they add single capabilities, but after they add ALL.
    if isinstance(context["capabilities"], dict) and "ALL" not in added:
        context["capabilities"] = dict(context["capabilities"])
        _fill(context["capabilities"], "drop", ["ALL"])


def _root(pod: Json, context: Json, windows: bool) -> bool:
    """Whether a container's process is meant to be root, so that runAsNonRoot would stop it.

    A privileged one without a user is: its power is of use to root alone.
    """
    if windows:
        options = {**_set(pod.get("windowsOptions")), **_set(context.get("windowsOptions"))}
        name = str(options.get("runAsUserName", "")).lower()
        return options.get("hostProcess") is True or name == _ADMINISTRATOR
    user = {**_set(pod), **_set(context)}.get("runAsUser")
    return user == 0 or (user is None and _privileged(context))


def _privileged(context: Json) -> bool:
    return context.get("privileged") is True


def _added(context: Json) -> set[str]:
    """Names of the added capabilities, in the one spelling of several that runtimes take."""
    added = _object(context.get("capabilities")).get("add")
    names = added if isinstance(added, list) else []
    return {str(name).upper().removeprefix("CAP_") for name in names}


def _contexts(pod_spec: Json) -> list[Json]:
    found = []
    for field in _CONTAINERS:
        containers = pod_spec.get(field)
        for container in containers if isinstance(containers, list) else ():
            if (context := _context(container)) is not None:
                found.append(context)
    return found


def _context(owner: Any) -> Json | None:
    """A copy of the securityContext of a pod or container; None if one of them is no object."""
    if not isinstance(owner, dict):
        return None
    own = owner.get("securityContext")
    if own is None:
        return {}
    return dict(own) if isinstance(own, dict) else None


def _fill(node: Json, field: str, value: Any) -> None:
    if node.get(field) is None:
        node[field] = value


def _object(node: Any) -> Json:
    return node if isinstance(node, dict) else {}


def _set(node: Any) -> Json:
    return {key: value for key, value in _object(node).items() if value is not None}
