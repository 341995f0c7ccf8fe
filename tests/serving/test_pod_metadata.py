"""Pods are given labels and annotations by the role of their revision, and give them back."""

from __future__ import annotations

from typing import Any

from evenkeel.api.common import ChildMetadata
from evenkeel.meta.objects import Ref
from evenkeel.serving.pod_marks import ServingPod, marked
from evenkeel.serving.pod_metadata import role_marks, with_given
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rollout_lives import model
from tests.support.rollout_world import World, run

JSON = dict[str, Any]
NOTE = "evenkeel.dev/given-metadata"
KEYS = st.sampled_from(["role", "team", "x/color"])
MAPS = st.dictionaries(KEYS, st.sampled_from(["a", "b"]))
METADATA = st.builds(lambda la, an: ChildMetadata(labels=la, annotations=an), MAPS, MAPS)


def patch(pod: JSON, wanted: ChildMetadata) -> JSON:
    """A pod after a reconcile that knows only the operator's own labels and annotations of it."""
    known = {
        field: {k: v for k, v in pod[field].items() if k.startswith("evenkeel.dev/")}
        for field in ("labels", "annotations")
    }
    seen = with_given(ServingPod(Ref("v1", "Pod", "shop", "p", "u"), "r", **known))
    made = {field: dict(pod[field]) for field in known}
    for _, change in marked([seen], [role_marks({"r": wanted})]):
        for field, entries in change["metadata"].items():
            made[field] = {**made[field], **entries}
            made[field] = {k: v for k, v in made[field].items() if v is not None}
    return made


@given(st.lists(METADATA, min_size=1))
def test_a_pod_has_what_its_present_role_gives_and_keeps_its_own(
    roles: list[ChildMetadata],
) -> None:
    pod: JSON = {"labels": {"app": "x", "evenkeel.dev/revision": "r"}, "annotations": {"own": "y"}}
    before = pod
    for wanted in roles:
        pod = patch(pod, wanted)
        note = pod["annotations"].pop(NOTE, None)
        assert pod["labels"] == {**before["labels"], **wanted.labels}
        assert pod["annotations"] == {**before["annotations"], **wanted.annotations}
        if note is not None:
            pod["annotations"][NOTE] = note
    assert patch(pod, roles[-1]) == pod
    assert patch(pod, ChildMetadata()) == before


def test_what_a_pod_has_is_not_written_again() -> None:
    metadata = ChildMetadata(labels={"role": "stable"})
    pod = patch({"labels": {}, "annotations": {}}, metadata)
    seen = ServingPod(Ref("v1", "Pod", "shop", "p", "u"), "r", {}, pod["annotations"])
    assert marked([with_given(seen)], [role_marks({"r": metadata})]) == ()


def test_a_note_that_nobody_can_read_is_none() -> None:
    seen = ServingPod(Ref("v1", "Pod", "shop", "p", "u"), "r", {}, {NOTE: "{"})
    ((_, change),) = marked([with_given(seen)], [role_marks({})])
    assert change == {"metadata": {"annotations": {NOTE: None}}}


def test_roles_change_with_the_rollout_and_nothing_restarts() -> None:
    w = World(
        {
            "model": model("s3://m/a"),
            "replicas": 2,
            "rollout": {
                "steps": [{"weight": 50, "analysis": False, "pauseSeconds": 30}],
                "probation": {"seconds": 600, "replicas": "100%"},
                "podMetadata": {
                    "stable": {"labels": {"role": "stable"}},
                    "canary": {"labels": {"role": "canary"}, "annotations": {"watch": "closely"}},
                },
            },
        }
    )

    def roles() -> dict[str, str]:
        found = {}
        for pod, told in w.marks.items():
            note = ChildMetadata.model_validate_json(told.get(NOTE, "{}"))
            found[pod.rpartition("-")[0]] = note.labels.get("role", "")
        return found

    run(w, 20)
    first = w.wanted()
    assert roles() == {first: "stable"}
    w.edit(model=model("s3://m/b"))
    run(w, 15)
    second = w.wanted()
    assert roles() == {first: "stable", second: "canary"}
    made = w.made
    run(w, 60)
    assert w.status["canary"]["stage"] == "Probation"
    assert roles() == {first: "", second: "stable"}
    w.edit_rollout(podMetadata=None)
    run(w, 10)
    assert set(roles().values()) == {""}
    assert w.made == made, "no Deployment is made for it"
