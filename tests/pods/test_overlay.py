"""How the user's pod template lies over the runtime's."""

from copy import deepcopy
from typing import Any

from evenkeel.pods.overlay import overlay
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "b", "c"])
SCALARS = st.one_of(st.integers(0, 3), st.text("xyz", max_size=2), st.booleans())


def keyed(key: str, keys: st.SearchStrategy[Any], **fields: Any) -> st.SearchStrategy[Any]:
    item = st.fixed_dictionaries({key: keys}, optional=fields)
    return st.lists(item, max_size=3, unique_by=lambda element: element[key])


def pod_specs(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    probe = st.dictionaries(st.sampled_from(["httpGet", "exec", "periodSeconds"]), leaf)
    container = {
        "image": leaf,
        "args": st.lists(SCALARS, max_size=2),
        "env": keyed("name", NAMES, value=leaf),
        "ports": keyed("containerPort", st.integers(1, 3), protocol=st.just("TCP")),
        "readinessProbe": probe,
        "resources": st.dictionaries(NAMES, st.dictionaries(NAMES, leaf)),
    }
    return st.fixed_dictionaries(
        {},
        optional={
            "containers": keyed("name", NAMES, **container),
            "volumes": keyed("name", NAMES, emptyDir=leaf),
            "nodeSelector": st.dictionaries(NAMES, leaf),
            "tolerations": st.lists(SCALARS, max_size=2),
        },
    )


COMPLETE = pod_specs(SCALARS)
PARTIAL = pod_specs(st.one_of(st.none(), SCALARS))


@given(COMPLETE)
def test_nothing_over_something_changes_nothing(base: Any) -> None:
    assert overlay(base, {}) == base


@given(COMPLETE, PARTIAL)
def test_twice_is_as_good_as_once(base: Any, patch: Any) -> None:
    once = overlay(base, patch)
    assert overlay(once, patch) == once


@given(COMPLETE, PARTIAL)
def test_the_inputs_are_left_alone(base: Any, patch: Any) -> None:
    before = deepcopy((base, patch))
    overlay(base, patch)
    assert (base, patch) == before


@given(COMPLETE, PARTIAL)
def test_no_null_is_left(base: Any, patch: Any) -> None:
    def nulls(node: Any) -> bool:
        children = node.values() if isinstance(node, dict) else node if type(node) is list else ()
        return node is None or any(nulls(child) for child in children)

    assert not nulls(overlay(base, patch))


@given(COMPLETE, PARTIAL)
def test_a_container_never_gets_lost(base: Any, patch: Any) -> None:
    def names(spec: Any) -> list[str]:
        return [container["name"] for container in spec.get("containers", [])]

    merged = names(overlay(base, patch))
    assert merged[: len(names(base))] == names(base)
    assert set(merged) == set(names(base)) | set(names(patch))


def test_containers_merge_by_name_and_new_ones_follow() -> None:
    base = {"containers": [{"name": "a", "image": "1", "resources": {"limits": {"cpu": "1"}}}]}
    patch = {
        "containers": [
            {"name": "b", "image": "2"},
            {"name": "a", "resources": {"limits": {"memory": "1Gi"}}},
        ]
    }
    assert overlay(base, patch)["containers"] == [
        {"name": "a", "image": "1", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}},
        {"name": "b", "image": "2"},
    ]


def test_a_variable_and_a_volume_are_replaced_as_a_whole() -> None:
    base = {"env": [{"name": "A", "value": "1"}], "volumes": [{"name": "v", "emptyDir": {}}]}
    patch = {
        "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}],
    }
    assert overlay(base, patch) == patch


def test_mounts_are_told_apart_by_their_path() -> None:
    base = {"volumeMounts": [{"name": "v", "mountPath": "/a"}]}
    patch = {"volumeMounts": [{"name": "v", "mountPath": "/b"}, {"name": "w", "mountPath": "/a"}]}
    assert overlay(base, patch)["volumeMounts"] == [
        {"name": "w", "mountPath": "/a"},
        {"name": "v", "mountPath": "/b"},
    ]


def test_ports_merge_by_name_then_by_number_and_protocol() -> None:
    base = {"ports": [{"name": "http", "containerPort": 80}, {"containerPort": 90}]}
    patch = {
        "ports": [
            {"name": "http", "containerPort": 81},
            {"name": "grpc", "containerPort": 90},
            {"name": "udp", "containerPort": 90, "protocol": "UDP"},
        ]
    }
    assert overlay(base, patch)["ports"] == patch["ports"]


def test_other_lists_are_replaced() -> None:
    assert overlay({"args": ["a", "b"]}, {"args": ["c"]}) == {"args": ["c"]}


def test_a_null_deletes() -> None:
    assert overlay({"a": 1, "b": {"c": 2, "d": 3}}, {"a": None, "b": {"c": None}}) == {
        "b": {"d": 3}
    }


def test_a_new_way_to_probe_ousts_the_old_one() -> None:
    base = {"readinessProbe": {"httpGet": {"path": "/"}, "periodSeconds": 5}}
    patch = {"readinessProbe": {"exec": {"command": ["true"]}}}
    assert overlay(base, patch)["readinessProbe"] == {
        "exec": {"command": ["true"]},
        "periodSeconds": 5,
    }


def test_what_is_no_list_of_maps_is_left_for_the_api_server_to_refuse() -> None:
    assert overlay({"containers": [{"name": "a"}]}, {"containers": "x"}) == {"containers": "x"}
