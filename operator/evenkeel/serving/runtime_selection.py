"""Which model server serves a ModelDeployment: the named one, or the best one for the format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from evenkeel.api.common import ModelFormat
from evenkeel.api.modeldeployment import RuntimeRef
from evenkeel.api.servingruntime import (
    ClusterServingRuntime,
    ServingRuntime,
    ServingRuntimeSpec,
    SupportedModelFormat,
)
from evenkeel.meta.refusal import Refused

Runtime = ServingRuntime | ClusterServingRuntime
RuntimeKind = Literal["ServingRuntime", "ClusterServingRuntime"]


class Selected(NamedTuple):
    """The chosen runtime."""

    kind: RuntimeKind
    name: str
    spec: ServingRuntimeSpec


def select_runtime(
    wanted: RuntimeRef | None,
    format_: ModelFormat | None,
    namespaced: Sequence[ServingRuntime],
    cluster: Sequence[ClusterServingRuntime],
) -> Selected | Refused:
    """The runtime for a model.

    wanted: spec.runtime; format_: the model's; namespaced: the ServingRuntimes of the
    ModelDeployment's namespace. Without a name, runtimes that offer the format by autoSelect
    compete: those of the namespace before those of the cluster, then by priority, then by name.
    """
    if wanted is not None:
        return _named(wanted, format_, namespaced, cluster)
    if format_ is None:
        return Refused(
            "NoModelFormat",
            "the model has no format to choose a runtime by; set spec.model.format or spec.runtime",
        )
    for runtimes in (namespaced, cluster):
        best = min(
            (
                (-offer.priority, runtime.metadata.name, runtime)
                for runtime in runtimes
                if not runtime.spec.disabled
                for offer in runtime.spec.supported_model_formats
                if offer.auto_select and offers(offer, format_)
            ),
            key=lambda candidate: candidate[:2],
            default=None,
        )
        if best is not None:
            return _selected(best[2])
    return Refused(
        "NoRuntimeForFormat",
        f"no runtime serves format {_text(format_)} by autoSelect; "
        f"{_available(namespaced, cluster)}; name one in spec.runtime or install one",
    )


def offers(offer: SupportedModelFormat, wanted: ModelFormat) -> bool:
    """Whether a runtime's entry covers a model's format.

    A version that either side leaves out fits any; otherwise "1" covers "1" and "1.7", and "1.7"
    covers only itself and its own minor versions.
    """
    if offer.name != wanted.name:
        return False
    if offer.version is None or wanted.version is None:
        return True
    return f"{wanted.version}.".startswith(f"{offer.version}.")


def _named(
    wanted: RuntimeRef,
    format_: ModelFormat | None,
    namespaced: Sequence[ServingRuntime],
    cluster: Sequence[ClusterServingRuntime],
) -> Selected | Refused:
    runtimes: Sequence[Runtime] = namespaced if wanted.kind == "ServingRuntime" else cluster
    found = next((r for r in runtimes if r.metadata.name == wanted.name), None)
    label = f"{wanted.kind} {wanted.name!r}"
    if found is None:
        return Refused(
            "RuntimeNotFound",
            f"{label} does not exist; {_available(namespaced, cluster)}"
            "; correct spec.runtime or create it",
        )
    if found.spec.disabled:
        return Refused(
            "RuntimeDisabled",
            f"{label} is disabled; enable it or name another in spec.runtime",
        )
    formats = found.spec.supported_model_formats
    if format_ is not None and formats and not any(offers(offer, format_) for offer in formats):
        known = ", ".join(_text(offer) for offer in formats)
        return Refused(
            "FormatNotSupported",
            f"{label} does not serve format {_text(format_)}, but {known}; "
            "name another runtime in spec.runtime",
        )
    return _selected(found)


def _selected(runtime: Runtime) -> Selected:
    kind: RuntimeKind = (
        "ServingRuntime" if isinstance(runtime, ServingRuntime) else "ClusterServingRuntime"
    )
    return Selected(kind, runtime.metadata.name, runtime.spec)


def _text(format_: ModelFormat | SupportedModelFormat) -> str:
    version = f" version {format_.version}" if format_.version else ""
    return f"{format_.name!r}{version}"


def _available(*groups: Iterable[Runtime]) -> str:
    lines = sorted(
        f"{type(runtime).kind} {runtime.metadata.name}"
        f" ({', '.join(f.name for f in runtime.spec.supported_model_formats) or 'any format'})"
        for group in groups
        for runtime in group
        if not runtime.spec.disabled
    )
    return f"available: {', '.join(lines)}" if lines else "no runtime is installed"
