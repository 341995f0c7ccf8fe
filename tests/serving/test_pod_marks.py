"""What pods are told while they serve."""

from __future__ import annotations

import json
from typing import Any

import pytest
from evenkeel.api.labels import DIVISION
from evenkeel.meta.objects import Ref
from evenkeel.pods.slim import DIVIDED, slim
from evenkeel.serving.division import PassedOn, division_marks, told
from evenkeel.serving.pod_marks import Marks, ServingPod, marked

from tests.support.serving_examples import model_deployment

STABLE, CANARY = "fraud-0123456789", "fraud-abcdefghij"


def pod(revision: str = STABLE, **fields: Any) -> ServingPod:
    ref = Ref("v1", "Pod", "shop", f"{revision}-x", "u")
    return ServingPod(ref, revision, **{"labels": {}, "annotations": {}, "divides": True, **fields})


def text(**fields: Any) -> dict[str, Any]:
    return dict(json.loads(told(model_deployment(), PassedOn(CANARY, **fields)) or "{}"))


def test_copies_go_to_the_canarys_service() -> None:
    url = f"http://{CANARY}.shop.svc:80"
    assert text(mirror=20) == {"mirror": {"percent": 20, "url": url, "revision": CANARY}}
    grpc = text(mirror=20, grpc=9000)["mirror"]["grpcUrl"]
    assert grpc == f"http://{CANARY}.shop.svc:9000"


def test_a_share_is_told_with_its_header() -> None:
    assert text(share=5, header="X-User")["share"]["header"] == "X-User"
    assert text(share=5) == text(header="X-User") == {}


@pytest.mark.parametrize(
    ("revision", "divides", "has", "change"),
    [
        (STABLE, True, {}, {DIVISION: "t"}),
        (STABLE, True, {DIVISION: "old"}, {DIVISION: "t"}),
        (STABLE, True, {DIVISION: "t"}, None),
        (STABLE, False, {}, None),
        (CANARY, True, {}, None),
        (CANARY, True, {DIVISION: "t"}, {DIVISION: None}),
    ],
)
def test_only_what_differs_is_written(
    revision: str, divides: bool, has: dict[str, str], change: dict[str, str | None] | None
) -> None:
    found = marked([pod(revision, divides=divides, annotations=has)], [division_marks(STABLE, "t")])
    assert [body for _, body in found] == (
        [] if change is None else [{"metadata": {"annotations": change}}]
    )


def test_nobody_is_told_anything_without_a_text() -> None:
    entry = division_marks(STABLE, "")
    assert marked([pod()], [entry]) == ()
    ((ref, body),) = marked([pod(annotations={DIVISION: "t"})], [entry])
    assert (ref.name, body) == (f"{STABLE}-x", {"metadata": {"annotations": {DIVISION: None}}})


def test_entries_are_written_together() -> None:
    entries = [division_marks(STABLE, "t"), lambda one: Marks(labels={"a": "b"})]
    ((_, body),) = marked([pod()], entries)
    assert body == {"metadata": {"labels": {"a": "b"}, "annotations": {DIVISION: "t"}}}


def test_a_slim_pod_keeps_what_it_is_told_and_whether_it_can_be() -> None:
    meta = {"name": "p", "annotations": {DIVISION: "t", "long": "x"}, "labels": {}}
    meter = {"name": "meter", "env": [{"name": "METER_DIVISION", "value": "f"}]}
    kept = slim({"metadata": meta, "spec": {"containers": [{"name": "model"}, meter]}})
    assert kept["metadata"]["annotations"] == {DIVISION: "t"}
    assert kept[DIVIDED] is True
    older = slim({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "meter"}]}})
    assert DIVIDED not in older
    assert "annotations" not in older["metadata"]
