"""Gates: the checks of a new model version, and what they found.

Whatever cannot be judged fails: a missing metric, a value that is no number, a slice without enough
records. The one exception is the comparison with a champion while no version is in production.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from evenkeel.api.common import ChampionComparison, Gate, Metric, Slice
from evenkeel.api.modelversion import GateResult


class Figures(NamedTuple):
    """What was measured of a version."""

    version: str
    metrics: Sequence[Metric]
    slices: Sequence[Slice]


class _Finding(NamedTuple):
    passed: bool
    text: str


def evaluate(
    gates: Iterable[Gate], candidate: Figures, champion: Figures | None
) -> tuple[GateResult, ...]:
    """One result for each gate, in their order."""
    return tuple(_evaluate(gate, candidate, champion) for gate in gates)


def _evaluate(gate: Gate, candidate: Figures, champion: Figures | None) -> GateResult:
    if gate.slice is None:
        findings = [_judge(gate, "", candidate.metrics, _whole(champion), champion)]
    else:
        findings = _judge_slices(gate, candidate, champion)
    failed = [f for f in findings if not f.passed]
    text = "; ".join(f.text for f in failed or findings)
    return GateResult(name=gate.name, passed=not failed, message=_cut(text))


def _judge_slices(gate: Gate, candidate: Figures, champion: Figures | None) -> list[_Finding]:
    every = gate.slice == "*"
    chosen = [s for s in candidate.slices if every or s.name == gate.slice]
    if not chosen:
        what = "no slices" if every else f"no slice {gate.slice}"
        return [_Finding(False, f"the training reported {what}")]
    large = [s for s in chosen if s.samples >= gate.min_samples]
    if not large:
        most = max(chosen, key=lambda s: s.samples)
        return [
            _Finding(
                False,
                f"slice {most.name} has {most.samples} records, fewer than "
                f"minSamples {gate.min_samples}: nothing to judge",
            )
        ]
    findings = []
    for part in large:
        known = _slice(champion, part.name)
        findings.append(_judge(gate, f"slice {part.name}: ", part.metrics, known, champion))
    return findings


def _judge(
    gate: Gate,
    where: str,
    metrics: Sequence[Metric],
    champion_metrics: Sequence[Metric] | None,
    champion: Figures | None,
) -> _Finding:
    value = _value(metrics, gate.metric)
    if isinstance(value, str):
        return _Finding(False, f"{where}{value}")
    figure = f"{where}{gate.metric} {value:f}"
    passed, texts = True, []
    if gate.min is not None:
        ok = value >= Decimal(gate.min)
        passed &= ok
        texts.append(f"{'>=' if ok else '<'} min {gate.min}")
    if gate.max is not None:
        ok = value <= Decimal(gate.max)
        passed &= ok
        texts.append(f"{'<=' if ok else '>'} max {gate.max}")
    if gate.champion is not None:
        rule = gate.champion
        known, name = champion_metrics, gate.metric
        if rule.reported_as is not None:
            known, name = metrics, rule.reported_as
        found = _compare(rule, name, value, known, champion)
        passed &= found.passed
        texts.append(found.text)
    return _Finding(passed, f"{figure} {', '.join(texts)}")


def _compare(
    rule: ChampionComparison,
    metric: str,
    value: Decimal,
    metrics: Sequence[Metric] | None,
    champion: Figures | None,
) -> _Finding:
    if champion is None:
        return _Finding(True, "has no champion in production to compare with")
    reference = "it reported no such slice" if metrics is None else _value(metrics, metric)
    if isinstance(reference, str):
        return _Finding(
            False,
            f"cannot be compared with champion {champion.version}: {reference}; leave the "
            "comparison out of this gate until it is reported",
        )
    slack = Decimal(rule.max_regression)
    if rule.better == "Higher":
        bound, sign = reference - slack, ">="
        passed = value >= bound
    else:
        bound, sign = reference + slack, "<="
        passed = value <= bound
    word = "" if passed else "not "
    return _Finding(
        passed,
        f"{word}{sign} {bound:f} (champion {champion.version} {reference:f}, "
        f"maxRegression {rule.max_regression})",
    )


def _value(metrics: Sequence[Metric], name: str) -> Decimal | str:
    """The metric's value, or what is wrong with it."""
    found = next((m for m in metrics if m.name == name), None)
    if found is None:
        return f"metric {name} is missing"
    try:
        value = Decimal(found.value)
    except InvalidOperation:
        value = Decimal("nan")
    return value if value.is_finite() else f"metric {name} is not a number: {found.value!r}"


def _whole(champion: Figures | None) -> Sequence[Metric] | None:
    return None if champion is None else champion.metrics


def _slice(champion: Figures | None, name: str) -> Sequence[Metric] | None:
    if champion is None:
        return None
    return next((s.metrics for s in champion.slices if s.name == name), None)


def _cut(text: str, limit: int = 1024) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
