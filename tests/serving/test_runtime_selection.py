"""Which runtime a ModelDeployment gets."""

import pytest
from evenkeel.api.common import ModelFormat
from evenkeel.api.modeldeployment import RuntimeRef
from evenkeel.api.servingruntime import SupportedModelFormat
from evenkeel.meta.refusal import Refused
from evenkeel.serving.runtime_selection import Selected, offers, select_runtime

from tests.support.serving_examples import cluster_runtime, serving_runtime

SKLEARN = ModelFormat(name="sklearn")


def serves(name: str = "sklearn", **more: object) -> dict[str, list[dict[str, object]]]:
    return {"supportedModelFormats": [{"name": name, "autoSelect": True, **more}]}


def name_of(result: Selected | Refused) -> str:
    assert isinstance(result, Selected), result
    return f"{result.kind}/{result.name}"


def reason_of(result: Selected | Refused) -> str:
    assert isinstance(result, Refused), result
    return result.reason


def test_the_namespace_comes_before_the_cluster_whatever_the_priorities() -> None:
    own = serving_runtime("own", **serves(priority=0))
    shared = cluster_runtime("shared", **serves(priority=9))
    assert name_of(select_runtime(None, SKLEARN, [own], [shared])) == "ServingRuntime/own"


def test_the_highest_priority_wins_and_names_break_ties() -> None:
    runtimes = [
        cluster_runtime("low", **serves(priority=1)),
        cluster_runtime("b", **serves(priority=2)),
        cluster_runtime("a", **serves(priority=2)),
    ]
    for order in (runtimes, runtimes[::-1]):
        assert name_of(select_runtime(None, SKLEARN, [], order)) == "ClusterServingRuntime/a"


def test_without_auto_select_or_disabled_a_runtime_is_not_chosen() -> None:
    manual = cluster_runtime("manual", **serves(autoSelect=False))
    disabled = cluster_runtime("disabled", disabled=True, **serves())
    assert reason_of(select_runtime(None, SKLEARN, [], [manual, disabled])) == "NoRuntimeForFormat"


def test_an_unserved_format_lists_what_is_there() -> None:
    result = select_runtime(
        None, ModelFormat(name="onnx"), [], [cluster_runtime("mlserver", **serves())]
    )
    assert result == Refused(
        "NoRuntimeForFormat",
        "no runtime serves format 'onnx' by autoSelect; available: ClusterServingRuntime mlserver "
        "(sklearn); name one in spec.runtime or install one",
    )


def test_without_format_and_name_nothing_can_be_chosen() -> None:
    assert reason_of(select_runtime(None, None, [], [])) == "NoModelFormat"


@pytest.mark.parametrize(
    ("offered", "wanted", "covered"),
    [
        (None, "1.7", True),
        ("1", None, True),
        ("1", "1", True),
        ("1", "1.7", True),
        ("1", "10", False),
        ("1.7", "1", False),
    ],
)
def test_a_version_covers_its_minor_versions(
    offered: str | None, wanted: str | None, covered: bool
) -> None:
    offer = SupportedModelFormat(name="sklearn", version=offered)
    assert offers(offer, ModelFormat(name="sklearn", version=wanted)) is covered


class TestNamed:
    def test_a_named_runtime_needs_no_auto_select(self) -> None:
        runtime = cluster_runtime("mine", **serves(autoSelect=False))
        result = select_runtime(RuntimeRef(name="mine"), SKLEARN, [], [runtime])
        assert name_of(result) == "ClusterServingRuntime/mine"

    def test_kinds_are_told_apart(self) -> None:
        runtime = serving_runtime("mine")
        result = select_runtime(RuntimeRef(name="mine"), SKLEARN, [runtime], [])
        assert reason_of(result) == "RuntimeNotFound"
        wanted = RuntimeRef(kind="ServingRuntime", name="mine")
        assert name_of(select_runtime(wanted, SKLEARN, [runtime], [])) == "ServingRuntime/mine"

    def test_a_disabled_one_is_refused(self) -> None:
        runtime = cluster_runtime("mine", disabled=True)
        result = select_runtime(RuntimeRef(name="mine"), SKLEARN, [], [runtime])
        assert reason_of(result) == "RuntimeDisabled"

    def test_one_that_does_not_serve_the_format_is_refused(self) -> None:
        runtime = cluster_runtime("mine", **serves("xgboost"))
        result = select_runtime(RuntimeRef(name="mine"), SKLEARN, [], [runtime])
        assert reason_of(result) == "FormatNotSupported"

    def test_one_without_formats_serves_any(self) -> None:
        result = select_runtime(RuntimeRef(name="mine"), SKLEARN, [], [cluster_runtime("mine")])
        assert name_of(result) == "ClusterServingRuntime/mine"
