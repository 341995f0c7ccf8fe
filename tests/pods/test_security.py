"""Pods are filled up to Pod Security's level "restricted" without undoing what a person wrote.

The API server's and the kubelet's own checks are restated here as small oracles; a real API server
holds the same pods in tests/apiserver.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from evenkeel.pods.security import restricted
from hypothesis import given, settings
from hypothesis import strategies as st

Json = dict[str, Any]
LISTS = ("initContainers", "containers", "ephemeralContainers")
LINUX_ONLY = (
    "seccompProfile",
    "capabilities",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
)


def fields(values: dict[str, list[Any]]) -> st.SearchStrategy[Json]:
    """Objects with any of the fields, each left out, null or one of its values."""
    return st.fixed_dictionaries(
        {}, optional={name: st.sampled_from([None, *some]) for name, some in values.items()}
    )


CAPABILITIES = [
    {},
    {"drop": []},
    {"drop": ["ALL"]},
    {"drop": None, "add": ["NET_BIND_SERVICE"]},
    {"add": []},
    {"add": ["SYS_NICE"], "drop": ["KILL"]},
    {"add": ["SYS_ADMIN"]},
    {"add": ["CAP_SYS_ADMIN", "KILL"]},
    {"add": ["ALL"]},
]
SECCOMP = [{"type": "Unconfined"}, {"type": "RuntimeDefault"}]
WINDOWS_OPTIONS = [{}, {"runAsUserName": "containeradministrator"}, {"hostProcess": True}]
POD = fields(
    {
        "runAsUser": [0, 1000],
        "runAsNonRoot": [True, False],
        "seccompProfile": SECCOMP,
        "fsGroup": [5],
        "windowsOptions": WINDOWS_OPTIONS,
    }
)
CONTAINER = fields(
    {
        "runAsUser": [0, 1000],
        "runAsNonRoot": [True, False],
        "privileged": [True, False],
        "allowPrivilegeEscalation": [True, False],
        "capabilities": CAPABILITIES,
        "seccompProfile": SECCOMP,
        "procMount": ["Default", "Unmasked"],
        "readOnlyRootFilesystem": [True],
        "windowsOptions": WINDOWS_OPTIONS,
    }
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 1) | st.sampled_from(["", "windows", "ALL"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["name", "add", "drop", "capabilities", "runAsUser", "windowsOptions"]),
            inner,
            max_size=2,
        )
    ),
    max_leaves=4,
)
WRONG = CONTAINER | fields({"windowsOptions": [1, []], "capabilities": [1, [], {"add": 1}]}) | JUNK


def pod_specs(
    pod: st.SearchStrategy[Any], container: st.SearchStrategy[Any], os: list[Any]
) -> st.SearchStrategy[Json]:
    containers = st.lists(
        st.fixed_dictionaries({"name": st.just("c")}, optional={"securityContext": container}),
        max_size=3,
    )
    optional: dict[str, st.SearchStrategy[Any]] = {
        "securityContext": st.none() | pod,
        "os": st.sampled_from(os),
        "hostUsers": st.booleans(),
    }
    return st.fixed_dictionaries(
        {"containers": containers.filter(bool)},
        optional=optional | {name: containers for name in LISTS if name != "containers"},
    )


WRITTEN = pod_specs(POD, st.none() | CONTAINER, [None, {}, {"name": "linux"}, {"name": "windows"}])
MALFORMED = st.fixed_dictionaries(
    {}, optional=dict.fromkeys((*LISTS, "os", "securityContext"), JUNK)
) | pod_specs(POD | JUNK, WRONG, [1, [], {"name": 1}])


def contexts(spec: Json) -> Iterator[tuple[str, Json]]:
    """Where each container is, and its security context."""
    for name in LISTS:
        for at, container in enumerate(spec.get(name) or ()):
            yield f"{name}[{at}]", container.get("securityContext") or {}


def windows(spec: Json) -> bool:
    return (spec.get("os") or {}).get("name") == "windows"


def refusals(spec: Json) -> set[str]:
    """The API server's validation of a PodSpec, as far as security contexts go."""
    found = set()
    pod = spec.get("securityContext") or {}
    for where, context in [("pod", pod), *contexts(spec)]:
        add = (context.get("capabilities") or {}).get("add") or ()
        if windows(spec):
            found |= {f"{where}: {name}" for name in LINUX_ONLY if context.get(name) is not None}
        if context.get("allowPrivilegeEscalation") is False:
            if context.get("privileged"):
                found.add(f"{where}: privileged without escalation")
            if "CAP_SYS_ADMIN" in add:
                found.add(f"{where}: CAP_SYS_ADMIN without escalation")
        if context.get("procMount") == "Unmasked" and spec.get("hostUsers") is not False:
            found.add(f"{where}: unmasked")
    return found


def never_starts(spec: Json) -> set[str]:
    """Containers that the kubelet refuses to start, whatever their image is."""
    pod = spec.get("securityContext") or {}
    found = set()
    for where, context in contexts(spec):
        own = {name: value for name, value in context.items() if value is not None}
        effective = {**pod, **own}
        options = {**(pod.get("windowsOptions") or {}), **(own.get("windowsOptions") or {})}
        name = str(options.get("runAsUserName")).lower()
        user = effective.get("runAsUser")
        root = name == "containeradministrator" if windows(spec) else user == 0
        if effective.get("runAsNonRoot") and root:
            found.add(where)
    return found


def violations(spec: Json) -> set[str]:
    """Pod Security's level "restricted", as far as it asks for something to be set."""
    pod = spec.get("securityContext") or {}
    found = set()
    for where, context in contexts(spec):
        own = {name: value for name, value in context.items() if value is not None}
        effective = {**pod, **own}
        if effective.get("runAsNonRoot") is not True:
            found.add(f"{where}: runAsNonRoot")
        if windows(spec):
            continue
        if context.get("allowPrivilegeEscalation") is not False:
            found.add(f"{where}: allowPrivilegeEscalation")
        if "ALL" not in ((context.get("capabilities") or {}).get("drop") or ()):
            found.add(f"{where}: capabilities")
        profile = effective.get("seccompProfile") or {}
        if profile.get("type") not in ("RuntimeDefault", "Localhost"):
            found.add(f"{where}: seccompProfile")
    return found


def kept(before: Any, after: Any) -> bool:
    """Whether everything that was set is still so; null is unset."""
    if isinstance(before, dict):
        return isinstance(after, dict) and all(
            kept(value, after.get(key)) for key, value in before.items() if value is not None
        )
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(kept, before, after))
    return bool(before is None or before == after)


@given(WRITTEN | MALFORMED)
def test_what_is_set_stays_and_twice_is_once(spec: Json) -> None:
    before = copy.deepcopy(spec)
    secured = restricted(spec)
    assert spec == before
    assert kept(spec, secured)
    assert restricted(secured) == secured


@settings(max_examples=300)
@given(WRITTEN)
def test_nothing_is_added_that_the_api_server_or_the_kubelet_refuses(spec: Json) -> None:
    secured = restricted(spec)
    assert refusals(secured) <= refusals(spec)
    assert never_starts(secured) <= never_starts(spec)


OPEN = fields({"runAsUser": [1000], "capabilities": [{}, {"add": ["NET_BIND_SERVICE"]}]})
NOTHING: st.SearchStrategy[Json] = st.just({})


@given(
    pod_specs(fields({"runAsUser": [1000], "fsGroup": [5]}), st.none() | OPEN, [{"name": "linux"}])
    | pod_specs(NOTHING, NOTHING, [None, {"name": "windows"}])
)
def test_a_pod_that_asks_for_no_privilege_is_restricted(spec: Json) -> None:
    assert violations(restricted(spec)) == set()


ROOT = {"securityContext": {"runAsUser": 0}}


def test_containers_beside_one_that_is_root_on_purpose_stay_restricted() -> None:
    spec = {
        "initContainers": [{"name": "fetch"}],
        "containers": [{"name": "root", **ROOT}, {"name": "privileged"}, {"name": "own"}],
    }
    spec["containers"][1]["securityContext"] = {"privileged": True}
    spec["containers"][2]["securityContext"] = {"runAsNonRoot": False}
    secured = restricted(spec)
    assert "runAsNonRoot" not in secured["securityContext"]
    found = {c["name"]: c["securityContext"].get("runAsNonRoot") for c in secured["containers"]}
    assert found == {"root": None, "privileged": None, "own": False}
    assert secured["initContainers"][0]["securityContext"]["runAsNonRoot"] is True


def test_a_pod_that_is_root_on_purpose_may_be() -> None:
    user = {"securityContext": {"runAsUser": 1000}}
    secured = restricted({**ROOT, "containers": [{"name": "a"}, {"name": "b", **user}]})
    assert "runAsNonRoot" not in secured["securityContext"]
    root, other = (c["securityContext"] for c in secured["containers"])
    assert "runAsNonRoot" not in root
    assert other["runAsNonRoot"] is True


def test_a_pod_is_not_both_root_and_not() -> None:
    user = {"securityContext": {"runAsUser": 1000}}
    secured = restricted({**ROOT, "containers": [{"name": "a", **user}]})
    assert "runAsNonRoot" not in secured["securityContext"]
    assert secured["containers"][0]["securityContext"]["runAsNonRoot"] is True


def test_a_container_that_speaks_for_itself_does_not_loosen_its_pod() -> None:
    own = {"securityContext": {"runAsUser": 0, "runAsNonRoot": False}}
    secured = restricted({"containers": [{"name": "a", **own}, {"name": "b"}]})
    assert secured["securityContext"]["runAsNonRoot"] is True
    assert "runAsNonRoot" not in secured["containers"][1]["securityContext"]


def test_a_privileged_container_is_left_as_it_is() -> None:
    (container,) = restricted(
        {"containers": [{"name": "a", "securityContext": {"privileged": True}}]}
    )["containers"]
    assert container["securityContext"] == {"privileged": True}


@pytest.mark.parametrize("name", ["SYS_ADMIN", "CAP_SYS_ADMIN", "cap_sys_admin"])
def test_an_administrator_may_escalate(name: str) -> None:
    context = {"capabilities": {"add": [name]}}
    (container,) = restricted({"containers": [{"name": "a", "securityContext": context}]})[
        "containers"
    ]
    assert container["securityContext"] == {"capabilities": {"add": [name], "drop": ["ALL"]}}


def test_dropping_all_would_undo_adding_all() -> None:
    context = {"capabilities": {"add": ["ALL"]}}
    (container,) = restricted({"containers": [{"name": "a", "securityContext": context}]})[
        "containers"
    ]
    assert container["securityContext"] == context


def test_a_profile_of_a_container_or_the_pod_stays() -> None:
    unconfined = {"seccompProfile": {"type": "Unconfined"}}
    secured = restricted({"containers": [{"name": "a", "securityContext": unconfined}]})
    assert secured["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (
        secured["containers"][0]["securityContext"]["seccompProfile"]
        == unconfined["seccompProfile"]
    )
    secured = restricted({"securityContext": unconfined, "containers": [{"name": "a"}]})
    assert "seccompProfile" not in secured["containers"][0]["securityContext"]


def test_a_windows_pod_gets_no_field_of_linux() -> None:
    spec = {"os": {"name": "windows"}, "containers": [{"name": "a"}]}
    assert restricted(spec) == {**spec, "securityContext": {"runAsNonRoot": True}}


@pytest.mark.parametrize(
    "options", [{"hostProcess": True}, {"runAsUserName": "ContainerAdministrator"}]
)
def test_an_administrator_on_windows_may_be(options: Json) -> None:
    context = {"securityContext": {"windowsOptions": options}}
    spec = {"os": {"name": "windows"}, **context, "containers": [{"name": "a"}]}
    assert restricted(spec) == spec
    spec = {"os": {"name": "windows"}, "containers": [{"name": "a", **context}]}
    assert restricted(spec) == spec
